import type { Deployment } from "../../core/deploy/deployment.ts";
import type { ErrorCode } from "../../core/errors/catalogue.ts";
import { SlipwayError } from "../../core/errors/error.ts";
import type { DeploymentId } from "../../core/ids.ts";
import type { Trx } from "../../ports/store.ts";
import type { DeploymentRow, RequestRow } from "../../ports/tables.ts";
import { cancelQueued, canStillFail } from "../deploy/record.ts";
import { leaveRequest, openRequests } from "../deploy/requests.ts";
import { stepGatesOf } from "../gates/step.ts";
import type { World } from "../world.ts";

export type Ask = {
  readonly deployment: DeploymentId;
  readonly kind: Exclude<RequestRow["kind"], "approve" | "reject">;
  readonly actor: string;
  readonly reason: string;
  /** For `promote`: the step, from 1, that the person has before them; another one is not promoted by mistake. */
  readonly step?: number;
};

/**
 * Asks something of a deployment under way; its workflow answers at once. One that still waits in the queue or at its gates is ended here.
 * Errors: UNKNOWN_DEPLOYMENT, NOT_CANCELLABLE, NOT_PAUSABLE,
 * NO_STEP_TO_PROMOTE.
 */
export async function ask(world: World, input: Ask): Promise<void> {
  const now = world.clock.now();
  const wasQueued = await world.store.db.transaction().execute(async (trx) => {
    const row = await trx.selectFrom("deployment").selectAll().where("id", "=", input.deployment).executeTakeFirst();
    if (row === undefined)
      throw new SlipwayError("UNKNOWN_DEPLOYMENT", { message: `there is no deployment ${input.deployment}` });
    if (row.ended_at !== null) {
      throw new SlipwayError(refusals[input.kind], {
        message: `${row.id} has ended: ${row.phase}`,
        evidence: [["reason", row.reason]],
      });
    }
    const reason = whyNot(input.kind, row);
    if (reason !== null) throw new SlipwayError(refusals[input.kind], { message: `${row.id} ${reason}` });
    if (input.kind === "promote") await mustBeAtStep(trx, row, input.step);
    if ((row.phase === "queued" || row.phase === "gated") && input.kind === "cancel") {
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

const refusals = {
  cancel: "NOT_CANCELLABLE",
  pause: "NOT_PAUSABLE",
  resume: "NOT_PAUSABLE",
  promote: "NO_STEP_TO_PROMOTE",
  fail: "NOT_CANCELLABLE",
} as const satisfies Record<Ask["kind"], ErrorCode>;

const pausable: ReadonlySet<string> = new Set([
  "queued",
  "starting",
  "verifying",
  "shifting",
  "draining",
  "watching",
  "baking",
]);

/** Two people who promote the same step take one step together, not two. */
async function mustBeAtStep(trx: Trx, row: DeploymentRow, step: number | undefined): Promise<void> {
  const { phase, course } = JSON.parse(row.state) as Deployment;
  const open = await openRequests(trx, row.id);
  if (open.some(({ kind }) => kind === "promote"))
    throw new SlipwayError("NO_STEP_TO_PROMOTE", { message: `the next step of ${row.id} is being taken already` });
  const at = "stage" in phase ? phase.stage + 1 : 0;
  if (step === undefined || step === at) return;
  throw new SlipwayError("NO_STEP_TO_PROMOTE", {
    message: `${row.id} is at step ${at} of ${course.canary?.steps.length ?? 0}, not ${step}`,
  });
}

/** What `core` would ignore is refused here, where the person who asks can read it. */
function whyNot(kind: Ask["kind"], row: Pick<DeploymentRow, "phase" | "state" | "reason">): string | null {
  const { phase, state, reason } = row;
  const isAsked = state !== "" && (JSON.parse(state) as Deployment).holdFor !== undefined;
  if (stepGatesOf(row) !== null) {
    if (kind === "promote") return `waits for its gates, which no promotion passes: ${reason}`;
    return kind === "resume" ? `is not paused; it waits for its gates: ${reason}` : null;
  }
  const isPaused = phase === "paused" || phase === "held" || phase === "waiting" || isAsked;
  if (kind === "fail")
    return canStillFail({ is: phase as Deployment["phase"]["is"] }) ? null : `cannot fail any more while ${phase}`;
  if (kind === "pause" && isPaused) return "is paused already";
  if (kind === "pause" && !pausable.has(phase)) return `cannot be paused while ${phase}`;
  if (kind === "resume" && !isPaused) return `is not paused; it is ${phase}`;
  if (kind === "promote" && phase !== "watching" && phase !== "waiting")
    return `is at no step of a canary; it is ${phase}`;
  return null;
}
