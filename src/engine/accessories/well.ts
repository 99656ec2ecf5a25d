import type { Evidence } from "../../core/errors/error.ts";
import type { RevisionId } from "../../core/ids.ts";
import { formatDuration } from "../../core/product/units.ts";
import { whyNotListening } from "../../lib/listens.ts";
import type { InstanceStatus } from "../../ports/target.ts";
import { exitText } from "../health/evidence.ts";
import type { World } from "../world.ts";

/** What crashes at its start does so within this. */
const lifeMs = 2_000;
/** A database may have a log to go through before it takes connections. */
export const wellDeadlineMs = 60_000;
const lookMs = 200;
const connectMs = 2_000;

/**
 * Waits until an accessory is well: it has lived for a while, takes connections at its port, and its image's own HEALTHCHECK, where
 * it has one, says so. Null when it is; else what was seen.
 */
export async function untilWell(
  world: Pick<World, "targets" | "clock">,
  revision: RevisionId,
  signal: AbortSignal,
): Promise<readonly Evidence[] | null> {
  const until = world.clock.monotonicMs() + wellDeadlineMs;
  let last = "it is not there";
  for (;;) {
    const [instance] = (await world.targets.observe({ revision })).flatMap(({ instances }) => instances);
    const seen = instance === undefined ? last : await whyNotWell(world, instance, signal);
    if (seen === null) return null;
    last = seen;
    const isLost = instance !== undefined && (instance.state === "crash-looping" || instance.health === "unhealthy");
    if (isLost) return [["seen", last]];
    if (world.clock.monotonicMs() >= until) return [["seen", `${last}, for ${formatDuration(wellDeadlineMs)}`]];
    await world.clock.sleep(lookMs, signal);
  }
}

async function whyNotWell(
  { targets, clock }: Pick<World, "targets" | "clock">,
  { id, state, health, address, startedAt, lastExit, restarts }: InstanceStatus,
  signal: AbortSignal,
): Promise<string | null> {
  const exit = lastExit === null ? "" : `, ${exitText(lastExit)}, ${restarts} restarts`;
  if (state !== "running") return `it is ${state}${exit}`;
  if (health !== undefined && health !== "healthy") return `its own HEALTHCHECK says ${health}`;
  if (startedAt === null || clock.now() - startedAt < lifeMs) return `it has only just started${exit}`;
  return address === null ? null : whyNotListening(await targets.reach(id, signal), connectMs, signal);
}
