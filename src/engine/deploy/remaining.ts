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

/**
 * The services whose stable side may not shrink in a step, because too few of what would be left of it are well. What only starts, such as what
 * takes the place of a lost host's instance, is waited for, as long as its own deadline allows; what is sick is not. `seen` is told all that runs
 * at that moment.
 */
export async function shortOfStable(
  world: World,
  course: Course,
  stage: number,
  { signal, seen }: { readonly signal: AbortSignal; readonly seen: (running: readonly RevisionStatus[]) => void },
): Promise<readonly Short[]> {
  if (course.stable === null) return [];
  const sides = course.rollouts
    .map((rollout) => ({ rollout, count: leftOfStable(course, stage, rollout) }))
    .filter(({ count }) => count > 0);
  if (sides.length === 0) return [];
  const checked = await verified(world, course, { release: course.stable, sides, side: "stable" });
  const watching = linkedSignal([signal]);
  const watch = new HealthWatch(world, checked, watching.signal);
  const begunMs = world.clock.monotonicMs();
  try {
    for (;;) {
      const tookMs = world.clock.monotonicMs() - begunMs;
      const looks = checked.map((service) => ({ service, reports: leftIn(service, watch.report(service.revision)) }));
      const isOpen = looks.some(
        ({ service, reports }) =>
          tookMs < service.health.deadlineMs &&
          (watch.running.length === 0 || reports.some((report) => isStarting(world, service, report))),
      );
      if (!isOpen) {
        seen(watch.running);
        return looks.flatMap(({ service, reports }): Short[] => {
          const rollout = sides.find((side) => side.rollout.service === service.service)?.rollout;
          const well = reports.filter(({ health }) => health.is === "healthy").length;
          if (rollout === undefined || well >= neededOfStable(course, stage, rollout)) return [];
          return [{ service: service.service, left: service.instances, well }];
        });
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

/** Nothing is known of it yet, or it has begun a moment ago, and not because it had ended by itself. */
function isStarting({ clock }: World, { health }: Verified, { status, health: seen }: InstanceReport): boolean {
  if (status.state !== "running" || seen.is === "healthy") return false;
  if (seen.is === "unknown") return true;
  const { startedAt, lastExit } = status;
  const isYoung = startedAt !== null && clock.now() - startedAt < health.deadlineMs;
  return isYoung && (lastExit === null || lastExit.at < startedAt - health.deadlineMs);
}
