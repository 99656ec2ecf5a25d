import { SlipwayError } from "../../core/errors/error.ts";
import { whyNotCounted } from "../../core/gates/approval.ts";
import type { GateInput } from "../../core/gates/decide.ts";
import { personOf } from "../../core/gates/person.ts";
import type { DeploymentId, ReleaseId } from "../../core/ids.ts";
import type { Trx } from "../../ports/store.ts";
import type { DeploymentRow } from "../../ports/tables.ts";
import { useApprovalLink } from "../approvals/link-use.ts";
import { endBeforeBegin } from "../deploy/record.ts";
import { type GateEvidence, gateEvidence } from "../gates/evidence.ts";
import { lookAtGates, refreshChanges } from "../gates/look.ts";
import { gateInput } from "../gates/read.ts";
import { stepGatesOf } from "../gates/step.ts";
import { appendHistory } from "../history.ts";
import type { World } from "../world.ts";
import { approveStep } from "./approve-step.ts";

export type Word = {
  readonly deployment: DeploymentId;
  readonly verdict: "approved" | "rejected";
  readonly actor: string;
  readonly reason: string;
  /** What was live when the person looked; another one makes another change log. Left out: what is live now. */
  readonly live?: ReleaseId | null;
  /** The link that it is given by, which is used up with it. */
  readonly link?: string;
};

/**
 * Says yes or no to a deployment that waits at its gates, or at those of a step of its canary. A yes is kept with what was shown, counts once a person, and begins the
 * deployment when it was the last that was missing; the same yes again changes nothing. A no ends it, whoever says it.
 * Errors: UNKNOWN_DEPLOYMENT, NOTHING_TO_APPROVE, NOT_AN_APPROVER, LINK_INVALID.
 */
export async function approve(world: World, word: Word): Promise<void> {
  const seen = await shown(world, word.deployment);
  const go = await world.store.db.transaction().execute(async (trx) => {
    const row = await waiting(trx, word.deployment);
    if (word.link !== undefined) await useApprovalLink(trx, word.link, world.clock.now());
    if (row.phase !== "gated") {
      await approveStep(world, trx, row, { word, seen });
      return null;
    }
    if (word.verdict === "rejected") {
      await reject(world, trx, row, word, seen);
      return null;
    }
    const input = await gateInput(world, trx, row);
    mustBeAsked(row, input, word);
    mustBeTheSame(row, { shown: word.live ?? null, now: input.asked.live, isGiven: word.live !== undefined });
    mustBeTheSame(row, { shown: seen.live, now: input.asked.live, isGiven: true });
    if (input.approvals.some(({ by, live }) => personOf(by) === personOf(word.actor) && live === seen.live))
      return null;
    await keep(world, trx, row, word, seen);
    return (await lookAtGates(world, trx, row.id)).go;
  });
  await go?.();
  world.changes.announce();
}

/** What a person is asked about. Errors: UNKNOWN_DEPLOYMENT, NOTHING_TO_APPROVE. */
export async function shown(world: World, id: DeploymentId): Promise<GateEvidence> {
  const row = await waiting(world.store.db, id);
  if (row.phase === "gated") await refreshChanges(world, row);
  return gateEvidence(world, await waiting(world.store.db, id));
}

async function waiting(db: Trx | World["store"]["db"], id: DeploymentId): Promise<DeploymentRow> {
  const row = await db.selectFrom("deployment").selectAll().where("id", "=", id).executeTakeFirst();
  if (row === undefined) throw new SlipwayError("UNKNOWN_DEPLOYMENT", { message: `there is no deployment ${id}` });
  if (row.phase === "gated" || stepGatesOf(row) !== null) return row;
  throw new SlipwayError("NOTHING_TO_APPROVE", {
    message: row.ended_at === null ? `${id} has begun already: ${row.phase}` : `${id} has ended: ${row.phase}`,
    evidence: [["reason", row.reason]],
  });
}

function mustBeAsked({ id, reason }: DeploymentRow, { policies, asked }: GateInput, { actor }: Word): void {
  const specs = policies.flatMap(({ gates }) => (gates.approval === null ? [] : [gates.approval]));
  if (specs.length === 0)
    throw new SlipwayError("NOTHING_TO_APPROVE", { message: `${id} waits for nobody's approval: ${reason}` });
  const [why, ...others] = specs.map((spec) => whyNotCounted(spec, asked, actor));
  if (why != null && others.every((other) => other !== null))
    throw new SlipwayError("NOT_AN_APPROVER", { message: why });
}

function mustBeTheSame(
  { environment }: DeploymentRow,
  {
    shown: was,
    now,
    isGiven,
  }: { readonly shown: ReleaseId | null; readonly now: ReleaseId | null; readonly isGiven: boolean },
): void {
  if (!isGiven || was === now) return;
  throw new SlipwayError("NOTHING_TO_APPROVE", {
    message: `another release has gone live in ${environment} since you looked, and the change log is another`,
    hint: `look again: slipway approve ${environment}`,
  });
}

async function keep(world: World, trx: Trx, row: DeploymentRow, word: Word, seen: GateEvidence): Promise<void> {
  const now = world.clock.now();
  await trx
    .insertInto("approval")
    .values({
      id: `apr_${world.newId()}`,
      deployment_id: row.id,
      actor: word.actor,
      reason: word.reason,
      live_id: seen.live,
      created_at: now,
    })
    .execute();
  await appendHistory(trx, {
    at: now,
    product: row.product,
    environment: row.environment,
    deployment: row.id,
    release: row.release_id,
    event: "deployment.approved",
    actor: word.actor,
    reason: `approved by ${word.actor}: ${word.reason}`,
    evidence: seen.lines,
  });
}

async function reject(world: World, trx: Trx, row: DeploymentRow, word: Word, seen: GateEvidence): Promise<void> {
  const { actor, reason } = word;
  const message = `rejected by ${actor}: ${reason}`;
  const failure = { code: "APPROVAL_REFUSED" as const, message, evidence: seen.lines, service: null };
  await endBeforeBegin(trx, row, { failure, actor, now: world.clock.now() });
}
