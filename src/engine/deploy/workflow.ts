import { effectOf } from "../../core/deploy/decide.ts";
import type { Deployment, DeploymentEvent } from "../../core/deploy/deployment.ts";
import { isSlipwayError, reasonOf } from "../../core/errors/error.ts";
import { type DeploymentId, deploymentId, type Json } from "../../core/ids.ts";
import type { Workflow } from "../../ports/engine.ts";
import type { Trx } from "../../ports/store.ts";
import { nameImages } from "../release/name-images.ts";
import { prune } from "../retention.ts";
import type { World } from "../world.ts";
import { failureFrom, perform } from "./perform.ts";
import { recordBegin, recordEvent } from "./record.ts";
import { releaseEverywhere } from "./stop-first.ts";

/** Carries its version: work in flight goes on with the code that began it. */
export const deployKind = "deploy.v1";

/** `begun` is its first state, where that was recorded when it was admitted: then it does not begin a second time. */
export type DeployInput = { readonly deployment: string; readonly begun?: Deployment };

/**
 * One deployment from its turn in the queue to its end. Each round acts and records: what came of the effect is
 * the next event, `core` decides on it, and the decision commits before anything else is done. A crash anywhere repeats at
 * most the one effect in flight, and every effect looks before it acts.
 */
export function deployWorkflow(world: World): Workflow<DeployInput, Json> {
  return async (ctx, input) => {
    const id = deploymentId(input.deployment);
    let deployment = input.begun ?? (await ctx.tx("begin", (trx) => recordBegin(trx, id, world.clock.now())));
    world.changes.announce();
    for (;;) {
      if (deployment === null) return null;
      const effect = effectOf(deployment);
      if (effect === null) {
        const { course } = deployment;
        world.stepConditions.forget(id);
        await ctx.step("name images", ({ signal }) => nameImages(world, id, signal));
        await ctx.step("prune", async ({ signal }) => {
          await releaseEverywhere(world, course);
          return pruneQuietly(world, id, signal);
        });
        return deployment.phase.is;
      }
      const now = deployment;
      const record = (trx: Trx, event: DeploymentEvent | null) => recordEvent(trx, id, event, world.clock.now());
      deployment = await ctx
        .act(effect.do, ({ signal }) => perform(world, now, effect, signal), record, patience)
        // What was worth another attempt has had them all.
        .catch((error: unknown) => {
          if (!isSlipwayError(error)) throw error;
          return ctx.tx(`record ${effect.do}`, (trx) => record(trx, { is: "failed", failure: failureFrom(error) }));
        });
      world.changes.announce();
    }
  };
}

/** An edge or supervisor that is away is started again within a second or two; for half a minute it is worth waiting. */
const patience = { attempts: 8, backoffMs: 100 };

/** Old releases are a matter of disk space, never a reason for a deployment not to have succeeded. */
async function pruneQuietly(world: World, id: DeploymentId, signal: AbortSignal): Promise<null> {
  try {
    const { product } = await world.store.db
      .selectFrom("deployment")
      .select("product")
      .where("id", "=", id)
      .executeTakeFirstOrThrow();
    await prune(world, product, signal);
  } catch (error) {
    signal.throwIfAborted();
    world.log.warn("release.prune-failed", { deployment: id, reason: reasonOf(error) });
  }
  return null;
}
