import { leftOfStable, neededOfStable, type Short } from "../../core/deploy/capacity.ts";
import type { Course } from "../../core/deploy/deployment.ts";
import { linkedSignal } from "../../lib/linked-signal.ts";
import type { RevisionStatus } from "../../ports/target.ts";
import { HealthWatch, type InstanceReport } from "../health/health-watch.ts";
import type { World } from "../world.ts";
import { verified } from "./sides.ts";
import type { Verified } from "./verify.ts";

/** Longest wait between looks: that a start has had its time is announced by nobody. */
const lookMs = 1_000;

type Looking = {
  /** Have been healthy: a wait ends when one of them is not any more. */
  readonly candidates: readonly Verified[];
  /** Waits for what only starts; else only until something is known of each. */
  readonly patient: boolean;
  readonly signal: AbortSignal;
  /** Told all that runs at the moment of the answer. */
  readonly seen: (running: readonly RevisionStatus[]) => void;
};

/**
 * The services whose stable side may not shrink in a step, because too few of what would be left of it are well. What only starts, such as what
 * takes the place of a lost host's instance, is waited for, as long as its own deadline allows; what is sick is not. `waited`: for so long that
 * what was known of others before may be over.
 */
export async function shortOfStable(
  world: World,
  course: Course,
  stage: number,
  { candidates, patient, signal, seen }: Looking,
): Promise<{ readonly short: readonly Short[]; readonly waited: boolean }> {
  const none = { short: [], waited: false };
  if (course.stable === null) return none;
  const sides = course.rollouts
    .map((rollout) => ({ rollout, count: leftOfStable(course, stage, rollout) }))
    .filter(({ count }) => count > 0);
  if (sides.length === 0) return none;
  const checked = await verified(world, course, { release: course.stable, sides, side: "stable" });
  const watching = linkedSignal([signal]);
  const watch = new HealthWatch(world, [...checked, ...candidates], watching.signal);
  const begunMs = world.clock.monotonicMs();
  try {
    for (;;) {
      const tookMs = world.clock.monotonicMs() - begunMs;
      const looks = checked.map((service) => ({ service, reports: leftIn(service, watch.report(service.revision)) }));
      const isLost = candidates.some((each) => each.kind !== "job" && watch.report(each.revision).some(isUnwell));
      const isOpen =
        !isLost &&
        looks.some(
          ({ service, reports }) =>
            tookMs < service.health.deadlineMs &&
            (watch.running.length === 0 ||
              reports.some((report) => isUnknown(report) || (patient && isStarting(world, service, report)))),
        );
      if (!isOpen) {
        seen(watch.running);
        const short = looks.flatMap(({ service, reports }): readonly Short[] => {
          const rollout = sides.find((side) => side.rollout.service === service.service)?.rollout;
          const well = reports.filter(({ health }) => health.is === "healthy").length;
          if (rollout === undefined || well >= neededOfStable(course, stage, rollout)) return [];
          return [{ service: service.service, left: service.instances, well }];
        });
        return { short, waited: patient && (isLost || tookMs > lookMs) };
      }
      await watch.news(lookMs);
    }
  } finally {
    watching.end(over);
  }
}

/** Made once: a reason that is made costs a stack each time. */
const over = new Error("the watch is over");

function leftIn(service: Verified, reports: readonly InstanceReport[]): readonly InstanceReport[] {
  return reports.filter(({ status }) => status.index < service.instances);
}

const isUnwell = ({ status, health }: InstanceReport): boolean =>
  status.state !== "running" || health.is === "unhealthy";

const isUnknown = ({ status, health }: InstanceReport): boolean =>
  status.state === "running" && health.is === "unknown";

/** It has begun a moment ago, and not because it had ended by itself. */
function isStarting({ clock }: World, { health }: Verified, { status, health: seen }: InstanceReport): boolean {
  if (status.state !== "running" || seen.is === "healthy") return false;
  const { startedAt, lastExit } = status;
  const isYoung = startedAt !== null && clock.now() - startedAt < health.deadlineMs;
  return isYoung && (lastExit === null || lastExit.at < startedAt - health.deadlineMs);
}
