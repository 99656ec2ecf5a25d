import type { ReportsView } from "../api/contract.ts";
import { sign, style } from "./terminal/style.ts";
import { plural } from "./terminal/words.ts";

/** Failing tests and findings that are shown under a failed step. */
const shown = 10;
const messageLines = 6;

/** In a few words: `42 tests, 1 failed, 87.5 % of lines, 3 findings`. */
export function reportsText({ tests, coverage, findings, problems }: ReportsView): string {
  const parts = [
    ...(tests === null ? [] : [plural(tests.tests, "test")]),
    ...(tests === null || tests.failed === 0 ? [] : [`${tests.failed} failed`]),
    ...(tests === null || tests.skipped === 0 ? [] : [`${tests.skipped} skipped`]),
    ...(coverage === null || coverage.lines === 0
      ? []
      : [`${((100 * coverage.covered) / coverage.lines).toFixed(1)} % of lines`]),
    ...(findings === null ? [] : [plural(findings.errors + findings.warnings + findings.notes, "finding")]),
    ...problems,
  ];
  return parts.join(", ");
}

/** What failed, and what was found: the worst first. */
export function reportLines({ tests, findings }: ReportsView): string[] {
  const failing = tests?.failing ?? [];
  const found = (findings?.findings ?? []).filter(({ level }) => level === "error");
  return [
    ...failing.slice(0, shown).flatMap(({ suite, name, message }) => [
      `  ${style.bad(sign.failed)} ${suite === "" ? "" : `${style.quiet(`${suite} ›`)} `}${name}`,
      ...message
        .split("\n")
        .slice(0, messageLines)
        .map((line) => `      ${line}`),
    ]),
    ...rest((tests?.failed ?? 0) - shown, "failing test"),
    ...found
      .slice(0, shown)
      .map(({ rule, message, file, line }) =>
        `  ${style.bad(sign.failed)} ${style.quiet(file === null ? "" : `${file}${line === null ? "" : `:${line}`}`)} ${message} ${style.quiet(rule)}`.trimEnd(),
      ),
    ...rest((findings?.errors ?? 0) - shown, "error"),
  ];
}

function rest(count: number, what: string): string[] {
  return count <= 0 ? [] : [style.quiet(`    and ${plural(count, `more ${what}`)}`)];
}
