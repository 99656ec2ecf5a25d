import { isAlias, LineCounter, parseDocument, visit } from "yaml";
import { SlipwayError } from "../../core/errors/error.ts";
import { jsonFault } from "./json-fault.ts";

/** How often a YAML alias may be used in all: enough for people, too few for a bomb. */
const maxAliases = 100;

/** The value of a `.json` config. Errors: CONFIG_UNREADABLE with line and column, also when a key is there twice. */
export function parseJsonConfig(text: string, name: string): unknown {
  const fault = jsonFault(text);
  if (fault !== null) {
    const before = text.slice(0, fault.offset).split("\n");
    throw unreadableAt(text, name, { line: before.length, column: before.at(-1)!.length + 1, message: fault.message });
  }
  return JSON.parse(text) as unknown;
}

/** The value of a `.yaml` config: YAML 1.2, with `<<`. Errors: CONFIG_UNREADABLE as for JSON, and for unknown tags. */
export function parseYamlConfig(text: string, name: string): unknown {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true, merge: true, prettyErrors: false });
  const fault = document.errors[0] ?? document.warnings[0];
  if (fault !== undefined) {
    const { line, col } = lines.linePos(fault.pos[0]);
    throw unreadableAt(text, name, { line, column: col, message: plainFault(fault.code, fault.message) });
  }
  let aliases = 0;
  visit(document, (_, node) => {
    if (isAlias(node)) aliases++;
  });
  try {
    if (aliases <= maxAliases) return document.toJS({ maxAliasCount: maxAliases }) as unknown;
  } catch (cause) {
    throw new SlipwayError("CONFIG_UNREADABLE", {
      message: `${name} cannot be read: ${(cause as Error).message}`,
      cause,
    });
  }
  throw new SlipwayError("CONFIG_UNREADABLE", { message: `${name} uses more than ${maxAliases} aliases` });
}

export type Place = {
  readonly line: number;
  readonly column: number | null;
  readonly message: string;
  /** Where it is no matter of syntax. */
  readonly hint?: string;
};

/** A text that cannot be read from one place on, with that line as evidence. */
export function unreadableAt(
  text: string,
  name: string,
  { line, column, message, hint }: Place,
  cause?: unknown,
): SlipwayError {
  const shown = (text.split("\n")[line - 1] ?? "").trim().slice(0, 100);
  return new SlipwayError("CONFIG_UNREADABLE", {
    message: `${name}:${line}${column === null ? "" : `:${column}`}: ${message}`,
    evidence: shown === "" ? [] : [["line", shown]],
    ...(hint === undefined ? {} : { hint }),
    cause,
  });
}

function plainFault(code: string, message: string): string {
  if (code === "DUPLICATE_KEY") return "this key is there twice";
  if (code === "MULTIPLE_DOCS") return "there are two documents in this file; keep one";
  if (code === "TAB_AS_INDENT") return "there is a tab at the beginning; use spaces";
  return message.split("\n")[0]!;
}
