import type { Failure } from "../../core/deploy/deployment.ts";
import type { EpochMs, RevisionId } from "../../core/ids.ts";
import type { Counts } from "../../core/judge/counts.ts";
import type { Verdict } from "../../core/judge/verdict.ts";
import type { RolloutSpec } from "../../core/product/spec.ts";
import { exitText, instanceOf, seenEvidence } from "../health/evidence.ts";
import { type HealthTargets, HealthWatch, type InstanceReport } from "../health/health-watch.ts";
import type { ServiceJudge } from "../judge/service-judge.ts";
import type { EdgeCounts } from "../traffic/counts.ts";
import type { World } from "../world.ts";
import type { Verified } from "./verify.ts";

export type Baked = Verified & {
  readonly stable: RevisionId | null;
  /** Stable's counts where its recent past begins. */
  readonly stableMark: Counts;
  readonly routed: boolean;
  /** Whether stable has a share of the traffic beside the candidate. */
  readonly stableServes: boolean;
  /** Goes on from watch to watch. */
  readonly judge: Pick<ServiceJudge, "look">;
  /** The candidate's counts before its first shift. */
  readonly mark: Counts;
};

/** What a watch looks through. */
export type BakeWorld = Pick<World, "clock" | "prober"> & {
  readonly targets: HealthTargets;
  readonly counts: Pick<EdgeCounts, "counted" | "countedBefore" | "ageMs" | "next">;
};

export type BakeInput = {
  readonly services: readonly Baked[];
  readonly rules: RolloutSpec["rules"];
  /** Exits before this do not count: the revision had no traffic yet. */
  readonly since: EpochMs;
  /** When the watch may end well; null: never by itself. */
  readonly until: EpochMs | null;
  /** The whole bake: a clock that was set back must not make it longer. */
  readonly bakeMs: number;
};

/** Longest wait between two looks at the rules; the edge's samples come at least this often. */
const lookMs = 100;
/** A sample older than this says nothing about now. */
const staleMs = 2_000;

/**
 * Watches candidates that have traffic. Resolves with the failure as soon as a rule is broken, or with a note for the
 * record when `until` has passed and every instance has been seen healthy in this watch.
 */
export async function bake(
  world: BakeWorld,
  input: BakeInput,
  signal: AbortSignal,
): Promise<Failure | { readonly note: string }> {
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  const running = input.services.filter((service) => service.kind !== "job");
  const watch = new HealthWatch(world, running, either);
  const samples = announceSamples(world, either);
  const endMs = endOf(world, input);
  try {
    for (;;) {
      const verdicts: Verdict[] = [];
      for (const service of running) {
        const reports = inTraffic(service, watch.report(service.revision));
        const health = input.rules.healthLost ? judgeHealth(service, reports, input.since) : null;
        if (health !== null && health.verdict.is === "fail") return failureOf(service, health.verdict, health.report);
        const counts = judgeCounts(world, service, input.rules);
        if (counts !== null && counts.is === "fail") return failureOf(service, counts, null);
        if (health !== null) verdicts.push(health.verdict);
        if (counts !== null) verdicts.push(counts);
      }
      const over = endMs !== null && world.clock.monotonicMs() >= endMs;
      // Unknown is not healthy: a watch that was cut short by a restart goes on until it has seen for itself.
      const sighted = !comparesCounts(input.rules) || seesCounts(world) || !running.some((service) => service.routed);
      if (
        over &&
        sighted &&
        running.every((service) => isSeenHealthy(service, inTraffic(service, watch.report(service.revision))))
      )
        return { note: noteOf(verdicts) };
      await Promise.race([watch.news(lookMs), samples.next()]);
    }
  } finally {
    stop.abort();
  }
}

/** On the clock that nobody sets: a jump of the wall clock under a bake neither ends it early nor holds it. */
function endOf({ clock }: BakeWorld, { until, bakeMs }: BakeInput): number | null {
  if (until === null) return null;
  return clock.monotonicMs() + Math.min(bakeMs, Math.max(0, until - clock.now()));
}

/** The next batch of a rolling deployment is only starting: that it does not answer yet is no health lost. */
function inTraffic(service: Baked, reports: readonly InstanceReport[]): readonly InstanceReport[] {
  return reports.filter(({ status }) => status.index < service.instances);
}

function judgeHealth(
  service: Baked,
  reports: readonly InstanceReport[],
  sinceAt: EpochMs,
): { readonly verdict: Verdict; readonly report: InstanceReport | null } {
  for (const report of reports) {
    const { status, health } = report;
    const exit = status.lastExit;
    const crashed = exit !== null && exit.at > sinceAt && status.state !== "stopped" && status.state !== "stopping";
    if (crashed) {
      const why = `${service.service} instance ${status.index} exited by itself after the switch: ${exitText(exit)}`;
      return { verdict: { is: "fail", code: "HEALTH_LOST", why, evidence: [] }, report };
    }
    if (health.is === "unhealthy" && health.failuresInRow >= service.health.retries) {
      const why = `${service.service} instance ${status.index} lost its health: ${health.failuresInRow} probes in a row failed`;
      return { verdict: { is: "fail", code: "HEALTH_LOST", why, evidence: [] }, report };
    }
  }
  const healthy = reports.filter(({ health }) => health.is === "healthy").length;
  return { verdict: { is: "pass", why: `${service.service} ${healthy}/${service.instances} healthy` }, report: null };
}

/** Errors and latency, candidate against stable. */
function judgeCounts(world: BakeWorld, service: Baked, rules: RolloutSpec["rules"]): Verdict | null {
  if (!comparesCounts(rules) || !service.routed) return null;
  if (!seesCounts(world)) return { is: "inconclusive", why: `${service.service}: the edge gives no counts` };
  const verdict = service.judge.look(service, world.counts, world.clock.monotonicMs());
  return verdict === null ? null : { ...verdict, why: `${service.service}: ${verdict.why}` };
}

function comparesCounts({ errorRatio, latency }: RolloutSpec["rules"]): boolean {
  return errorRatio !== null || (latency ?? null) !== null;
}

function seesCounts(world: BakeWorld): boolean {
  const age = world.counts.ageMs(world.clock.now());
  return age !== null && age <= staleMs;
}

function isSeenHealthy(service: Baked, reports: readonly InstanceReport[]): boolean {
  return reports.filter(({ health }) => health.is === "healthy").length >= service.instances;
}

/** Without log lines: traffic goes back first, and they are added before the candidate is removed. */
function failureOf(service: Baked, verdict: Extract<Verdict, { is: "fail" }>, report: InstanceReport | null): Failure {
  const evidence = [...verdict.evidence, ...seenEvidence(report)];
  return { code: verdict.code, message: verdict.why, evidence, service: service.service, ...instanceOf(report) };
}

function noteOf(verdicts: readonly Verdict[]): string {
  return verdicts.length === 0 ? "no rule is switched on" : verdicts.map((verdict) => verdict.why).join("; ");
}

/** Wakes at every new sample of the edge, without a pile of listeners when the other wake-up wins. */
function announceSamples(world: BakeWorld, signal: AbortSignal): { next(): Promise<void> } {
  let pending: Promise<void> | null = null;
  return {
    next: () => {
      pending ??= world.counts
        .next(signal)
        .then(() => {})
        .finally(() => {
          pending = null;
        });
      return pending;
    },
  };
}
