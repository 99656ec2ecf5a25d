import type { Failure } from "../../core/deploy/deployment.ts";
import { isClear, judgeStep, type StepLook } from "../../core/deploy/step.ts";
import type { EpochMs, RevisionId } from "../../core/ids.ts";
import { type Counts, noCounts } from "../../core/judge/counts.ts";
import type { Verdict } from "../../core/judge/verdict.ts";
import type { RolloutSpec } from "../../core/product/spec.ts";
import { linkedSignal } from "../../lib/linked-signal.ts";
import { exitText, instanceOf, seenEvidence, whichInstance } from "../health/evidence.ts";
import { type HealthTargets, HealthWatch, type InstanceReport } from "../health/health-watch.ts";
import type { ServiceJudge } from "../judge/service-judge.ts";
import type { EdgeCounts } from "../traffic/counts.ts";
import type { World } from "../world.ts";
import { countsIn, judgeSynthetic, type StepMarks, type StepWatch, sendSynthetic } from "./step-watch.ts";
import type { Synthetic } from "./synthetic.ts";
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
  /** Both sides' counts when a canary's step began; absent elsewhere. */
  readonly stepMarks?: StepMarks;
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
  /** Ends well as soon as it is proven that the candidate is no worse. */
  readonly endsEarly?: boolean;
  /** Of a canary's step, which has more to show than the end of its time. */
  readonly step?: StepWatch;
};

/** How a watch ends: with a broken rule, well, or (a step) without what it is judged by. */
export type BakeEnd = Failure | { readonly note: string } | { readonly missing: string };

/** Longest wait between two looks at the rules, besides every sample of the edge, all news of health, and the end of the time. */
const lookMs = 1_000;
/** While requests of our own are sent: their answers are announced by nobody. */
const syntheticMs = 100;
/** An exit so far ahead of now is of a time before the clock was set back, or of a host that is far ahead: not of this watch. */
const aheadMs = 10_000;
/** A sample older than this says nothing about now. */
const staleMs = 2_000;

/**
 * Watches candidates that have traffic. Resolves with the failure as soon as a rule is broken, or with a note for the
 * record when `until` has passed and every instance has been seen healthy in this watch. A step of a canary also needs enough
 * requests and no open verdict; at its limit it resolves with what is missing.
 */
export async function bake(world: BakeWorld, input: BakeInput, signal: AbortSignal): Promise<BakeEnd> {
  const watching = linkedSignal([signal]);
  const running = input.services.filter((service) => service.kind !== "job");
  const watch = new HealthWatch(world, running, watching.signal);
  const samples = announceSamples(world, watching.signal);
  const synthetic = sendSynthetic(world, running, input.step ?? null, {
    instances: (service) => inTraffic(service, watch.report(service.revision)).map(({ status }) => status),
    signal: watching.signal,
  });
  const time = timeOf(world, input);
  const isOld = oldExits(world);
  try {
    for (;;) {
      const looks: StepLook[] = [];
      for (const service of running) {
        const look = lookAt(world, service, input, { watch, synthetic, isOld });
        if ("code" in look) return look;
        looks.push(look);
      }
      const end =
        input.step === undefined ? bakeEnd(world, input, looks, time) : stepEnd(looks, input, input.step, time);
      if (end !== null) return end;
      const dueMs = Math.min(synthetic === null ? lookMs : syntheticMs, ...time.dueMs());
      await watch.news(Math.max(1, dueMs), samples.next());
    }
  } finally {
    watching.end(over);
  }
}

/** What is seen of one service now, or the rule that it breaks. */
function lookAt(
  world: BakeWorld,
  service: Baked,
  input: BakeInput,
  {
    watch,
    synthetic,
    isOld,
  }: { readonly watch: HealthWatch; readonly synthetic: Synthetic | null; readonly isOld: IsOld },
): StepLook | Failure {
  const reports = inTraffic(service, watch.report(service.revision));
  const health = input.rules.healthLost ? judgeHealth(service, reports, { since: input.since, isOld }) : null;
  if (health !== null && health.verdict.is === "fail") return failureOf(service, health.verdict, health.report);
  const compared = judgeCounts(world, service, input.rules);
  if (compared !== null && compared.is === "fail") return failureOf(service, compared, null);
  const sent = synthetic?.of(service.revision) ?? noCounts;
  const standIn = seesCounts(world) ? judgeSynthetic(world.counts, service, input.rules, sent) : null;
  if (standIn !== null && standIn.is === "fail") return failureOf(service, standIn, null);
  const counted = compared?.is === "inconclusive" && standIn !== null ? standIn : compared;
  return {
    service: service.service,
    verdicts: [health?.verdict ?? null, counted].filter((verdict) => verdict !== null),
    healthy: reports.filter(({ health: seen }) => seen.is === "healthy").length,
    instances: service.instances,
    counts: service.routed ? { ...countsIn(world.counts, service), synthetic: sent } : null,
  };
}

