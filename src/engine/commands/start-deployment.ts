import { unsetSecrets } from "../../core/deploy/plan.ts";
import { noTraffic } from "../../core/deploy/traffic.ts";
import { type Evidence, SlipwayError } from "../../core/errors/error.ts";
import { timeText } from "../../core/gates/window.ts";
import { type DeploymentId, deploymentId, type EnvironmentName, type ReleaseId } from "../../core/ids.ts";
import type { EnvironmentSpec, RolloutSpec } from "../../core/product/spec.ts";
import type { Commit } from "../../core/release/commit.ts";
import { standingOf } from "../../core/release/standing.ts";
import type { Trx } from "../../ports/store.ts";
import type { DeploymentRow, EnvironmentRow, ReleaseRow } from "../../ports/tables.ts";
import { gatedDeployments, openDeployments, workflowOf } from "../deploy/open.ts";
import { cancelQueued, recordFirst } from "../deploy/record.ts";
import { askToMakeWay } from "../deploy/requests.ts";
import { findEnvironment } from "../environment.ts";
import { lookAtGates } from "../gates/look.ts";
import { policiesIn } from "../gates/read.ts";
import { appendHistory } from "../history.ts";
import { mustHaveItsPlace, wakeFor } from "../previews/make.ts";
import { changesFor } from "../release/changes.ts";
import { releaseIn, releaseRow } from "../release/read.ts";
import { heldIn, isScaling, scaleRows } from "../scale/held.ts";
import type { World } from "../world.ts";
import { attemptsIn } from "./attempts.ts";

export type StartDeployment = {
  /** The name it gets; where there is one of that name, it is answered, and nothing begins. Default: a new one. */
  readonly id?: DeploymentId;
  readonly environment: EnvironmentName;
  readonly release: ReleaseId;
  readonly kind: DeploymentRow["kind"];
  readonly actor: string;
  readonly reason: string;
  /** What was said with it, for the history. */
  readonly evidence?: readonly Evidence[];
  /** Windows and freezes are passed by; the reason says why. */
  readonly overrideWindow?: boolean;
  /** The gate of an error budget is passed by; the reason says why. */
  readonly overrideBudget?: boolean;
  /** Instead of what the config says. */
  readonly whenBusy?: RolloutSpec["whenBusy"];
  /** What a locked environment does with it: `wait` is at its gates, until it is unlocked. Default: `refuse`. */
  readonly whenLocked?: "refuse" | "wait";
  /** What this one has asked for and still waits at its gates is called off. */
  readonly overtakes?: string;
};

/**
 * Puts a deployment in the environment's queue and starts its workflow, or lets it wait at its gates. Where nothing is before it,
 * its first state is recorded in the same transaction: another one would stand between the request and the first program that
 * starts. A rollback passes every gate, and calls off what waits there: that was asked for on top of what is taken away. Errors: UNKNOWN_RELEASE, UNKNOWN_ENVIRONMENT,
 * ARTIFACT_MISSING, SECRET_MISSING, ENVIRONMENT_LOCKED (a rollback passes, and some wait), PREVIEW_REFUSED, PROMOTION_REFUSED, DEPLOYMENT_IN_PROGRESS.
 */
