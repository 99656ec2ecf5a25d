// Reads a workflow, or an action (argument `action`), from standard input with GitHub's own parser, and prints what it makes of it. Its files import JSON as bundlers do,
// which Node does when the imports are given their attribute.
import { register } from "node:module";
import { text } from "node:stream/consumers";

const hook = `export const load = (url, context, next) =>
  next(url, url.endsWith(".json") ? { ...context, importAttributes: { type: "json" } } : context);`;
register(`data:text/javascript,${encodeURIComponent(hook)}`);

const { convertWorkflowTemplate, NoOperationTraceWriter, parseWorkflow } = await import("@actions/workflow-parser");
const { convertActionTemplate, parseAction } = await import("@actions/workflow-parser/actions/index");
const isAction = process.argv[2] === "action";
const name = isAction ? "action.yml" : ".github/workflows/slipway.yml";
const file = { name, content: await text(process.stdin) };
const { context, value } = (isAction ? parseAction : parseWorkflow)(file, new NoOperationTraceWriter());
const convert = isAction ? convertActionTemplate : convertWorkflowTemplate;
const template = value === undefined ? undefined : await convert(context, value);
process.stdout.write(
  JSON.stringify({
    errors: [...context.errors.getErrors(), ...(template?.errors ?? [])].map(
      ({ message, Message }) => message ?? Message,
    ),
    inputs: isAction ? (template?.inputs ?? []).map(({ id, required }) => [id, required === true]) : [],
    jobs: (template?.jobs ?? []).map((job) => [job.id.value, (job.needs ?? []).map((need) => need.value)]),
  }),
);
