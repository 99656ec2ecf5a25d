import type { Failure } from "../../core/deploy/deployment.ts";
import type { ServiceSpec } from "../../core/product/spec.ts";
import { formatDuration } from "../../core/product/units.ts";
import { linkedSignal } from "../../lib/linked-signal.ts";
import type { RevisionStatus } from "../../ports/target.ts";
import { exitText, instanceOf, seenEvidence, whichInstance } from "../health/evidence.ts";
import { HealthWatch, type InstanceReport, type Watched } from "../health/health-watch.ts";
import type { World } from "../world.ts";

export type Verified = Watched & {
  readonly kind: ServiceSpec["kind"];
  /** Only the instances from this index on are looked at; absent: all. */
  readonly from?: number;
};

/** Longest wait between looks when nothing is announced. */
const lookMs = 1_000;
/** What lives without being asked is looked at by the clock: that its start period is over is announced by nobody. */
const byLifeMs = 50;

/**
 * Waits until every instance has been healthy, and every job has ended well. Null when so; else why not: the deadline
 * passed, a process crashes again and again, a job failed. The deadline counts from this call. `ready` is told all that runs at the moment at
 * which it is so.
 */
export async function verify(
  world: World,
  services: readonly Verified[],
  signal: AbortSignal,
  ready: (running: readonly RevisionStatus[]) => void = () => {},
): Promise<Failure | null> {
  const watching = linkedSignal([signal]);
  const watch = new HealthWatch(world, services, watching.signal);
  const started = world.clock.monotonicMs();
  try {
    for (;;) {
      const tookMs = world.clock.monotonicMs() - started;
      const states = services.map((service) => ({ service, reports: reportsOf(watch, service) }));
      for (const { service, reports } of states) {
        const failure = failureOf(service, reports, tookMs);
        if (failure !== null) return failure;
      }
      if (states.every(({ service, reports }) => isReady(service, reports))) {
        ready(watch.running);
        return null;
      }
      // That a deadline is over is announced by nobody either.
      const deadlineMs = Math.min(...services.map(({ health }) => health.deadlineMs)) - tookMs;
      const isByLife = services.some(({ kind, health }) => kind !== "job" && health.path === null);
      await watch.news(Math.max(1, Math.min(isByLife ? byLifeMs : lookMs, deadlineMs > 0 ? deadlineMs : lookMs)));
    }
  } finally {
    watching.end(over);
  }
}

/** Made once: a reason that is made costs a stack each time. */
const over = new Error("the watch is over");

function reportsOf(watch: HealthWatch, { revision, from = 0 }: Verified): readonly InstanceReport[] {
  return watch.report(revision).filter(({ status }) => status.index >= from);
}

function isReady(service: Verified, reports: readonly InstanceReport[]): boolean {
  if (service.kind === "job")
    return reports.some(({ status }) => status.state === "exited" && status.lastExit?.code === 0);
  return reports.filter(({ health }) => health.is === "healthy").length >= service.instances - (service.from ?? 0);
}

/** It lives, and nothing listens where it was asked to: most often it has a port of its own. */
function isDeaf(report: InstanceReport | null): boolean {
  return report?.status.state === "running" && report.health.last?.saw.startsWith("connection refused") === true;
}

function failureOf(service: Verified, reports: readonly InstanceReport[], tookMs: number): Failure | null {
  const fail = (code: Failure["code"], message: string, report: InstanceReport | null): Failure => ({
    code,
    message,
    evidence: seenEvidence(report),
    service: service.service,
    ...instanceOf(report),
  });
  if (service.kind === "job") {
    const ended = reports.find(({ status }) => status.state === "exited" && status.lastExit?.code !== 0);
    if (ended?.status.lastExit != null) {
      return fail("JOB_FAILED", `job ${service.service} failed: ${exitText(ended.status.lastExit)}`, ended);
    }
  }
  const looping = reports.find(({ status }) => status.state === "crash-looping");
  if (looping?.status.lastExit != null) {
    const which = `${service.service} ${whichInstance(looping.status)}`;
    const message = `${which} crashes again and again: ${exitText(looping.status.lastExit)}, ${looping.status.restarts} restarts`;
    return fail("CRASH_LOOP", message, looping);
  }
  if (tookMs >= service.health.deadlineMs && !isReady(service, reports)) {
    const sick = reports.find(({ health }) => health.is !== "healthy") ?? null;
    const what = service.kind === "job" ? "had not ended" : "was not healthy";
    const where = sick === null || sick.status.host === null ? "" : `, ${whichInstance(sick.status)}`;
    const message = `${service.service} ${what} within ${formatDuration(service.health.deadlineMs)}${where}`;
    const failure = fail("PROBE_DEADLINE", message, sick);
    return isDeaf(sick)
      ? { ...failure, hint: `have ${service.service} listen on the port that it is told in PORT` }
      : failure;
  }
  return null;
}
