import type { RunDetail, RunView, StepView } from "../api/contract.ts";
import { catalogue } from "../core/errors/catalogue.ts";
import type { StepPhase } from "../core/pipeline/decide.ts";
import { evidenceLines } from "./output.ts";
import { reportLines, reportsText, scanLines } from "./report-text.ts";
import { sign, style, table } from "./terminal/style.ts";
import { took } from "./terminal/words.ts";
import { transferLines } from "./transfer-text.ts";

/** Lines of a failed step's log that are shown under it. */
const shownLines = 12;
/** Lines that a view in place leaves to the rest of the terminal. */
const spareRows = 6;

const signs: Readonly<Record<StepPhase, () => string>> = {
  waiting: () => style.quiet(sign.waiting),
  running: () => style.accent(sign.running),
  passed: () => style.good(sign.done),
  restored: () => style.good("≡"),
  failed: () => style.bad(sign.failed),
  skipped: () => style.quiet("–"),
  cancelled: () => style.warn("–"),
};

/** A run as a table: a line a step. With more steps than rows, those that say least are counted instead. */
export function runLines(run: RunDetail, now: number, { rows }: { readonly rows: number }): string[] {
  const head = `${style.name(run.id)} ${style.quiet(run.commit.slice(0, 7))} ${run.endedAt === null ? style.quiet(run.reason) : ""}`;
  const shown = shortened(run.steps, Math.max(4, rows - spareRows));
  const folded = run.steps.filter((step) => !shown.includes(step));
  return [
    head.trimEnd(),
    ...table(shown.map((step) => stepRow(step, now))),
    ...foldedLines(folded),
    ...transferLines(run.transfers),
  ];
}

function stepRow(step: StepView, now: number): string[] {
  const time = step.startedAt === null ? "" : took((step.endedAt ?? now) - step.startedAt);
  const allowed = step.phase === "failed" && step.allowFailure;
  const mark = allowed ? style.warn(sign.warn) : signs[step.phase]();
  return [`  ${mark} ${stepName(step)}`, style.quiet(time), sayingOf(step)];
}

function sayingOf(step: StepView): string {
  switch (step.phase) {
    case "running":
      return style.quiet(step.lastLine ?? "");
    case "failed":
      return step.allowFailure ? style.warn(`${step.reason}, which is allowed`) : style.bad(step.reason);
    case "skipped":
      return style.quiet(`left out: ${step.reason}`);
    case "cancelled":
      return style.warn(step.reason);
    default:
      return style.quiet(
        [step.reason, step.reports === null ? "" : reportsText(step.reports)].filter((part) => part !== "").join(", "),
      );
  }
}

/** What is most worth a line comes first when there are too few; the order stays that of the plan. */
const worth: readonly StepPhase[] = ["failed", "running", "cancelled", "waiting", "passed", "restored", "skipped"];

function shortened(steps: readonly StepView[], most: number): readonly StepView[] {
  if (steps.length <= most) return steps;
  const chosen = new Set(
    steps.toSorted((a, b) => worth.indexOf(a.phase) - worth.indexOf(b.phase) || a.number - b.number).slice(0, most - 1),
  );
  return steps.filter((step) => chosen.has(step));
}

function foldedLines(folded: readonly StepView[]): string[] {
  if (folded.length === 0) return [];
  const counts = worth.flatMap((phase) => {
    const count = folded.filter((step) => step.phase === phase).length;
    return count === 0 ? [] : [`${count} ${wordOf(phase)}`];
  });
  return [style.quiet(`  … and ${counts.join(", ")}`)];
}

export function stepName({ id }: Pick<StepView, "id">): string {
  return id;
}

/** For a line by itself: `passed in 1.2 s`, `failed after 3 s: exit code 1`. */
export function stepEndText(step: StepView): string {
  const time = step.startedAt === null || step.endedAt === null ? "" : took(step.endedAt - step.startedAt);
  switch (step.phase) {
    case "passed":
      return `passed in ${time}${step.reason === "" ? "" : ` ${step.reason}`}`;
    case "failed":
      return `failed after ${time}: ${step.reason}${step.allowFailure ? " (allowed)" : ""}`;
    case "running":
      return "begun";
    default:
      return [wordOf(step.phase), step.reason].filter((part) => part !== "").join(": ");
  }
}

function wordOf(phase: StepPhase): string {
  return phase === "skipped" ? "left out" : phase;
}

/** How a run ended: the last lines of what failed, and one line for all. */
export function runEndLines(run: RunDetail): string[] {
  const failed = run.steps.filter(({ phase }) => phase === "failed");
  const lines = failed.flatMap((step) => failedLines(run, step));
  const scans = run.steps.filter(({ phase, scan }) => phase === "passed" && scan !== null);
  return [...lines, ...scans.flatMap(scannedLines), ...artifactLines(run), ...endLines(run)];
}

function artifactLines({ id, steps }: RunDetail): string[] {
  const all = steps.filter(({ artifacts }) => artifacts !== null).map(({ id: name }) => name);
  if (all.length === 0) return [];
  return ["", style.quiet(`to look at what ${all.join(", ")} left: slipway run artifacts ${id}`)];
}

function failedLines(run: RunDetail, step: StepView): string[] {
  if (step.allowFailure) return step.scan === null ? [] : scannedLines(step);
  return [
    "",
    `${style.bad(sign.failed)} ${style.name(step.id)}  ${step.reason}${step.reports === null ? "" : style.quiet(`, ${reportsText(step.reports)}`)}`,
    ...(step.scan !== null ? scanLines(step.scan) : step.reports === null ? [] : reportLines(step.reports)),
    ...step.lines.slice(-shownLines).map((line) => `  ${style.quiet("│")} ${line}`),
    `  ${style.quiet(`all of it: slipway logs --run ${run.id} --step ${step.id}`)}`,
  ];
}

/** Of a scan that has passed: what it was let pass by. */
function scannedLines({ id, scan }: StepView): string[] {
  const lines = scan === null ? [] : scanLines(scan);
  return lines.length === 0 ? [] : ["", `${style.warn(sign.warn)} ${style.name(id)}  ${scan?.says ?? ""}`, ...lines];
}

function endLines(run: RunDetail): string[] {
  if (run.endedAt === null || run.steps.length === 0) return [];
  const time = style.quiet(`(${took(run.endedAt - run.createdAt)})`);
  const counts = countsText(run);
  if (run.phase === "succeeded")
    return ["", `${style.good(sign.done)} ${style.name(run.id)} passed: ${counts} ${time}`];
  const known = run.error !== null && run.error.code !== "PIPELINE_FAILED" ? run.error : null;
  return [
    "",
    `${style.bad(sign.failed)} ${style.name(run.id)} failed: ${counts} ${time}`,
    ...(known === null
      ? []
      : evidenceLines([
          ["reason", `${known.code}: ${known.message}`],
          ...known.evidence,
          ["hint", known.hint ?? catalogue[known.code].hint],
        ])),
  ];
}

/** `11 passed, 1 failed`. */
export function countsText({ counts }: Pick<RunView, "counts">): string {
  const order: readonly StepPhase[] = ["passed", "restored", "failed", "cancelled", "running", "waiting", "skipped"];
  const parts = order.flatMap((phase) => {
    const count = counts[phase] ?? 0;
    return count === 0 ? [] : [`${count} ${wordOf(phase)}`];
  });
  return parts.length === 0 ? "no steps" : parts.join(", ");
}
