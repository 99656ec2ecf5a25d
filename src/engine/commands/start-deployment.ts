import type { Deployment } from "../../core/deploy/deployment.ts";
import { unsetSecrets } from "../../core/deploy/plan.ts";
import { noTraffic } from "../../core/deploy/traffic.ts";
import { SlipwayError } from "../../core/errors/error.ts";
import { type DeploymentId, deploymentId, type EnvironmentName, type ReleaseId } from "../../core/ids.ts";
import type { EnvironmentSpec, RolloutSpec } from "../../core/product/spec.ts";
import { standingOf } from "../../core/release/standing.ts";
import type { Trx } from "../../ports/store.ts";
import type { DeploymentRow, ReleaseRow } from "../../ports/tables.ts";
import { recordBegin } from "../deploy/record.ts";
import { leaveRequest } from "../deploy/requests.ts";
import { type DeployInput, deployKind } from "../deploy/workflow.ts";
import { findEnvironment } from "../environment.ts";
import { appendHistory } from "../history.ts";
import { releaseRow, releaseView } from "../release/read.ts";
import type { World } from "../world.ts";
import { attemptsIn } from "./attempts.ts";

export type StartDeployment = {
  readonly environment: EnvironmentName;
  readonly release: ReleaseId;
  readonly kind: DeploymentRow["kind"];
  readonly actor: string;
  readonly reason: string;
  /** Instead of what the config says. */
  readonly whenBusy?: RolloutSpec["whenBusy"];
};

/**
 * Puts a deployment in the environment's queue and starts its workflow. Where nothing is before it, its first state is recorded
 * in the same transaction: another one would stand between the request and the first program that starts. Errors: UNKNOWN_RELEASE, UNKNOWN_ENVIRONMENT,
 * ARTIFACT_MISSING, SECRET_MISSING, ENVIRONMENT_LOCKED (a rollback passes), PROMOTION_REFUSED, DEPLOYMENT_IN_PROGRESS.
 */
export async function startDeployment(world: World, input: StartDeployment): Promise<DeploymentId> {
  const release = await releaseRow(world.store.db, input.release);
  const { spec } = await releaseView(world.store.db, input.release, input.environment);
  const id = deploymentId(`dep_${world.newId()}`);
  const at = { id, product: release.product, environment: input.environment };
  const go = await world.store.db.transaction().execute(async (trx) => {
    await mustBeKept(trx, release);
    mustHaveSecrets(release, spec);
    await mustBeAllowed(trx, release, spec, input);
    const isNext = await makeRoom(world, trx, { release, spec, input, id });
    await insertQueued(world, trx, { id, release, input });
    const begun = isNext ? await recordBegin(trx, id, world.clock.now()) : null;
    return world.engine.startWithin(trx, ...workflowOf(at, begun));
  });
  await go();
  world.changes.announce();
  return id;
}

type Place = { readonly id: DeploymentId; readonly product: string; readonly environment: EnvironmentName };

/** Starts the workflow of a deployment that is in the store, for the sweep that finds one without. Safe to repeat. */
export async function beginWorkflow(world: World, at: Place): Promise<void> {
  await world.engine.start(...workflowOf(at));
}

function workflowOf({ id, product, environment }: Place, begun: Deployment | null = null) {
  const input: DeployInput = { deployment: id, ...(begun === null ? {} : { begun }) };
  return [deployKind, id, input, { lockKey: `${product}/${environment}` }] as const;
}

/** Deployments of the environment that have not ended, oldest first. */
export function openDeployments(
  db: Trx | World["store"]["db"],
  product: string,
  environment: EnvironmentName,
): Promise<DeploymentRow[]> {
  return db
    .selectFrom("deployment")
    .selectAll()
    .where("product", "=", product)
    .where("environment", "=", environment)
    .where("ended_at", "is", null)
    .orderBy("created_at")
    .execute();
}

/** Asked inside the transaction: retention may have pruned it a moment ago. */
async function mustBeKept(trx: Trx, { id, number }: ReleaseRow): Promise<void> {
  const { pruned_at } = await releaseRow(trx, id);
  if (pruned_at === null) return;
  throw new SlipwayError("ARTIFACT_MISSING", {
    message: `the artifacts of r${number} were pruned at ${new Date(pruned_at).toISOString()}`,
  });
}

