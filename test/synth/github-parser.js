// Reads a workflow from standard input with GitHub's own parser, and prints what it makes of it. Its files import JSON as bundlers do,
// which Node does when the imports are given their attribute.
import { register } from "node:module";
import { text } from "node:stream/consumers";

const hook = `export const load = (url, context, next) =>
  next(url, url.endsWith(".json") ? { ...context, importAttributes: { type: "json" } } : context);`;
register(`data:text/javascript,${encodeURIComponent(hook)}`);

const { convertWorkflowTemplate, NoOperationTraceWriter, parseWorkflow } = await import("@actions/workflow-parser");
const file = { name: ".github/workflows/slipway.yml", content: await text(process.stdin) };
const { context, value } = parseWorkflow(file, new NoOperationTraceWriter());
const template = value === undefined ? undefined : await convertWorkflowTemplate(context, value);
process.stdout.write(
  JSON.stringify({
    errors: [...context.errors.getErrors(), ...(template?.errors ?? [])].map(
      ({ message, Message }) => message ?? Message,
    ),
    jobs: (template?.jobs ?? []).map((job) => [job.id.value, (job.needs ?? []).map((need) => need.value)]),
  }),
);
