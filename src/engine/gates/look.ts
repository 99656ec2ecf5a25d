import { self } from "../../core/actor.ts";
import type { Evidence } from "../../core/errors/error.ts";
import { decideGates, type GateDecision } from "../../core/gates/decide.ts";
import type { DeploymentId } from "../../core/ids.ts";
import type { Trx } from "../../ports/store.ts";
import type { DeploymentRow } from "../../ports/tables.ts";
import { openDeployments, workflowOf } from "../deploy/open.ts";
import { deploymentRow, endBeforeBegin, recordBegin } from "../deploy/record.ts";
import { askToMakeWay } from "../deploy/requests.ts";
import { findEnvironment } from "../environment.ts";
import { appendHistory } from "../history.ts";
import { changesFor } from "../release/changes.ts";
import { releaseRow } from "../release/read.ts";
import { isScaling, scaleRows } from "../scale/held.ts";
import type { World } from "../world.ts";
import { gateInput } from "./read.ts";

export type GateLook = {
  /** Something was recorded. */
  readonly moved: boolean;
  readonly decision: GateDecision | null;
  /** To be called when the transaction has committed: lets what has begun run. */
  readonly go: () => Promise<void>;
};

const nothing = async (): Promise<void> => {};

/**
 * Looks at the gates of a deployment, and begins or ends it when that is what they say, in the caller's transaction. It begins
 * in the same instant in which they were all open, with nothing before it. Of one that does not wait there it changes nothing.
 */
export async function lookAtGates(world: World, trx: Trx, id: DeploymentId): Promise<GateLook> {
  const row = await deploymentRow(trx, id);
  if (row.phase !== "gated") return { moved: false, decision: null, go: nothing };
  const now = world.clock.now();
  const decision = decideGates(await gateInput(world, trx, row), now);
  switch (decision.is) {
    case "waits": {
      const hasAsked = await replaceOthers(world, trx, row, decision);
      const moved = await saying(trx, row, decision.reason);
      return { moved: moved || hasAsked, decision, go: nothing };
    }
    case "over": {
      const { code, reason } = decision;
      if (code === null) throw new Error(`${id} is over without a code`);
      const failure = { code, message: reason, evidence: evidenceOf(decision), service: null };
      await endBeforeBegin(trx, row, { failure, actor: self, now });
      return { moved: true, decision, go: nothing };
    }
    case "open": {
      await trx
        .updateTable("deployment")
        .set({ phase: "queued", reason: decision.reason, version: row.version + 1 })
        .where("id", "=", id)
        .where("version", "=", row.version)
        .execute();
      await appendHistory(trx, {
        at: now,
        product: row.product,
        environment: row.environment,
        deployment: id,
        release: row.release_id,
        event: "deployment.queued",
        actor: self,
        reason: `its gates are open: ${decision.reason}`,
        evidence: evidenceOf(decision),
      });
      const begun = isScaling(await scaleRows(trx, row)) ? null : await recordBegin(trx, id, now);
      return { moved: true, decision, go: await world.engine.startWithin(trx, ...workflowOf(row, begun)) };
    }
  }
}

export function evidenceOf({ readings }: Pick<GateDecision, "readings">): readonly Evidence[] {
  return readings.map(({ gate, says }) => [gate, says]);
}

/** True when others have been asked to make way: only those are before it, and it was asked for to replace them. */
async function replaceOthers(world: World, trx: Trx, row: DeploymentRow, { readings }: GateDecision): Promise<boolean> {
  const closed = readings.filter(({ open }) => !open);
  if (closed.some(({ gate }) => gate !== "turn")) return false;
  const { when_busy } = await trx
    .selectFrom("gated")
    .select("when_busy")
    .where("deployment_id", "=", row.id)
    .executeTakeFirstOrThrow();
  if (when_busy !== "replace") return false;
  const { id: by, created_by: actor } = row;
  const { clock, newId } = world;
  return askToMakeWay(trx, await openDeployments(trx, row), { by, actor, now: clock.now(), newId });
}

/** What it waits for is what status shows; the history has who did what, not every look. */
async function saying(trx: Trx, row: DeploymentRow, reason: string): Promise<boolean> {
  if (row.reason === reason) return false;
  await trx.updateTable("deployment").set({ reason }).where("id", "=", row.id).execute();
  return true;
}

/**
 * Brings the change log of a deployment that waits up to what is live now: it is what people are asked about, and whose authors
 * may not approve. Safe to repeat.
 */
export async function refreshChanges(world: World, row: DeploymentRow): Promise<void> {
  const { db } = world.store;
  const live = (await findEnvironment(db, row))?.live_release_id ?? null;
  const known = await db
    .selectFrom("gated")
    .select("compared_with")
    .where("deployment_id", "=", row.id)
    .executeTakeFirst();
  if (known === undefined || known.compared_with === live) return;
  const commits = await changesFor(world, await releaseRow(db, row.release_id), row.environment);
  await db.transaction().execute(async (trx) => {
    await trx
      .updateTable("deployment")
      .set({ change_log: JSON.stringify(commits) })
      .where("id", "=", row.id)
      .where("phase", "=", "gated")
      .execute();
    await trx.updateTable("gated").set({ compared_with: live }).where("deployment_id", "=", row.id).execute();
  });
}
