import type { Deployment, Failure } from "../../core/deploy/deployment.ts";
import { noCounts } from "../../core/judge/counts.ts";
import { stableFailsToo } from "../../core/judge/second-look.ts";
import { releaseView } from "../release/read.ts";
import type { EdgeSite } from "../traffic/sites.ts";
import type { World } from "../world.ts";

/** Users are on stable by then, and nobody waits for this but the next deployment. */
const longestMs = 3_000;
/** After so many answers more of them change nothing. */
const enough = 200;

/**
 * What speaks for a release that was taken back for its answers after all traffic had come to it: it was compared with what stable was like
 * before, so what both need and what broke only after the switch looks like its fault. Stable has the traffic again, and is looked at for
 * a moment. Null where nothing speaks for it. Changes nothing, may be repeated; rejects when it is aborted.
 */
export async function doubtOf(
  world: Pick<World, "store" | "clock" | "edges">,
  { course, shifted, marks }: Deployment,
  { code, service }: Failure,
  signal: AbortSignal,
): Promise<string | null> {
  const rollout = course.rollouts.find((each) => each.service === service);
  const stable = rollout?.stable ?? null;
  if (stable === null || rollout?.routed !== true || rollout.candidate === null) return null;
  // Beside stable they were compared with each other at the same time.
  if ((code !== "ERROR_RATIO" && code !== "LATENCY") || shifted < course.stages.length) return null;
  const { spec } = await releaseView(world.store.db, course.release, course.environment);
  const rule = spec.rollout.rules.errorRatio;
  if (rule === null) return null;
  const { counts } = world.edges.of(spec.edge);
  const back = counts.of(stable);
  const endMs = world.clock.monotonicMs() + longestMs;
  for (;;) {
    const now = counts.of(stable);
    const said = stableFailsToo({ mark: marks[stable] ?? noCounts, back, now }, rule);
    const leftMs = endMs - world.clock.monotonicMs();
    if (said !== null || leftMs <= 0 || now.requests - back.requests >= enough) return said;
    await nextLook(world, counts, leftMs, signal);
  }
}

/** The next sample of the edge, or the end of the time where none comes. */
async function nextLook(
  { clock }: Pick<World, "clock">,
  counts: EdgeSite["counts"],
  ms: number,
  signal: AbortSignal,
): Promise<void> {
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  const waits = [counts.next(either), clock.sleep(ms, either)];
  try {
    await Promise.race(waits);
  } finally {
    stop.abort(new Error("looked"));
    await Promise.allSettled(waits);
  }
}
