import { spawn } from "node:child_process";
import { once } from "node:events";
import { data, Evaluator, Lexer, Parser } from "@actions/expressions";
import { parse } from "yaml";

export type Contexts = Readonly<Record<string, Readonly<Record<string, string>>>>;

type Env = Readonly<Record<string, string>>;
type Step = {
  readonly name?: string;
  readonly run?: string;
  readonly env?: Env;
  readonly "continue-on-error"?: boolean;
};
type Job = { readonly if?: string; readonly env?: Env; readonly needs?: string; readonly steps: readonly Step[] };

export type Told = { readonly job: string; readonly step: string; readonly code: number; readonly output: string };

/**
 * Runs the shell steps of a workflow as a runner does: conditions and variables by GitHub's own evaluator, each line in bash with
 * nothing else in its environment but what the `runner` gives each job, one job after the other, until a step fails that may not. Actions are not run: their work is
 * done by whoever calls.
 */
export async function runShellSteps(
  workflow: string,
  {
    directory,
    contexts,
    path,
    runner = {},
  }: { readonly directory: string; readonly contexts: Contexts; readonly path: string; readonly runner?: Env },
): Promise<readonly Told[]> {
  const { jobs } = parse(workflow) as { jobs: Record<string, Job> };
  const told: Told[] = [];
  for (const [job, { if: condition, env = {}, steps }] of Object.entries(jobs)) {
    if (condition !== undefined && filled(condition, contexts) !== "true") continue;
    for (const step of steps) {
      if (step.run === undefined) continue;
      const variables = { ...env, ...step.env };
      const child = spawn("bash", ["--noprofile", "--norc", "-eo", "pipefail", "-c", step.run], {
        cwd: directory,
        env: {
          PATH: path,
          HOME: directory,
          CI: "true",
          ...runner,
          ...Object.fromEntries(
            Object.entries(variables).map(([name, value]) => [name, filled(String(value), contexts)]),
          ),
        },
        stdio: ["ignore", "pipe", "pipe"],
      });
      let output = "";
      for (const stream of [child.stdout, child.stderr])
        stream.on("data", (chunk) => {
          output += chunk;
        });
      const [code] = (await once(child, "close")) as [number];
      told.push({ job, step: step.name ?? step.run, code, output });
      if (code !== 0 && step["continue-on-error"] !== true) return told;
    }
  }
  return told;
}

function filled(text: string, contexts: Contexts): string {
  return text.replaceAll(/\$\{\{ (.*?) \}\}/g, (_, expression: string) => {
    const { tokens } = new Lexer(expression).lex();
    return new Evaluator(new Parser(tokens, Object.keys(contexts), []).parse(), dictionary(contexts))
      .evaluate()
      .coerceString();
  });
}

function dictionary(contexts: Contexts): data.Dictionary {
  const pairs = Object.entries(contexts).map(([key, inner]) => ({
    key,
    value: new data.Dictionary(
      ...Object.entries(inner).map(([name, value]) => ({ key: name, value: new data.StringData(value) })),
    ),
  }));
  return new data.Dictionary(...pairs);
}
