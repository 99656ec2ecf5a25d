import { resolve } from "node:path";
import { explainKey, formatExplanation, formatUnknownKey } from "../../core/product/explain.ts";
import { formatProblems } from "../../core/product/problems.ts";
import type { ProductConfig } from "../../core/product/schema.ts";
import { findConfig } from "../config/find.ts";
import { inspectConfig } from "../config/load.ts";
import { output } from "../output.ts";
import type { GlobalOptions } from "../session.ts";
import { sign, style } from "../terminal/style.ts";

/** Checks the config: every problem at once, warnings apart. Exit 2 when it cannot be used. */
export async function validate(file: string | undefined, options: GlobalOptions): Promise<number> {
  const out = output(options);
  const inspected = await inspectConfig(file === undefined ? findConfig(process.cwd()) : resolve(file));
  out.json({ file: inspected.file, valid: inspected.config !== null, problems: inspected.problems });
  if (inspected.problems.length > 0) out.line(formatProblems(inspected.file, inspected.problems));
  if (inspected.config === null) return 2;
  const services = servicesIn(inspected.config);
  out.line(
    `${style.good(sign.done)} ${inspected.file} is valid: ${inspected.config.name}, ${services} ${services === 1 ? "service" : "services"}`,
  );
  return 0;
}

/** Those of Compose files too. */
function servicesIn({ services = {}, composed = {} }: ProductConfig): number {
  return new Set([services, ...Object.values(composed).map((each) => each.services)].flatMap(Object.keys)).size;
}

/** What a key of the config means: meaning, unit, default, example. */
export async function explain(key: string, options: GlobalOptions): Promise<number> {
  const out = output(options);
  const result = explainKey(key);
  out.json(result);
  if (!result.found) {
    if (out.mode !== "json") process.stderr.write(`${formatUnknownKey(result)}\n`);
    return 2;
  }
  out.line(formatExplanation(result.explanation));
  return 0;
}
