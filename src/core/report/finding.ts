import { shortDigest } from "../hash.ts";

/** The worst first. `unknown`: the tool does not say; it counts as bad as any, because nobody knows better. */
export const severities = ["critical", "high", "medium", "low", "unknown"] as const;
export type Severity = (typeof severities)[number];

export type Finding = {
  /** The same for the same finding in another commit, where lines have moved and versions have changed. */
  readonly fingerprint: string;
  /** What wrote it: `npm audit`, `Trivy`, or as its SARIF names it. */
  readonly tool: string;
  readonly severity: Severity;
  /** `GHSA-35jh-r3h4-6jhm`, `CVE-2021-38193`, `sql-injection`. */
  readonly rule: string;
  readonly message: string;
  /** In the checkout; null where it has no file, or one outside. */
  readonly file: string | null;
  readonly line: number | null;
  /** `lodash 4.17.11`; null where it is about no package. */
  readonly package: string | null;
};

export type FindingReport = {
  readonly counts: Readonly<Record<Severity, number>>;
  /** The first of them, the worst before the others. */
  readonly findings: readonly Finding[];
};

/** All that a step's reports have found; each once. */
export type Findings = {
  readonly all: readonly Finding[];
  /** There were more than are taken: what is not known is not well. */
  readonly cut: boolean;
};

export const mostShown = 100;
export const mostFindings = 5_000;

/** Each once, by its fingerprint: the worst of those that are one stays. */
export function collected(findings: readonly Finding[]): Findings {
  const byPrint = new Map<string, Finding>();
  for (const finding of worstFirst(findings))
    if (!byPrint.has(finding.fingerprint)) byPrint.set(finding.fingerprint, finding);
  return { all: [...byPrint.values()].slice(0, mostFindings), cut: byPrint.size > mostFindings };
}

export function findingReport({ all }: Findings): FindingReport {
  const counts = { critical: 0, high: 0, medium: 0, low: 0, unknown: 0 };
  for (const { severity } of all) counts[severity] += 1;
  return { counts, findings: all.slice(0, mostShown) };
}

/** By what stays the same from commit to commit. */
export function printOf(...parts: readonly (string | number | null)[]): string {
  return shortDigest(JSON.stringify(parts));
}

/** Where it is, in a word or two; empty where nobody says. */
export function placeOf({ file, line, package: name }: Pick<Finding, "file" | "line" | "package">): string {
  if (name !== null) return name;
  return file === null ? "" : `${file}${line === null ? "" : `:${line}`}`;
}

export function worstFirst(findings: readonly Finding[]): readonly Finding[] {
  return findings.toSorted((a, b) => severities.indexOf(a.severity) - severities.indexOf(b.severity));
}

/** As scanners write it: `HIGH`, `moderate`, `info`. */
export function severityOf(said: unknown): Severity {
  const word = typeof said === "string" ? said.toLowerCase() : "";
  if (word === "moderate") return "medium";
  if (word === "info" || word === "negligible" || word === "informational") return "low";
  return severities.find((one) => one === word) ?? "unknown";
}

/**
 * A path of a report as one of the checkout: `src/a.ts`. Null for what leads out of it, which is shown to nobody. `top` is where
 * the checkout was: tools that write whole paths begin with it.
 */
export function insideOf(path: string, top: string): string | null {
  let plain = path.replace(/^file:\/\//, "").replaceAll("\\", "/");
  if (top !== "" && plain.startsWith(`${top}/`)) plain = plain.slice(top.length + 1);
  if (plain === "" || plain.startsWith("/") || /^[a-zA-Z][a-zA-Z0-9+.-]*:/.test(plain)) return null;
  const parts = plain.split("/").filter((part) => part !== "" && part !== ".");
  return parts.length === 0 || parts.includes("..") ? null : parts.join("/");
}