function mustHaveSecrets({ number }: ReleaseRow, spec: EnvironmentSpec): void {
  const [name, ...others] = unsetSecrets(spec);
  if (name === undefined) return;
  const { environment } = spec;
  throw new SlipwayError("SECRET_MISSING", {
    message: `r${number} was made before ${[name, ...others].join(", ")} had a value in ${environment}`,
    hint: `run: slipway secret set ${name} -e ${environment}; then make a new release: slipway deploy`,
  });
}

async function mustBeAllowed(
  trx: Trx,
  release: ReleaseRow,
  spec: EnvironmentSpec,
  input: StartDeployment,
): Promise<void> {
  const row = await findEnvironment(trx, { product: release.product, environment: input.environment });
  if (row?.locked_by != null && input.kind !== "rollback") {
    throw new SlipwayError("ENVIRONMENT_LOCKED", {
      message: `${input.environment} is locked by ${row.locked_by}: ${row.locked_reason}`,
      evidence: [["since", new Date(row.locked_at ?? 0).toISOString()]],
      hint: `run: slipway unlock ${input.environment}, or ask ${row.locked_by}`,
    });
  }
  if (spec.promoteFrom === null || input.kind === "rollback") return;
  const standing = standingOf(release.id, await attemptsIn(trx, release.product, spec.promoteFrom));
  if (standing === "good") return;
  throw new SlipwayError("PROMOTION_REFUSED", {
    message: `${input.environment} takes only releases that have succeeded in ${spec.promoteFrom}; r${release.number} ${
      standing === "bad" ? "failed there" : "has not been deployed there"
    }`,
    hint: `run: slipway deploy --env ${spec.promoteFrom} --release r${release.number}, then: slipway promote ${input.environment}`,
  });
}

type Admission = {
  readonly release: ReleaseRow;
  readonly spec: EnvironmentSpec;
  readonly input: StartDeployment;
  readonly id: DeploymentId;
};

/** True when nothing is before it. */
async function makeRoom(world: World, trx: Trx, { release, spec, input, id }: Admission): Promise<boolean> {
  const open = await openDeployments(trx, release.product, input.environment);
  if (open.length === 0) return true;
  const policy = input.whenBusy ?? spec.rollout.whenBusy;
  if (policy === "refuse") {
    const [first] = open;
    throw new SlipwayError("DEPLOYMENT_IN_PROGRESS", {
      message: `${first?.id} is under way in ${input.environment} (${first?.phase})`,
      evidence: [
        ["started by", first?.created_by ?? "?"],
        ["now", first?.reason ?? "?"],
      ],
    });
  }
  if (policy === "queue") return false;
  for (const other of open) {
    await leaveRequest(trx, {
      id: `req_${world.newId()}`,
      deployment_id: other.id,
      kind: "cancel",
      actor: input.actor,
      reason: `replaced by ${id}`,
      created_at: world.clock.now(),
    });
  }
  return false;
}

async function insertQueued(
  world: World,
  trx: Trx,
  {
    id,
    release,
    input,
  }: {
    readonly id: DeploymentId;
    readonly release: ReleaseRow;
    readonly input: StartDeployment;
  },
): Promise<void> {
  const now = world.clock.now();
  await trx
    .insertInto("environment")
    .values({
      product: release.product,
      name: input.environment,
      live_release_id: null,
      locked_by: null,
      locked_reason: null,
      locked_at: null,
      traffic: JSON.stringify(noTraffic),
      updated_at: now,
    })
    .onConflict((conflict) => conflict.columns(["product", "name"]).doNothing())
    .execute();
  await trx
    .insertInto("deployment")
    .values({
      id,
      product: release.product,
      environment: input.environment,
      release_id: release.id,
      stable_id: null,
      kind: input.kind,
      phase: "queued",
      state: "",
      version: 0,
      reason: input.reason,
      // What is live when its turn comes is not known yet; git is asked when it has become live itself.
      change_log: input.kind === "rollback" ? "[]" : release.commits,
      created_at: now,
      created_by: input.actor,
      started_at: null,
      live_at: null,
      detected_at: null,
      restored_at: null,
      ended_at: null,
    })
    .execute();
  await appendHistory(trx, {
    at: now,
    product: release.product,
    environment: input.environment,
    deployment: id,
    release: release.id,
    event: "deployment.queued",
    actor: input.actor,
    reason: input.reason,
  });
}
