import type { EnvironmentName } from "../../core/ids.ts";
import type { World } from "../world.ts";

const busy = new WeakMap<World["store"], Set<string>>();

type Accessory = { readonly environment: EnvironmentName; readonly name: string };

/** While somebody restarts or replaces it, nobody else starts it. Deployments wait for the environment's lock anyway. */
export async function whileBusy<T>(
  { store }: Pick<World, "store">,
  accessory: Accessory,
  work: () => Promise<T>,
): Promise<T> {
  const keys = busy.get(store) ?? new Set();
  busy.set(store, keys);
  keys.add(keyOf(accessory));
  try {
    return await work();
  } finally {
    keys.delete(keyOf(accessory));
  }
}

export function isBusy({ store }: Pick<World, "store">, accessory: Accessory): boolean {
  return busy.get(store)?.has(keyOf(accessory)) === true;
}

function keyOf({ environment, name }: Accessory): string {
  return `${environment}/${name}`;
}
