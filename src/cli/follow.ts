import type { Client } from "../api/client.ts";
import type { DeploymentDetail, HistoryView, ServiceTraffic } from "../api/contract.ts";
import { catalogue } from "../core/errors/catalogue.ts";
import { SlipwayError } from "../core/errors/error.ts";
import type { Restore } from "../core/recover/restore.ts";
import { Away } from "./away.ts";
import { canaryLines } from "./canary-text.ts";
import { gateLines, mustNotWaitAtGates } from "./gates-text.ts";
import { evidenceLines, type Output } from "./output.ts";
import { LiveLines } from "./terminal/live.ts";
import { bar, sign, style, table } from "./terminal/style.ts";
import { ago, clockTime, percentOf, plural, took } from "./terminal/words.ts";
import { transferLines, transferTeller } from "./transfer-text.ts";

/**
 * Shows a deployment until it has ended, and returns it as it ended. Drawn in place on a terminal, a line a step elsewhere.
 * A step that somebody has just promoted (`from`) may still seem to wait. Outlives a restart of the control plane. Errors: TIMED_OUT, CONTROL_PLANE_DOWN, and not on a terminal
 * WAITS_FOR_PERSON, WAITS_FOR_APPROVAL.
 */
export async function followDeployment(
  reconnect: () => Promise<Client>,
  id: string,
  out: Output,
  { timeoutMs, from = null }: { readonly timeoutMs: number | null; readonly from?: number | null },
): Promise<DeploymentDetail> {
  const view = out.mode === "terminal" ? liveView() : plainView(out);
  const interrupt = new AbortController();
  const onInterrupt = (): void =>
    interrupt.abort(new SlipwayError("INTERRUPTED", { message: `${id} goes on without you` }));
  const timeout = timeoutMs === null ? [] : [AbortSignal.timeout(timeoutMs)];
  const signal = AbortSignal.any([interrupt.signal, ...timeout]);
  const away = new Away();
  process.once("SIGINT", onInterrupt);
  for (;;) {
    try {
      const client = await reconnect();
      for await (const detail of client.stream<DeploymentDetail>(`/v1/deployments/${id}/follow`, signal)) {
        away.over();
        view(detail);
        if (detail.ended) return detail;
        // Nobody is there to answer a script's question: it ends, and the canary stays as it is.
        if (out.mode !== "terminal") mustNotWaitAtGates(detail);
        if (out.mode !== "terminal" && (from === null || detail.canary?.step !== from)) mustNotWait(detail);
      }
    } catch (error) {
      interrupt.signal.throwIfAborted();
      if (signal.aborted)
        throw new SlipwayError("TIMED_OUT", { message: `${id} has not ended within ${took(timeoutMs ?? 0)}` });
      await away.wait(error);
    }
  }
}

function mustNotWait({ id, canary, reason, environment }: DeploymentDetail): void {
  const waits = canary?.waits ?? null;
  if (canary === null || waits === null || waits.for === "resume" || waits.for === "gates") return;
  const weight = canary.steps[(canary.step ?? 1) - 1]?.weight ?? 0;
  throw new SlipwayError("WAITS_FOR_PERSON", {
    message: `${id} waits for a person in ${environment}, at ${percentOf(weight)} of the traffic: ${reason}`,
    evidence: [[waits.for === "promotion" ? "passed" : "missing", waits.why]],
    hint: `go on: slipway promote-step ${environment}; or back: slipway cancel ${environment}`,
  });
}

function plainView(out: Output): (detail: DeploymentDetail) => void {
  let shown = 0;
  const awaited = new Set<string>();
  const tell = transferTeller((line) => out.line(line));
  return (detail) => {
    for (const entry of detail.history.slice(shown))
      out.line(`${clockTime(entry.at)}  ${detail.environment}  ${phaseOf(entry)}  ${entry.reason}`);
    shown = detail.history.length;
    tell(detail.environment, detail.transfers);
    for (const { what, seen } of detail.awaits) {
      if (awaited.has(what)) continue;
      awaited.add(what);
      out.line(`${clockTime(Date.now())}  ${detail.environment}  waiting  for ${what}: ${seen}`);
    }
    if (detail.ended) for (const line of endLines(detail)) out.line(line);
  };
}

