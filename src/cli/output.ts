import { fileURLToPath } from "node:url";
import { isSlipwayError, reasonOf, SlipwayError } from "../core/errors/error.ts";
import { harmlessLine } from "./terminal/harmless.ts";
import { sign, style } from "./terminal/style.ts";

/** How a command speaks: to a person on a terminal, to a log in plain lines, or to a program in JSON. */
export type Output = {
  readonly mode: "terminal" | "plain" | "json";
  /** A line for a person. Nothing with --json. */
  line(text?: string): void;
  /** The result for a program. Nothing without --json. */
  json(value: unknown): void;
};

export function output(options: { readonly json?: boolean | undefined }): Output {
  const mode =
    options.json === true
      ? "json"
      : process.stdout.isTTY === true && process.env.CI === undefined
        ? "terminal"
        : "plain";
  return {
    mode,
    line: (text = "") => {
      if (mode !== "json") process.stdout.write(`${text}\n`);
    },
    json: (value) => {
      if (mode === "json") process.stdout.write(`${JSON.stringify(value)}\n`);
    },
  };
}

/** Says what went wrong with what was seen, as docs/errors.md describes, and gives the exit code. */
export function fail(error: unknown, json: boolean): number {
  const known = isSlipwayError(error)
    ? error
    : new SlipwayError("INTERNAL", { message: reasonOf(error), cause: error });
  if (json) process.stdout.write(`${JSON.stringify({ error: known.toJSON() })}\n`);
  else process.stderr.write(`${errorLines(known).join("\n")}\n`);
  if (known.code === "INTERNAL" && error instanceof Error && process.env.SLIPWAY_DEBUG !== undefined)
    process.stderr.write(`${error.stack}\n`);
  return known.exitCode;
}

/** Where the page is on this machine: a person may stand in any directory. */
const errorsPage = fileURLToPath(new URL("../../docs/errors.md", import.meta.url));

export function errorLines(error: SlipwayError): string[] {
  const rows: (readonly [string, string])[] = [
    ...error.evidence,
    ["hint", error.hint],
    ["docs", `${errorsPage}#${error.code.toLowerCase().replaceAll("_", "-")}`],
  ];
  return [`${style.bad(sign.failed)} ${style.name(error.code)}  ${error.message}`, ...evidenceLines(rows)];
}

/** Labels on the left, what was seen on the right, lines of programs among it; a label is said once for lines that follow each other. */
export function evidenceLines(rows: readonly (readonly [string, string])[], indent = "  "): string[] {
  const labelWidth = Math.max(...rows.map(([label]) => label.length), 0);
  return rows.map(([label, text], index) => {
    const shown = index > 0 && rows[index - 1]?.[0] === label ? "" : label;
    return `${indent}${style.quiet(shown.padEnd(labelWidth))}  ${harmlessLine(text)}`;
  });
}
