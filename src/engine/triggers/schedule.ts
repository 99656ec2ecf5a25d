import { isSlipwayError } from "../../core/errors/error.ts";
import type { Json } from "../../core/ids.ts";
import type { Workflow } from "../../ports/engine.ts";
import type { World } from "../world.ts";
import { recordEvents } from "./record.ts";

/** A time of a schedule is an event like any other: the same time is heard once. */
export function scheduleWorkflow(
  world: World,
): Workflow<{ readonly product: string; readonly schedule: string }, Json> {
  return async (ctx, { product, schedule }) =>
    ctx.step("record", async () => {
      try {
        const heard = { product, source: "schedule", delivery: ctx.workflowId, digest: null } as const;
        return (await recordEvents(world, heard, [{ is: "schedule", schedule }])).map(({ id }) => id);
      } catch (error) {
        // Taken away meanwhile.
        if (isSlipwayError(error) && error.code === "NOT_FOUND") return null;
        throw error;
      }
    });
}