function liveView(): (detail: DeploymentDetail) => void {
  const live = new LiveLines(process.stdout);
  return (detail) => {
    live.draw([
      ...stepLines(detail, Date.now()),
      ...gateLines(detail),
      ...(detail.ended
        ? []
        : [
            ...transferLines(detail.transfers),
            ...awaitedLines(detail),
            ...bakeLines(detail),
            ...trafficLines(detail.services),
          ]),
    ]);
    if (!detail.ended) return;
    live.done();
    // These stay, so they may wrap: a reason that is cut is no reason.
    live.print(endLines(detail));
  };
}

/** One line a step: what was done, how long it took, what was said. */
export function stepLines(detail: DeploymentDetail, now: number): string[] {
  const steps = detail.history.filter((entry) => entry.event !== "deployment.queued");
  const first = steps.findIndex((entry) => phaseOf(entry) === "shifting");
  const rows = steps.map((entry, index) => {
    if (isAside(entry)) return [`  ${asideSign(entry)} ${asideName(entry)}`, "", style.quiet(entry.reason)];
    const next = steps.slice(index + 1).find((later) => !isAside(later));
    const running = next === undefined && !detail.ended;
    const time = next === undefined ? (running ? style.quiet("…") : "") : style.quiet(took(next.at - entry.at));
    return [`  ${stepSign(phaseOf(entry), running)} ${phaseOf(entry)}`, time, style.quiet(entry.reason)];
  });
  if (detail.canary === null || first < 0) return table(rows);
  // The steps of a canary have lines of their own: what each of them was made of would fill the screen.
  const isFolded = (index: number): boolean =>
    index + 1 < steps.length && folded.has(phaseOf(steps[index] as HistoryView));
  return [
    ...table(rows.slice(0, first)),
    ...canaryLines(detail, now),
    ...table(rows.slice(first).filter((_, index) => !isFolded(first + index))),
  ];
}

/** What a rule saw meanwhile, or that a host is away, is no step, and takes no time. */
function isAside({ event }: HistoryView): boolean {
  return event.startsWith("rule.") || event.startsWith("host.");
}

function asideName({ event, actor, evidence }: HistoryView): string {
  return event.startsWith("rule.") ? actor : (evidence.find(([label]) => label === "host")?.[1] ?? "host");
}

function asideSign({ event }: HistoryView): string {
  if (event === "rule.fired") return style.bad(sign.failed);
  const isWarning = event === "rule.unmeasured" || (event.startsWith("host.") && event !== "host.answers");
  return isWarning ? style.warn(sign.warn) : style.good(sign.done);
}

const folded: ReadonlySet<string> = new Set(["starting", "verifying", "shifting", "watching", "waiting"]);

function stepSign(phase: string, running: boolean): string {
  if (phase === "failed" || phase === "rollback-failed") return style.bad(sign.failed);
  if (phase === "rolled-back" || phase === "unshifting" || phase === "restoring" || phase === "cancelled")
    return style.warn(sign.back);
  return running ? style.accent(sign.running) : style.good(sign.done);
}

function awaitedLines({ awaits }: DeploymentDetail): string[] {
  return awaits.map(({ what, seen }) => `    ${style.quiet("waiting for")} ${what}  ${style.quiet(seen)}`);
}

function bakeLines(detail: DeploymentDetail): string[] {
  const since = detail.history.findLast((entry) => phaseOf(entry) === "baking")?.at;
  if (detail.bakeUntil === null || since === undefined) return [];
  const total = detail.bakeUntil - since;
  const left = Math.max(0, detail.bakeUntil - Date.now());
  return [`    ${style.accent(bar(1 - left / Math.max(1, total)))} ${took(left)} left`];
}

export function trafficLines(services: readonly ServiceTraffic[]): string[] {
  return table(
    services.flatMap(({ service, limits, revisions }) =>
      revisions.map((revision) => [
        `    ${service}`,
        `r${revision.number}`,
        revision.role,
        revision.weight === null ? style.quiet("no traffic") : percentOf(revision.weight),
        instancesText(revision.instances, revision.role === "stable" ? limits : null),
        style.quiet(plural(revision.requests, "request")),
        revision.errors > 0 ? style.bad(plural(revision.errors, "error")) : "",
      ]),
    ),
  );
}

