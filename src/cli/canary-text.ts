import type { CanaryView } from "../api/canary-view.ts";
import type { DeploymentView } from "../api/contract.ts";
import { bar, sign, style, table } from "./terminal/style.ts";
import { percentOf, took } from "./terminal/words.ts";

/** One line a step of a canary: done and how, under way, to come. */
export function canaryLines(detail: Pick<DeploymentView, "canary" | "ended" | "environment">, now: number): string[] {
  const { canary } = detail;
  if (canary === null) return [];
  const count = canary.steps.length;
  const rows = canary.steps.map(({ weight, end }, index) => [
    `  ${stepSign(canary, index, detail.ended)} ${percentOf(weight)}`,
    style.quiet(`step ${index + 1} of ${count}`),
    end === null ? "" : style.quiet(took(end.to - end.from)),
    end === null ? (canary.step === index + 1 ? nowText(canary, now) : "") : style.quiet(end.note),
  ]);
  return [...table(rows), ...waitLines(detail)];
}

function stepSign({ steps, step, waits }: CanaryView, index: number, ended: boolean): string {
  const end = steps[index]?.end ?? null;
  if (end?.is === "failed") return style.bad(sign.failed);
  if (end?.is === "cancelled") return style.warn(sign.back);
  if (end !== null) return style.good(sign.done);
  if (ended || step !== index + 1) return style.quiet(sign.waiting);
  return waits === null ? style.accent(sign.running) : style.warn(sign.warn);
}

/** The step is younger than its end, so its beginning is what is left of the bar. */
function nowText({ watchedUntil, watchMs, waits }: CanaryView, now: number): string {
  if (waits !== null) return style.warn(waitText(waits));
  if (watchedUntil === null) return "";
  const leftMs = Math.max(0, watchedUntil - now);
  if (leftMs === 0) return style.accent("its time is over; it is watched until it can be judged");
  return `${style.accent(bar(1 - leftMs / Math.max(1, watchMs ?? leftMs), 10))} ${took(leftMs)} left`;
}

function waitText({ for: what, why }: NonNullable<CanaryView["waits"]>): string {
  switch (what) {
    case "resume":
      return why;
    case "promotion":
      return `passed: ${why}`;
    case "gates":
      return `over: ${why}`;
    case "evidence":
      return `cannot be judged: ${why}`;
  }
}

/** What a person may type now. */
function waitLines({ canary, environment }: Pick<DeploymentView, "canary" | "environment">): string[] {
  // What opens gates is said with them.
  if (canary?.waits == null || canary.waits.for === "gates") return [];
  const promote = `next step: slipway promote-step ${environment}`;
  const cancel = `back: slipway cancel ${environment}`;
  const resume = `${canary.waits.for === "evidence" ? "look again" : "go on"}: slipway resume ${environment}`;
  const ways = canary.waits.for === "promotion" ? [promote, cancel] : [resume, promote, cancel];
  return [`  ${style.warn(`${sign.warn} waits for a person`)}  ${ways.join("  ·  ")}`];
}

/** `watching 5 % (2 of 4)`: a phase with where it is. */
export function phaseText({ phase, canary }: Pick<DeploymentView, "phase" | "canary">): string {
  if (canary?.step == null) return phase;
  return `${phase} ${percentOf(canary.steps[canary.step - 1]?.weight ?? 0)} (${canary.step} of ${canary.steps.length})`;
}
