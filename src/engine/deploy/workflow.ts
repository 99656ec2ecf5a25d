import { effectOf } from "../../core/deploy/decide.ts";
import { deploymentId, type Json } from "../../core/ids.ts";
import type { Workflow } from "../verbs.ts";
import type { World } from "../world.ts";
import { perform } from "./perform.ts";
import { recordBegin, recordEvent } from "./record.ts";

/** Carries its version: work in flight goes on with the code that began it. */
export const deployKind = "deploy.v1";

/**
 * One deployment from its turn in the queue to its end. `core` decides, `tx` records, `step` acts; the step's result is the
 * next event. A crash anywhere repeats at most the one step in flight, and every effect looks before it acts.
 */
export function deployWorkflow(world: World): Workflow<{ readonly deployment: string }, Json> {
  return async (ctx, input) => {
    const id = deploymentId(input.deployment);
    let deployment = await ctx.tx("begin", (trx) => recordBegin(trx, id, world.clock.now()));
    world.changes.announce();
    for (;;) {
      if (deployment === null) return null;
      const effect = effectOf(deployment);
      if (effect === null) return deployment.phase.is;
      const now = deployment;
      const event = await ctx.step(effect.do, ({ signal }) => perform(world, now, effect, signal));
      deployment = await ctx.tx(`record ${effect.do}`, (trx) => recordEvent(trx, id, event, world.clock.now()));
      world.changes.announce();
    }
  };
}
