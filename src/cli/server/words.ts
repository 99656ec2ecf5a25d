import { type Audit, type ScriptEvent, worstOf } from "../../core/server/report.ts";
import type { Finding, FindingIs } from "../../core/server/step.ts";
import { steps } from "../../core/server/steps.ts";
import type { OutsideFinding } from "../../engine/server/outside.ts";
import { pad, sign, style, width } from "../terminal/style.ts";

const signs: Readonly<Record<FindingIs, string>> = {
  ok: style.good(sign.done),
  note: style.warn(sign.warn),
  missing: style.accent(sign.waiting),
  blocked: style.bad(sign.failed),
  refused: style.bad(sign.failed),
};

const titleWidth = Math.max(...steps.map((step) => width(step.title)));

/** Every step with its evidence, hints under their line. */
export function auditLines(audit: Audit): string[] {
  return audit.steps.flatMap(({ title, findings }) => findingLines(title, findings));
}

/** The same, and why for each step that will be changed. */
export function planLines(audit: Audit): string[] {
  return audit.steps.flatMap(({ title, why, findings }) => [
    ...findingLines(title, findings),
    ...(worstOf(findings) === "missing" ? [`    ${style.quiet(`why   ${why}`)}`] : []),
  ]);
}

export function outsideLines(found: readonly OutsideFinding[]): string[] {
  return found.flatMap((finding) => findingLines(`From here: ${finding.about}`, [finding]));
}

/** What is worth a line while it happens: apt's own words only when something fails, which the error then shows. */
export function eventLines(event: ScriptEvent): string[] {
  switch (event.is) {
    case "begin":
      return [`${style.accent(sign.running)} ${titleOf(event.step)}`];
    case "log":
      return /^(?:wrote|added|taken back) /.test(event.line) ? [`    ${style.quiet(event.line)}`] : [];
    case "done":
      return event.code === 0 ? [] : [`${style.bad(sign.failed)} ${titleOf(event.step)} failed`];
    case "skipped":
      return [`${style.warn(sign.warn)} ${titleOf(event.step)} is left out: it needs ${titleOf(event.needs)}`];
    case "finding":
    case "fact":
      return [];
  }
}

function findingLines(title: string, findings: readonly Finding[]): string[] {
  return findings.flatMap((finding, index) => [
    `${signs[finding.is]} ${pad(index === 0 ? style.name(title) : "", titleWidth)}  ${finding.evidence}`,
    ...(finding.hint === null ? [] : [`    ${style.quiet(`hint  ${finding.hint}`)}`]),
  ]);
}

function titleOf(id: string): string {
  return steps.find((step) => step.id === id)?.title ?? id;
}