export async function startDeployment(world: World, input: StartDeployment): Promise<DeploymentId> {
  const { row: release, view } = await releaseIn(world.store.db, input.release, input.environment);
  const { spec } = view;
  const id = input.id ?? deploymentId(`dep_${world.newId()}`);
  const at = { id, product: release.product, environment: input.environment };
  const changes = await changesBefore(world, release, spec, input);
  const begun = await world.store.unsynced(async (trx) => {
    if (input.id !== undefined && (await isThere(trx, input.id, input))) return null;
    await mustBeKept(trx, release);
    mustHaveSecrets(release, spec);
    await mustHaveItsPlace(trx, release.product, spec);
    const first = await wakeFor(world, trx, spec, { id, actor: input.actor });
    const place = await findEnvironment(trx, at);
    await mustBeAllowed(trx, place, { release, spec, input });
    const live = place?.live_release_id ?? null;
    const mustPass = await mustPassGates(trx, release, input, place);
    const whenBusy = input.whenBusy ?? spec.rollout.whenBusy;
    const isFree = await makeRoom(world, trx, { release, input, id, whenBusy, mustPass });
    if (place === undefined) await insertEnvironment(world, trx, at);
    const row = rowOf(world, { id, release, input, phase: mustPass ? "gated" : "queued", changes });
    await insertDeployment(trx, row, input.evidence);
    if (mustPass) {
      await trx
        .insertInto("gated")
        .values({
          deployment_id: id,
          // Null where it is not known: then it is read again as soon as anybody looks.
          compared_with: changes?.live ?? null,
          when_busy: whenBusy,
          override_reason: input.overrideWindow === true ? input.reason : null,
          override_budget_reason: input.overrideBudget === true ? input.reason : null,
        })
        .execute();
      return { go: (await lookAtGates(world, trx, id)).go, first, news: "gated" as const };
    }
    // Its counts are known when what is being scaled has ended, which it does at once for a deployment.
    const scaled = isFree ? await scaleRows(trx, at) : [];
    const isNext = isFree && !isScaling(scaled);
    const state = isNext ? await recordFirst(trx, { row, live, held: heldIn(scaled) }, world.clock.now()) : null;
    return { go: await world.engine.startWithin(trx, ...workflowOf(at, state)), first, news: "any" as const };
  });
  // Who asks is told when the disk has it. Meanwhile it begins: what it does elsewhere waits for the disk by itself.
  const onDisk = world.store.flushed();
  onDisk.catch(() => {}); // told when it is awaited
  if (begun !== null) {
    for (const each of begun.first) await each();
    await begun.go();
    world.changes.announce(begun.news);
  }
  await onDisk;
  return id;
}

/** Has it been asked for before? Errors: USAGE, when the name is that of another one. */
async function isThere(trx: Trx, id: DeploymentId, { environment, release }: StartDeployment): Promise<boolean> {
  const row = await trx
    .selectFrom("deployment")
    .select(["environment", "release_id"])
    .where("id", "=", id)
    .executeTakeFirst();
  if (row === undefined) return false;
  if (row.environment === environment && row.release_id === release) return true;
  throw new SlipwayError("USAGE", {
    message: `${id} is a deployment of ${row.release_id} to ${row.environment}`,
    hint: "give a new one a name that nobody has, or none",
  });
}

/** Has it gates to pass: its own, those of what is live, or a lock? */
async function mustPassGates(
  trx: Trx,
  { id }: ReleaseRow,
  { environment, kind }: StartDeployment,
  place: EnvironmentRow | undefined,
): Promise<boolean> {
  if (kind === "rollback") return false;
  if (place?.locked_by != null) return true;
  const live = place?.live_release_id ?? null;
  return (await policiesIn(trx, { release: id, environment, live })).length > 0;
}

type Changes = { readonly live: ReleaseId | null; readonly commits: readonly Commit[] };

/** The commits that people are asked about, where the release has gates: git is asked before the transaction. */
async function changesBefore(
  world: World,
  release: ReleaseRow,
  { gates }: EnvironmentSpec,
  { environment, kind }: StartDeployment,
): Promise<Changes | null> {
  if (gates === undefined || kind === "rollback") return null;
  const place = await findEnvironment(world.store.db, { product: release.product, environment });
  return { live: place?.live_release_id ?? null, commits: await changesFor(world, release, environment) };
}

