import type { DeploymentId } from "../../core/ids.ts";
import type { World } from "../world.ts";

/** By deployment: what it waits for, and what is seen of that. */
const all = new WeakMap<World["store"], Map<DeploymentId, Map<string, string>>>();

/**
 * What a deployment waits for at this moment, and what is seen of it, for who looks on; null: not any more. In memory only: whoever waits
 * after a restart says it again.
 */
export function nowAwaits(
  world: Pick<World, "store" | "changes">,
  deployment: DeploymentId,
  { what, seen }: { readonly what: string; readonly seen: string | null },
): void {
  const deployments = all.get(world.store) ?? new Map<DeploymentId, Map<string, string>>();
  all.set(world.store, deployments);
  const things = deployments.get(deployment) ?? new Map<string, string>();
  if (things.get(what) === (seen ?? undefined)) return;
  if (seen === null) things.delete(what);
  else things.set(what, seen);
  if (things.size === 0) deployments.delete(deployment);
  else deployments.set(deployment, things);
  world.changes.announce();
}

export function awaitedBy(
  { store }: Pick<World, "store">,
  deployment: DeploymentId,
): readonly { readonly what: string; readonly seen: string }[] {
  return [...(all.get(store)?.get(deployment) ?? [])].map(([what, seen]) => ({ what, seen }));
}
