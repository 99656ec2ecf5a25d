import { SlipwayError } from "../../core/errors/error.ts";
import { whyNotCounted } from "../../core/gates/approval.ts";
import { personOf } from "../../core/gates/person.ts";
import type { Trx } from "../../ports/store.ts";
import type { DeploymentRow } from "../../ports/tables.ts";
import { leaveRequest } from "../deploy/requests.ts";
import type { GateEvidence } from "../gates/evidence.ts";
import { stepGateInput, stepGatesOf } from "../gates/step.ts";
import { appendHistory } from "../history.ts";
import type { World } from "../world.ts";
import type { Word } from "./approve.ts";

/**
 * A word to the gates of a canary's step, in the caller's transaction: its workflow takes it. A no takes the release back. The same
 * yes again changes nothing. Errors: NOTHING_TO_APPROVE, NOT_AN_APPROVER.
 */
export async function approveStep(
  world: World,
  trx: Trx,
  row: DeploymentRow,
  { word, seen }: { readonly word: Word; readonly seen: GateEvidence },
): Promise<void> {
  const at = stepGatesOf(row);
  if (at === null) throw new Error(`${row.id} waits at no gates of a step`);
  const { actor, reason } = word;
  const left = { id: `req_${world.newId()}`, deployment_id: row.id, actor, reason, created_at: world.clock.now() };
  if (word.verdict === "rejected") return leaveRequest(trx, { ...left, kind: "reject" });
  const { gates, asked, approvals } = await stepGateInput(world, trx, row, at);
  if (gates.approval === null)
    throw new SlipwayError("NOTHING_TO_APPROVE", { message: `${row.id} waits for nobody's approval: ${row.reason}` });
  const why = whyNotCounted(gates.approval, asked, actor);
  if (why !== null) throw new SlipwayError("NOT_AN_APPROVER", { message: why });
  if (approvals.some(({ by }) => personOf(by) === personOf(actor))) return;
  await leaveRequest(trx, { ...left, kind: "approve" });
  await appendHistory(trx, {
    at: left.created_at,
    product: row.product,
    environment: row.environment,
    deployment: row.id,
    release: row.release_id,
    event: "deployment.approved",
    actor,
    reason: `approved by ${actor}: ${reason}`,
    evidence: seen.lines,
  });
}
