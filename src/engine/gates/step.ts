import type { Deployment, DeploymentEvent, GateWait } from "../../core/deploy/deployment.ts";
import type { Approval } from "../../core/gates/approval.ts";
import { decideStepGates, type StepGateInput } from "../../core/gates/step.ts";
import type { Db, Trx } from "../../ports/store.ts";
import type { DeploymentRow } from "../../ports/tables.ts";
import { deploymentRow } from "../deploy/record.ts";
import { openRequests } from "../deploy/requests.ts";
import type { World } from "../world.ts";
import { evidenceOf } from "./look.ts";
import { authorsIn, overrideOf } from "./read.ts";

/** How often the gates of a step are looked at, besides every word that is said to them. */
const lookMs = 1_000;

/** The gates that a deployment waits at between two steps of its canary; null when it waits at none. */
export function stepGatesOf({
  state,
}: Pick<DeploymentRow, "state">): { deployment: Deployment; wait: GateWait } | null {
  if (state === "") return null;
  const deployment = JSON.parse(state) as Deployment;
  const { phase } = deployment;
  return phase.is === "waiting" && phase.for.is === "gates" ? { deployment, wait: phase.for } : null;
}

/** Everything that the gates of a step look at now, with the approvals that have been left and are not taken yet. */
export async function stepGateInput(
  world: Pick<World, "stepConditions">,
  db: Trx | Db,
  row: DeploymentRow,
  { deployment, wait }: { readonly deployment: Deployment; readonly wait: GateWait },
): Promise<StepGateInput> {
  const { course, phase } = deployment;
  const stage = "stage" in phase ? phase.stage : 0;
  const gates = course.canary?.steps[stage]?.gates;
  if (gates === undefined) throw new Error(`${row.id} waits at gates that it does not have`);
  const left = (await openRequests(db, row.id)).filter(({ kind }) => kind === "approve");
  const given = left.map(({ actor, reason, created_at }): Approval => {
    return { by: actor, at: created_at, reason, live: course.stable };
  });
  return {
    gates,
    asked: { at: wait.since, authors: await authorsIn(db, row), live: course.stable },
    approvals: [...wait.approvals, ...given],
    override: await overrideOf(db, row),
    conditions: world.stepConditions.of(deployment, stage),
  };
}

/** Looks until the gates are all open at once, or nobody has opened them in time. What it waits for is what status shows. */
export async function untilStepGatesOpen(
  world: World,
  deployment: Deployment,
  wait: GateWait,
  signal: AbortSignal,
): Promise<DeploymentEvent> {
  const { db } = world.store;
  for (;;) {
    signal.throwIfAborted();
    const row = await deploymentRow(db, deployment.course.id);
    const decision = decideStepGates(await stepGateInput(world, db, row, { deployment, wait }), world.clock.now());
    const { reason } = decision;
    switch (decision.is) {
      case "open":
        return { is: "opened", note: reason, evidence: evidenceOf(decision) };
      case "over": {
        const evidence = evidenceOf(decision);
        return { is: "refused", failure: { code: "APPROVAL_EXPIRED", message: reason, evidence, service: null } };
      }
      case "waits": {
        if (row.reason !== reason) {
          await db.updateTable("deployment").set({ reason }).where("id", "=", row.id).execute();
          world.changes.announce();
        }
        const leftMs = decision.lookAt === null ? lookMs : decision.lookAt - world.clock.now();
        await world.clock.sleep(Math.max(0, Math.min(lookMs, leftMs)), signal);
      }
    }
  }
}