/** Asked inside the transaction: retention may have pruned it a moment ago. */
async function mustBeKept(trx: Trx, { id, number }: ReleaseRow): Promise<void> {
  const { pruned_at } = await releaseRow(trx, id);
  if (pruned_at === null) return;
  throw new SlipwayError("ARTIFACT_MISSING", {
    message: `the artifacts of r${number} were pruned at ${timeText(pruned_at, "UTC")}`,
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
  row: EnvironmentRow | undefined,
  {
    release,
    spec,
    input,
  }: { readonly release: ReleaseRow; readonly spec: EnvironmentSpec; readonly input: StartDeployment },
): Promise<void> {
  if (row?.locked_by != null && input.kind !== "rollback" && input.whenLocked !== "wait") {
    throw new SlipwayError("ENVIRONMENT_LOCKED", {
      message: `${input.environment} is locked by ${row.locked_by}: ${row.locked_reason}`,
      evidence: [["since", timeText(row.locked_at ?? 0, "UTC")]],
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
  readonly input: StartDeployment;
  readonly id: DeploymentId;
  readonly whenBusy: RolloutSpec["whenBusy"];
  readonly mustPass: boolean;
};

/** True when no other deployment is before it. What is under way is not called off for one that may have to wait: its gates see to that. */
async function makeRoom(
  world: World,
  trx: Trx,
  { release, input, id, whenBusy, mustPass }: Admission,
): Promise<boolean> {
  const place = { product: release.product, environment: input.environment };
  const open = await openDeployments(trx, place);
  if (whenBusy === "replace" || input.kind === "rollback" || input.overtakes !== undefined)
    await callOffGated(world, trx, { ...place, input, by: id });
  if (open.length === 0) return true;
  if (whenBusy === "refuse") {
    const [first] = open;
    throw new SlipwayError("DEPLOYMENT_IN_PROGRESS", {
      message: `${first?.id} is under way in ${input.environment} (${first?.phase})`,
      evidence: [
        ["started by", first?.created_by ?? "?"],
        ["now", first?.reason ?? "?"],
      ],
    });
  }
  if (whenBusy === "queue" || mustPass) return false;
  await askToMakeWay(trx, open, { by: id, actor: input.actor, now: world.clock.now(), newId: world.newId });
  return false;
}

/** What waits at its gates ends here: it has no workflow yet that could be asked. */
async function callOffGated(
  world: World,
  trx: Trx,
  {
    product,
    environment,
    input,
    by,
  }: {
    readonly product: string;
    readonly environment: EnvironmentName;
    readonly input: StartDeployment;
    readonly by: DeploymentId;
  },
): Promise<void> {
  for (const row of await gatedDeployments(trx, { product, environment })) {
    if (input.overtakes !== undefined && row.created_by !== input.overtakes) continue;
    const reason = input.kind === "rollback" ? `${environment} goes back by ${by}; ask again` : `replaced by ${by}`;
    await cancelQueued(trx, row, { actor: input.actor, reason, now: world.clock.now() });
  }
}

type Asked = {
  readonly id: DeploymentId;
  readonly release: ReleaseRow;
  readonly input: StartDeployment;
  readonly phase: "queued" | "gated";
  readonly changes: Changes | null;
};

/** The environment's first row. */
async function insertEnvironment(
  world: World,
  trx: Trx,
  { product, environment }: { readonly product: string; readonly environment: EnvironmentName },
): Promise<void> {
  await trx
    .insertInto("environment")
    .values({
      product,
      name: environment,
      live_release_id: null,
      locked_by: null,
      locked_reason: null,
      locked_at: null,
      traffic: JSON.stringify(noTraffic),
      updated_at: world.clock.now(),
    })
    .execute();
}

function rowOf(world: World, { id, release, input, phase, changes }: Asked): DeploymentRow {
  return {
    id,
    product: release.product,
    environment: input.environment,
    release_id: release.id,
    stable_id: null,
    kind: input.kind,
    phase,
    state: "",
    version: 0,
    reason: input.reason,
    // What is live when its turn comes is not known yet; git is asked when it has become live itself.
    change_log: input.kind === "rollback" ? "[]" : changes === null ? release.commits : JSON.stringify(changes.commits),
    created_at: world.clock.now(),
    created_by: input.actor,
    started_at: null,
    live_at: null,
    detected_at: null,
    restored_at: null,
    ended_at: null,
  };
}

async function insertDeployment(trx: Trx, row: DeploymentRow, evidence: readonly Evidence[] = []): Promise<void> {
  await trx.insertInto("deployment").values(row).execute();
  await appendHistory(trx, {
    at: row.created_at,
    product: row.product,
    environment: row.environment,
    deployment: row.id,
    release: row.release_id,
    event: `deployment.${row.phase}`,
    actor: row.created_by,
    reason: row.reason,
    evidence,
  });
}
