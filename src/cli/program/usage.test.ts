import { expect, it } from "vitest";
import { isSlipwayError, type SlipwayError } from "../../core/errors/error.ts";
import { program } from "./slipway.ts";

async function refusal(line: string): Promise<SlipwayError> {
  try {
    await program().parseAsync(line.split(" "), { from: "user" });
  } catch (error) {
    if (isSlipwayError(error)) return error;
    throw error;
  }
  throw new Error("it was taken");
}

it.each<[string, string, Record<string, RegExp>]>([
  [
    "deploy --enviroment staging",
    "slipway deploy has no option --enviroment",
    { allowed: /-e, --env <environment>.*--json/s, hint: /^did you mean --env\? see: slipway deploy --help$/ },
  ],
  [
    "deploy -e staging --comit=HEAD~1",
    "slipway deploy has no option --comit",
    { hint: /^did you mean --commit\? see: slipway deploy --help$/ },
  ],
  ["status --jsn", "slipway status has no option --jsn", { hint: /did you mean --json\?/ }],
  ["history -x", "slipway history has no option -x", { hint: /^see: slipway history --help$/ }],
  ["deplyo", "slipway has no command deplyo", { allowed: /init, validate.*rollback/s, hint: /slipway deploy\?/ }],
  ["secret sett A", "slipway secret has no command sett", { allowed: /^set, list, unset$/, hint: /secret set\?/ }],
  ["frobnicate", "slipway has no command frobnicate", { hint: /^see: slipway --help$/ }],
  ["deploy", "slipway deploy needs -e, --env <environment>: where to", { usage: /^slipway deploy \[options\]$/ }],
  [
    "deploy staging",
    "slipway deploy needs -e, --env <environment>: where to",
    { hint: /^did you mean: slipway deploy --env staging\? see/ },
  ],
  ["deploy -e", "slipway deploy needs a value for -e, --env <environment>: where to", {}],
  [
    "explain",
    "slipway explain needs <key>: like services.web.health.interval",
    { usage: /^slipway explain \[options\] <key>$/ },
  ],
  [
    "deploy -e staging --busy quque",
    'slipway deploy --busy <policy>: "quque" is not allowed',
    { allowed: /^queue, replace, refuse$/, hint: /did you mean "queue"\?/ },
  ],
  ["history -n many", 'slipway history -n, --limit <count>: "many" is not allowed; it must be a whole number', {}],
  ["up here", 'slipway up takes no argument, and got "here" besides', { usage: /^slipway up \[options\]$/ }],
  ["pin r1 r2", 'slipway pin takes one argument, and got "r2" besides', {}],
])("slipway %s: %s", async (line, message, more) => {
  const error = await refusal(line);
  expect([error.code, error.exitCode, error.message]).toEqual(["USAGE", 2, message]);
  for (const [label, wanted] of Object.entries(more)) {
    const said = error.evidence.flatMap(([each, text]) => (each === label ? [text] : []));
    expect(label === "hint" ? error.hint : said.join("\n")).toMatch(wanted);
  }
});
