import type { ReportsView, ScanView } from "../api/contract.ts";
import { waiverText } from "../core/pipeline/scan.ts";
import { type Finding, placeOf, severities } from "../core/report/finding.ts";
import { testedText } from "../core/report/summary.ts";
import { sign, style } from "./terminal/style.ts";
import { plural } from "./terminal/words.ts";

/** Failing tests and findings that are shown under a failed step. */
const shown = 10;
const messageLines = 6;

/** In a few words: `42 tests, 1 failed, 87.5 % of lines, 3 findings`. */
export function reportsText({ tests, coverage, findings, problems }: ReportsView): string {
  const tested = testedText({ tests, coverage });
  const parts = [
    ...(tested === "" ? [] : [tested]),
    ...(findings === null ? [] : [findingsText(findings)]),
    ...problems,
  ];
  return parts.join(", ");
}

/** `3 findings: 1 critical, 2 low`. */
function findingsText({ counts }: NonNullable<ReportsView["findings"]>): string {
  const parts = severities.flatMap((severity) => (counts[severity] === 0 ? [] : [`${counts[severity]} ${severity}`]));
  const all = plural(
    severities.reduce((sum, severity) => sum + counts[severity], 0),
    "finding",
  );
  return parts.length === 0 ? all : `${all}: ${parts.join(", ")}`;
}

/** What a scan was judged by, a line each: what stops it, what is waived, and whose word is over. */
export function scanLines({ blocking, waived, expired }: ScanView): string[] {
  return [
    ...blocking.slice(0, shown).map((finding) => findingLine(finding, style.bad(sign.failed))),
    ...waived
      .slice(0, shown)
      .map(({ finding, waiver }) => `${findingLine(finding, style.quiet("–"))} ${style.quiet(waiverText(waiver))}`),
    ...expired.map((waiver) => `  ${style.warn(sign.warn)} ${waiverText(waiver)} is over and counts no more`),
  ];
}

function findingLine(finding: Finding, mark: string): string {
  const { severity, rule, message, fingerprint } = finding;
  return `  ${mark} ${severity} ${style.name(rule)} ${placeOf(finding)}  ${message} ${style.quiet(fingerprint)}`;
}

/** What failed, and what was found: the worst first. */
export function reportLines({ tests, findings }: ReportsView): string[] {
  const failing = tests?.failing ?? [];
  const isBad = ({ severity }: Finding): boolean => severity === "critical" || severity === "high";
  const found = (findings?.findings ?? []).filter(isBad);
  const bad = (findings?.counts.critical ?? 0) + (findings?.counts.high ?? 0);
  return [
    ...failing.slice(0, shown).flatMap(({ suite, name, message }) => [
      `  ${style.bad(sign.failed)} ${suite === "" ? "" : `${style.quiet(`${suite} ›`)} `}${name}`,
      ...message
        .split("\n")
        .slice(0, messageLines)
        .map((line) => `      ${line}`),
    ]),
    ...rest((tests?.failed ?? 0) - shown, "failing test"),
    ...found.slice(0, shown).map((finding) => findingLine(finding, style.bad(sign.failed))),
    ...rest(bad - shown, "bad finding"),
  ];
}

function rest(count: number, what: string): string[] {
  return count <= 0 ? [] : [style.quiet(`    and ${plural(count, `more ${what}`)}`)];
}
