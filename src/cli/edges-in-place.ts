import { reasonOf } from "../core/errors/error.ts";
import type { World } from "../engine/world.ts";

/** How long a start of the control plane waits for the edge. */
const edgeReadyMs = 3_000;

/**
 * What the edge does now is what the store says. An edge that is slow, or a listener that cannot be had, must not keep the
 * control plane from being asked what is wrong: the keeper goes on trying.
 */
export async function edgesInPlace({ edges, log, clock }: World): Promise<void> {
  const synced = edges.sync().catch((error: unknown) => log.error("edge.not-ready", { reason: reasonOf(error) }));
  await Promise.race([synced, clock.sleep(edgeReadyMs)]);
}
