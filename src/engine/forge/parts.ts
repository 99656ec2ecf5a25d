import type { World } from "../world.ts";
import { CheckDesk } from "./check-desk.ts";
import { Forges } from "./forges.ts";
import { Reporter } from "./reporter.ts";

/** Everything that speaks to forges by itself, from now until it is closed. */
export function tellForges(world: World): { close(): Promise<void> } {
  const forges = new Forges(world);
  const parts = [new Reporter(world, forges), new CheckDesk(world, forges)];
  for (const part of parts) part.open();
  return {
    close: async () => {
      await Promise.all(parts.map((part) => part.close()));
    },
  };
}