/** A bake takes the probes' word where there were few requests: it has brought them all, and there are no more. */
function bakeEnd(world: BakeWorld, input: BakeInput, looks: readonly StepLook[], time: Time): BakeEnd | null {
  // Unknown is not healthy: a watch that was cut short by a restart goes on until it has seen for itself.
  const sighted =
    !comparesCounts(input.rules) || seesCounts(world) || !input.services.some((service) => service.routed);
  const healthy = looks.every((look) => look.healthy >= look.instances);
  const isOver = time.isOver() || (input.until !== null && input.endsEarly === true && isClear(looks));
  if (!isOver || !sighted || !healthy) return null;
  const verdicts = looks.flatMap((look) => look.verdicts);
  return {
    note: verdicts.length === 0 ? "no rule is switched on" : verdicts.map((verdict) => verdict.why).join("; "),
  };
}

function stepEnd(looks: readonly StepLook[], input: BakeInput, step: StepWatch, time: Time): BakeEnd | null {
  const isOver = time.isOver() || (input.endsEarly === true && isClear(looks));
  const verdict = judgeStep(looks, step, { isOver, isSpent: time.isSpent() });
  switch (verdict.is) {
    case "watch":
      return null;
    case "pass":
      return { note: verdict.note };
    case "unclear":
      return { missing: verdict.missing };
  }
}

/** `dueMs`: how long until either turns. */
type Time = { readonly isOver: () => boolean; readonly isSpent: () => boolean; readonly dueMs: () => number[] };

/** Made once: a reason that is made costs a stack each time. */
const over = new Error("the watch is over");

/** A look of our own, before a person is asked for what is only not known yet. */
const freshLookMs = 10_000;

/** On the clock that nobody sets: a jump of the wall clock under a bake neither ends it early nor holds it. */
function timeOf({ clock }: BakeWorld, { until, bakeMs, step }: BakeInput): Time {
  if (until === null) return { isOver: () => false, isSpent: () => false, dueMs: () => [] };
  const now = clock.monotonicMs();
  const endMs = now + Math.min(bakeMs, Math.max(0, until - clock.now()));
  const limitMs = step?.limitMs ?? 0;
  const leftMs = Math.min(bakeMs + limitMs, Math.max(Math.min(limitMs, freshLookMs), until + limitMs - clock.now()));
  const spentMs = now + leftMs;
  return {
    isOver: () => clock.monotonicMs() >= endMs,
    isSpent: () => clock.monotonicMs() >= spentMs,
    dueMs: () => [endMs, spentMs].map((atMs) => atMs - clock.monotonicMs()).filter((ms) => ms > 0),
  };
}

/** The next batch of a rolling deployment is only starting: that it does not answer yet is no health lost. */
function inTraffic(service: Baked, reports: readonly InstanceReport[]): readonly InstanceReport[] {
  return reports.filter(({ status }) => status.index < service.instances);
}

type IsOld = (status: InstanceReport["status"]) => boolean;

/** Tells the exits that were there when the watch began, and are of a time that has not come. */
function oldExits({ clock }: Pick<BakeWorld, "clock">): IsOld {
  const old = new Map<string, EpochMs | null>();
  return ({ id, lastExit }) => {
    const at = lastExit?.at ?? null;
    if (!old.has(id)) old.set(id, at !== null && at > clock.now() + aheadMs ? at : null);
    return at !== null && old.get(id) === at;
  };
}

function judgeHealth(
  service: Baked,
  reports: readonly InstanceReport[],
  { since, isOld }: { readonly since: EpochMs; readonly isOld: IsOld },
): { readonly verdict: Verdict; readonly report: InstanceReport | null } {
  for (const report of reports) {
    const { status, health } = report;
    const exit = status.lastExit;
    const isStopped = status.state === "stopped" || status.state === "stopping";
    if (!isOld(status) && exit !== null && exit.at > since && !isStopped) {
      const why = `${service.service} ${whichInstance(status)} exited by itself after the switch: ${exitText(exit)}`;
      return { verdict: { is: "fail", code: "HEALTH_LOST", why, evidence: [] }, report };
    }
    if (health.is === "unhealthy" && health.failuresInRow >= service.health.retries) {
      const why = `${service.service} ${whichInstance(status)} lost its health: ${health.failuresInRow} probes in a row failed`;
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
  const { requests, errors } = world.counts.counted(service.revision).counts;
  if (!Number.isFinite(requests + errors))
    return { is: "inconclusive", why: `${service.service}: its counts are no numbers` };
  const verdict = service.judge.look(service, world.counts, world.clock.monotonicMs());
  return verdict === null ? null : { ...verdict, why: `${service.service}: ${verdict.why}` };
}

function comparesCounts({ errorRatio, latency }: RolloutSpec["rules"]): boolean {
  return errorRatio !== null || (latency ?? null) !== null;
}

function seesCounts(world: BakeWorld): boolean {
  const age = world.counts.ageMs();
  return age !== null && age <= staleMs;
}

/** Without log lines: traffic goes back first, and they are added before the candidate is removed. */
function failureOf(service: Baked, verdict: Extract<Verdict, { is: "fail" }>, report: InstanceReport | null): Failure {
  const evidence = [...verdict.evidence, ...seenEvidence(report)];
  return { code: verdict.code, message: verdict.why, evidence, service: service.service, ...instanceOf(report) };
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
