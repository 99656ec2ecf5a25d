import type { DeploymentEvent } from "../../core/deploy/deployment.ts";
import type { DeploymentId, EpochMs } from "../../core/ids.ts";
import type { Db, Trx } from "../../ports/store.ts";
import type { RequestRow } from "../../ports/tables.ts";
import { untilChange } from "../until-change.ts";
import type { World } from "../world.ts";

/** What persons asked of a deployment and nobody has answered yet, oldest first. */
export function openRequests(db: Db | Trx, deployment: DeploymentId): Promise<RequestRow[]> {
  return db
    .selectFrom("request")
    .selectAll()
    .where("deployment_id", "=", deployment)
    .where("handled_at", "is", null)
    .orderBy("created_at")
    .orderBy("id")
    .execute();
}

/** Leaves a request for the deployment's workflow, in the caller's transaction. Announce the change after it. */
export async function leaveRequest(
  trx: Trx,
  request: Pick<RequestRow, "id" | "deployment_id" | "kind" | "actor" | "reason" | "created_at">,
): Promise<void> {
  await trx
    .insertInto("request")
    .values({ ...request, handled_at: null })
    .execute();
}

/** Calls off what is under way or queued, once each, for the one that replaces it; true when any had not been asked. In the caller's transaction. */
export async function askToMakeWay(
  trx: Trx,
  others: readonly { readonly id: DeploymentId }[],
  asked: { readonly by: DeploymentId; readonly actor: string; readonly now: EpochMs; readonly newId: () => string },
): Promise<boolean> {
  let asks = false;
  const reason = `replaced by ${asked.by}`;
  for (const { id } of others) {
    const open = await openRequests(trx, id);
    if (open.some((request) => request.kind === "cancel" && request.reason === reason)) continue;
    asks = true;
    await leaveRequest(trx, {
      id: `req_${asked.newId()}`,
      deployment_id: id,
      kind: "cancel",
      actor: asked.actor,
      reason,
      created_at: asked.now,
    });
  }
  return asks;
}

export function requestEvent(request: RequestRow): DeploymentEvent {
  if (request.kind === "fail") {
    const evidence = [["rule", request.actor]] as const;
    return { is: "failed", failure: { code: "RULE_FIRED", message: request.reason, evidence, service: null } };
  }
  return { is: "asked", to: request.kind, by: request.actor, why: request.reason };
}

/** Resolves when somebody has asked something that is still open. */
export async function someoneAsks(world: World, deployment: DeploymentId, signal: AbortSignal): Promise<void> {
  for (;;) {
    // Another control plane may have written: it is looked once a second too.
    const changed = untilChange(world, signal);
    try {
      if ((await openRequests(world.store.db, deployment)).length > 0) return;
      await changed.wait();
    } finally {
      changed.release();
    }
  }
}