/** `2 instances (1–3)` where they come and go. What is away is not counted as running: nobody knows. */
function instancesText(instances: ServiceTraffic["revisions"][number]["instances"], limits: string | null): string {
  const running = instances.filter(({ state, lastSeen }) => state === "running" && lastSeen === null).length;
  const away = instances.flatMap(({ lastSeen }) => lastSeen ?? []);
  const sick = instances.filter(({ healthy, lastSeen }) => healthy === false && lastSeen === null).length;
  const there = `${plural(running, "instance")}${limits === null ? "" : ` (${limits})`}`;
  const seen = away.length === 0 ? [] : [`${away.length} away, last seen ${ago(Math.max(...away), Date.now())}`];
  const wrong = [...seen, ...(sick === 0 ? [] : [`${sick} unhealthy`])];
  if (wrong.length === 0) return there;
  return style.warn([...(running === 0 && away.length > 0 ? [] : [there]), ...wrong].join(", "));
}

export function endLines(detail: DeploymentDetail): string[] {
  const release = `r${detail.release.number} ${detail.release.version}`;
  const lines: string[] = [];
  switch (detail.phase) {
    case "succeeded":
      lines.push(`${style.good(sign.done)} ${style.name(release)} is live in ${detail.environment}${timesOf(detail)}`);
      break;
    case "rolled-back":
    case "cancelled": {
      const back = detail.stable === null ? "" : `; r${detail.stable.number} is live`;
      lines.push(
        `${style.warn(sign.back)} ${style.name(release)} ${detail.phase === "cancelled" ? "was cancelled" : "was taken back"}${back}${timesOf(detail)}`,
      );
      break;
    }
    default:
      lines.push(
        `${style.bad(sign.failed)} ${style.name(release)} ${detail.phase} in ${detail.environment}${stableText(detail)}`,
      );
  }
  if (detail.failure !== null && detail.failure.code !== "CANCELLED") {
    lines.push(
      ...evidenceLines([
        ["reason", `${detail.failure.code}: ${detail.failure.message}`],
        ...detail.failure.evidence,
        ["hint", detail.failure.hint ?? catalogue[detail.failure.code].hint],
      ]),
    );
  }
  return lines;
}

/** What is live after a deployment that failed. A service that was stopped first had to be started again: that is not untouched. */
function stableText({ stable, phase, restoredAt }: DeploymentDetail): string {
  if (stable === null) return "";
  return `; r${stable.number} is live${phase === "failed" && restoredAt === null ? ", untouched" : ""}`;
}

function timesOf(detail: DeploymentDetail): string {
  const { startedAt, liveAt, detectedAt, restoredAt, restore, canary } = detail;
  const parts: string[] = [];
  const failed = canary?.steps.find(({ end }) => end?.is === "failed");
  if (failed?.end != null && detectedAt !== null)
    parts.push(`caught at ${percentOf(failed.weight)} after ${took(detectedAt - failed.end.from)}`);
  if (startedAt !== null && liveAt !== null) parts.push(`all traffic after ${took(liveAt - startedAt)}`);
  if (liveAt !== null && detectedAt !== null) parts.push(`caught after ${took(detectedAt - liveAt)}`);
  if (detectedAt !== null && restoredAt !== null) parts.push(`back in ${took(restoredAt - detectedAt)}`);
  if (restore !== null) parts.push(restoredText(restore));
  return parts.length === 0 ? "" : style.quiet(` (${parts.join(", ")})`);
}

/** In a word where all budgets were kept; else which were not. */
export function restoredText({ tookMs, services }: Restore): string {
  const missed = services.filter(({ met }) => !met);
  if (missed.length === 0) return "restore time met";
  const each = missed.map(({ service, withinMs }) => `${service} within ${took(withinMs)}`).join(", ");
  return `restore time missed: ${tookMs === null ? "not restored" : took(tookMs)}, wanted ${each}`;
}

function phaseOf(entry: HistoryView): string {
  return entry.event.replace("deployment.", "");
}

/** The exit code a pipeline acts on. */
export function exitCodeOf(detail: DeploymentDetail): number {
  switch (detail.phase) {
    case "succeeded":
      return 0;
    case "rolled-back":
      return 3;
    case "failed":
      // Refused before any traffic, or kept because nothing was there before: failed, not taken back.
      return detail.stable === null || detail.liveAt === null ? 1 : 3;
    case "rollback-failed":
      return 4;
    default:
      return detail.failure === null ? 1 : catalogue[detail.failure.code].exit;
  }
}
