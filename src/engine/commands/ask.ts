import type { Deployment } from "../../core/deploy/deployment.ts";
import { SlipwayError } from "../../core/errors/error.ts";
import type { DeploymentId } from "../../core/ids.ts";
import type { DeploymentRow, RequestRow } from "../../ports/tables.ts";
import { cancelQueued } from "../deploy/record.ts";
import { leaveRequest } from "../deploy/requests.ts";
import type { World } from "../world.ts";

export type Ask = {
  readonly deployment: DeploymentId;
  readonly kind: RequestRow["kind"];
  readonly actor: string;
  readonly reason: string;
};

/**
 * Asks something of a deployment under way; its workflow answers at once. One that still waits in the queue is ended here.
 * Errors: UNKNOWN_DEPLOYMENT, NOT_CANCELLABLE, NOT_PAUSABLE.
 */
export async function ask(world: World, input: Ask): Promise<void> {
  const now = world.clock.now();
  const wasQueued = await world.store.db.transaction().execute(async (trx) => {
    const row = await trx.selectFrom("deployment").selectAll().where("id", "=", input.deployment).executeTakeFirst();
    if (row === undefined)
      throw new SlipwayError("UNKNOWN_DEPLOYMENT", { message: `there is no deployment ${input.deployment}` });
    if (row.ended_at !== null) {
      throw new SlipwayError(input.kind === "cancel" ? "NOT_CANCELLABLE" : "NOT_PAUSABLE", {
        message: `${row.id} has ended: ${row.phase}`,
        evidence: [["reason", row.reason]],
      });
    }
    const reason = whyNot(input.kind, row);
    if (reason !== null) throw new SlipwayError("NOT_PAUSABLE", { message: `${row.id} ${reason}` });
    if (row.phase === "queued" && input.kind === "cancel") {
      await cancelQueued(trx, row, { actor: input.actor, reason: input.reason, now });
      return true;
    }
    const { kind, actor } = input;
    const id = `req_${world.newId()}`;
    await leaveRequest(trx, { id, deployment_id: row.id, kind, actor, reason: input.reason, created_at: now });
    return false;
  });
  if (wasQueued) await world.engine.cancel(input.deployment, input.reason);
  world.changes.announce();
}

const pausable: ReadonlySet<string> = new Set(["queued", "starting", "verifying", "shifting", "draining", "baking"]);

/** What `core` would ignore is refused here, where the person who asks can read it. */
function whyNot(kind: RequestRow["kind"], { phase, state }: Pick<DeploymentRow, "phase" | "state">): string | null {
  const isAsked = state !== "" && (JSON.parse(state) as Deployment).holdFor !== undefined;
  const isPaused = phase === "paused" || phase === "held" || isAsked;
  if (kind === "pause" && isPaused) return "is paused already";
  if (kind === "pause" && !pausable.has(phase)) return `cannot be paused while ${phase}`;
  if (kind === "resume" && !isPaused) return `is not paused; it is ${phase}`;
  return null;
}
