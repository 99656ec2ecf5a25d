import { UnreadableReport } from "./xml.ts";

export type Finding = {
  readonly level: "error" | "warning" | "note";
  readonly rule: string;
  readonly message: string;
  readonly file: string | null;
  readonly line: number | null;
};

export type FindingReport = {
  readonly errors: number;
  readonly warnings: number;
  readonly notes: number;
  /** The first of them, the worst before the others. */
  readonly findings: readonly Finding[];
};

export const mostFindings = 100;
const mostChars = 500;

/** SARIF 2.1.0, as far as it says what was found where. Errors: UnreadableReport. */
export function readSarif(text: string): FindingReport {
  const log = parsed(text);
  const runs = listOf(fieldOf(log, "runs"));
  if (runs === null) throw new UnreadableReport("it is no SARIF log: it has no runs");
  const all = runs.flatMap((run) => {
    const levels = ruleLevels(run);
    return (listOf(fieldOf(run, "results")) ?? [])
      .filter((result) => (listOf(fieldOf(result, "suppressions")) ?? []).length === 0)
      .flatMap((result) => findingOf(result, levels) ?? []);
  });
  return counted(all);
}

export function addFindings(a: FindingReport, b: FindingReport): FindingReport {
  return {
    errors: a.errors + b.errors,
    warnings: a.warnings + b.warnings,
    notes: a.notes + b.notes,
    findings: worstFirst([...a.findings, ...b.findings]),
  };
}

function counted(all: readonly Finding[]): FindingReport {
  const count = (level: Finding["level"]): number => all.filter((one) => one.level === level).length;
  return { errors: count("error"), warnings: count("warning"), notes: count("note"), findings: worstFirst(all) };
}

const order: readonly Finding["level"][] = ["error", "warning", "note"];

function worstFirst(all: readonly Finding[]): readonly Finding[] {
  return all.toSorted((a, b) => order.indexOf(a.level) - order.indexOf(b.level)).slice(0, mostFindings);
}

/** What a rule means where a result does not say it. */
function ruleLevels(run: unknown): ReadonlyMap<string, unknown> {
  const rules = listOf(fieldOf(fieldOf(fieldOf(run, "tool"), "driver"), "rules")) ?? [];
  return new Map(
    rules.map((rule) => [textOf(fieldOf(rule, "id")), fieldOf(fieldOf(rule, "defaultConfiguration"), "level")]),
  );
}

/** Null for what was looked at and is well. */
function findingOf(result: unknown, levels: ReadonlyMap<string, unknown>): Finding | null {
  const kind = fieldOf(result, "kind");
  if (kind !== undefined && kind !== "fail") return null;
  const rule = textOf(fieldOf(result, "ruleId"));
  const level = fieldOf(result, "level") ?? levels.get(rule) ?? "warning";
  if (level === "none") return null;
  const place = fieldOf((listOf(fieldOf(result, "locations")) ?? [])[0], "physicalLocation");
  const file = textOf(fieldOf(fieldOf(place, "artifactLocation"), "uri"));
  const line = fieldOf(fieldOf(place, "region"), "startLine");
  return {
    level: level === "error" || level === "note" ? level : "warning",
    rule,
    message: textOf(fieldOf(fieldOf(result, "message"), "text")),
    file: file === "" ? null : file,
    line: typeof line === "number" && Number.isSafeInteger(line) ? line : null,
  };
}

function parsed(text: string): unknown {
  try {
    // Some tools write a byte order mark.
    return JSON.parse(text.replace(/^\uFEFF/, ""));
  } catch {
    throw new UnreadableReport("it is no JSON");
  }
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name]
    : undefined;
}

function listOf(value: unknown): readonly unknown[] | null {
  return Array.isArray(value) ? value : null;
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value.slice(0, mostChars) : "";
}
