import { redated } from "../../core/deploy/clocks.ts";
import { effectOf } from "../../core/deploy/decide.ts";
import type { Deployment, DeploymentEvent } from "../../core/deploy/deployment.ts";
import { isSlipwayError, reasonOf } from "../../core/errors/error.ts";
import { type DeploymentId, deploymentId, type Json } from "../../core/ids.ts";
import type { Workflow } from "../../ports/engine.ts";
import type { Trx } from "../../ports/store.ts";
import { nameImages } from "../release/name-images.ts";
import { prune } from "../retention.ts";
import type { World } from "../world.ts";
import { clocksOf } from "./clocks.ts";
import { tellingOfHosts } from "./hosts-away.ts";
import { failureFrom, perform, siteOf } from "./perform.ts";
import { recordBegin, recordEvent } from "./record.ts";
import { releaseEverywhere } from "./stop-first.ts";

/** Carries its version: work in flight goes on with the code that began it. */
export const deployKind = "deploy.v1";

/** `begun` is its first state, where that was recorded when it was admitted: then it does not begin a second time. */
export type DeployInput = { readonly deployment: string; readonly begun?: Deployment };

/**
 * One deployment from its turn in the queue to its end. Each round acts and records: what came of the effect is
 * the next event, `core` decides on it, and the decision commits before anything else is done. A crash anywhere repeats at
 * most the one effect in flight, and every effect looks before it acts. `onSuccess` may be repeated too.
 */
export function deployWorkflow(
  world: World,
  onSuccess: (course: Deployment["course"]) => Promise<void>,
): Workflow<DeployInput, Json> {
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
        await ctx.step(
          "prune",
          async ({ signal }) => {
            await releaseEverywhere(world, course);
            if (deployment?.phase.is === "rollback-failed") await tellEdge(world, course);
            if (deployment?.phase.is === "succeeded") await onSuccess(course);
            return pruneQuietly(world, id, signal);
          },
          patience,
        );
        return deployment.phase.is;
      }
      const now = deployment;
      const record = (trx: Trx, event: DeploymentEvent | null) => recordEvent(trx, id, event, clocksOf(world.clock));
      const attempt = (signal: AbortSignal): Promise<DeploymentEvent | null> => {
        // Each attempt anew: the wall clock may have been set since it was recorded when a watch ends.
        const due = redated(now, clocksOf(world.clock));
        return tellingOfHosts(world, due, signal, () => perform(world, due, effectOf(due) ?? effect, signal));
      };
      deployment = await ctx
        .act(effect.do, ({ signal }) => attempt(signal), record, {
          ...patience,
          unsynced: (event) => isDoneAgain(now.course, event),
        })
        // What was worth another attempt has had them all.
        .catch((error: unknown) => {
          if (!isSlipwayError(error)) throw error;
          return ctx.tx(`record ${effect.do}`, (trx) => record(trx, { is: "failed", failure: failureFrom(error) }));
        });
      world.changes.announce();
    }
  };
}

/**
 * Users get the release one flush sooner. Should power be lost before `shifted` is recorded, the candidate is only looked at again: whatever
 * an edge has been told by then, it has been told of a healthy one, and is told anew what is recorded.
 */
const isDoneAgain = (course: Deployment["course"], event: DeploymentEvent | null): boolean =>
  // Where nothing of ours was live, another may have to make way in the switch; and that cannot be done again.
  event?.is === "healthy" && course.stable !== null;

/** An edge or supervisor that is away is started again within a second or two; for half a minute it is worth waiting. */
const patience = { attempts: 8, backoffMs: 100 };

/**
 * No effect has told the edge where the way back has ended. Whoever comes next may fail before it moves any traffic, and would leave
 * it as it is. An edge that is away is told by the keeper.
 */
async function tellEdge(world: World, course: Deployment["course"]): Promise<void> {
  try {
    await (await siteOf(world, course)).router.sync();
  } catch (error) {
    world.log.warn("edge.not-told", { deployment: course.id, reason: reasonOf(error) });
  }
}

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
