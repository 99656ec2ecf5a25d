import type { Deployment } from "../../core/deploy/deployment.ts";
import type { DeploymentId, EnvironmentName } from "../../core/ids.ts";
import type { Db, Trx } from "../../ports/store.ts";
import type { DeploymentRow } from "../../ports/tables.ts";
import type { World } from "../world.ts";
import { type DeployInput, deployKind } from "./workflow.ts";

type Place = { readonly product: string; readonly environment: EnvironmentName };

/** Deployments of the environment that are under way or have their place in its queue, oldest first. */
export function openDeployments(db: Trx | Db, at: Place): Promise<DeploymentRow[]> {
  return notEnded(db, at).where("phase", "!=", "gated").execute();
}

/** Those that wait at their gates, oldest first. They hold nothing: whatever else comes goes past them. */
export function gatedDeployments(db: Trx | Db, at: Place): Promise<DeploymentRow[]> {
  return notEnded(db, at).where("phase", "=", "gated").execute();
}

function notEnded(db: Trx | Db, { product, environment }: Place) {
  return db
    .selectFrom("deployment")
    .selectAll()
    .where("product", "=", product)
    .where("environment", "=", environment)
    .where("ended_at", "is", null)
    .orderBy("created_at");
}

/** Starts the workflow of a deployment that is in the store, for the sweep that finds one without. Safe to repeat. */
export async function beginWorkflow(world: World, at: Place & { readonly id: DeploymentId }): Promise<void> {
  await world.engine.start(...workflowOf(at));
}

/** What the engine is told; `begun` is its first state, where that has been recorded. */
export function workflowOf(
  { id, product, environment }: Place & { readonly id: DeploymentId },
  begun: Deployment | null = null,
) {
  const input: DeployInput = { deployment: id, ...(begun === null ? {} : { begun }) };
  return [deployKind, id, input, { lockKey: `${product}/${environment}` }] as const;
}
