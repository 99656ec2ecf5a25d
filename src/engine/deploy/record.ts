import type { OnConflictBuilder } from "kysely";
import { self } from "../../core/actor.ts";
import { type Clocks, dated, redated } from "../../core/deploy/clocks.ts";
import { courseOf } from "../../core/deploy/course.ts";
import { begin, decide } from "../../core/deploy/decide.ts";
import { type Deployment, type DeploymentEvent, type Failure, hasEnded } from "../../core/deploy/deployment.ts";
import { rolesOf } from "../../core/deploy/roles.ts";
import { type Traffic, type TrafficTarget, trafficOf, withLeftBehind } from "../../core/deploy/traffic.ts";
import type { Evidence } from "../../core/errors/error.ts";
import type { DeploymentId, EpochMs, ReleaseId } from "../../core/ids.ts";
import { restorable, restoreOf, restoreText } from "../../core/recover/restore.ts";
import { rootUsers } from "../../core/release/root-user.ts";
import { standingOf } from "../../core/release/standing.ts";
import type { HeldCounts } from "../../core/scale/count.ts";
import type { Db, Trx } from "../../ports/store.ts";
import type { Database, DeploymentRow } from "../../ports/tables.ts";
import { attemptsIn } from "../commands/attempts.ts";
import { findEnvironment } from "../environment.ts";
import { appendHistory } from "../history.ts";
import { artifactsOf, releaseFacts, releaseView } from "../release/read.ts";
import { heldCounts } from "../scale/held.ts";
import { openRequests, requestEvent } from "./requests.ts";

/** Fixes the course from what is live now, records the first state and its revisions. Repeating it changes nothing. */
export async function recordBegin(trx: Trx, id: DeploymentId, now: EpochMs): Promise<Deployment | null> {
  const row = await deploymentRow(trx, id);
  if (row.phase !== "queued") return row.state === "" ? null : (JSON.parse(row.state) as Deployment);
  const [asked] = (await openRequests(trx, id)).filter((request) => request.kind === "cancel");
  if (asked !== undefined) {
    await cancelQueued(trx, row, { actor: asked.actor, reason: asked.reason, now });
    return null;
  }
  const live = (await findEnvironment(trx, row))?.live_release_id ?? null;
  return recordFirst(trx, { row, live, held: await heldCounts(trx, row) }, now);
}

/** A deployment whose turn it is, what is live before it, and what its services have been brought to. */
type Due = { readonly row: DeploymentRow; readonly live: ReleaseId | null; readonly held: HeldCounts };

/** The same for a row that was written in this very transaction: nobody can have begun it, or asked anything of it. */
export async function recordFirst(trx: Trx, { row, live, held }: Due, now: EpochMs): Promise<Deployment | null> {
  if (live === row.release_id) {
    await endBeforeBegin(trx, row, { failure: await failureOfLive(trx, row), actor: self, now });
    return null;
  }
  const deployment = begin(
    courseOf({
      id: row.id,
      kind: row.kind,
      release: await releaseView(trx, row.release_id, row.environment),
      stable: live === null ? null : await releaseView(trx, live, row.environment),
      held,
      isKept: await isKept(trx, row),
    }),
  );
  const reason = ["started", ...(await warningsOf(trx, row))].join("; ");
  await write(trx, { row, before: null, deployment, actor: self, reason, now });
  return deployment;
}

/** What its plan has warned of, for those who did not look at it. */
async function warningsOf(trx: Trx, { release_id, environment }: DeploymentRow): Promise<readonly string[]> {
  const { spec } = await releaseView(trx, release_id, environment);
  if (spec.target.driver === "process") return [];
  return rootUsers(spec, artifactsOf(await releaseFacts(trx, release_id))).flatMap(({ policy, says }) =>
    policy === "warn" ? [says] : [],
  );
}

/** Whether anything of the release is there from before, running or stopped. */
async function isKept(trx: Trx, { product, environment, release_id }: DeploymentRow): Promise<boolean> {
  const kept = await trx
    .selectFrom("revision")
    .select("id")
    .where("product", "=", product)
    .where("environment", "=", environment)
    .where("release_id", "=", release_id)
    .where("role", "in", ["warm", "stopped"])
    .limit(1)
    .executeTakeFirst();
  return kept !== undefined;
}

/** Null when it is live and good. A first release that failed stays live, for want of another: asking again does not make it pass a bake. */
async function failureOfLive(trx: Trx, row: DeploymentRow): Promise<Failure | null> {
  if (standingOf(row.release_id, await attemptsIn(trx, row.product, row.environment)) === "good") return null;
  const before = await trx
    .selectFrom("deployment")
    .select(["id", "reason"])
    .where("product", "=", row.product)
    .where("environment", "=", row.environment)
    .where("release_id", "=", row.release_id)
    .where("live_at", "is not", null)
    .orderBy("live_at", "desc")
    .executeTakeFirst();
  return {
    code: "RELEASE_KNOWN_BAD",
    message: "it is live already, but has failed here; deploy another release",
    evidence: before === undefined ? [] : [[before.id, before.reason]],
    service: null,
  };
}

/** Decides on the event, then on every open request, and records each decision with its reason. */
export async function recordEvent(
  trx: Trx,
  id: DeploymentId,
  event: DeploymentEvent | null,
  clocks: Clocks,
): Promise<Deployment> {
  const now = clocks.wallMs;
  let row = await deploymentRow(trx, id);
  let deployment = redated(JSON.parse(row.state) as Deployment, clocks);
  const take = async (next: DeploymentEvent): Promise<void> => {
    const decision = decide(deployment, next, now);
    const before = deployment;
    const moved = decision.next !== before;
    if (moved) deployment = dated(decision.next, clocks);
    const actor = next.is === "asked" ? next.by : self;
    if (moved)
      row = await write(trx, { row, before, deployment, actor, reason: decision.reason, now, ...evidenceIn(next) });
    else if (next.is === "asked")
      await appendHistory(trx, { ...entryOf(row, now), event: "deployment.ignored", actor, reason: decision.reason });
  };
  if (event !== null) await take(event);
  for (const request of await openRequests(trx, id)) {
    // A rule that comes too late must not make a failure of the way back, nor of what has ended well.
    if (request.kind !== "fail" || canStillFail(deployment.phase)) await take(requestEvent(request));
    await trx.updateTable("request").set({ handled_at: now }).where("id", "=", request.id).execute();
  }
  return deployment;
}

/** Between its first step and the end of its watch. */
export function canStillFail({ is }: Pick<Deployment["phase"], "is">): boolean {
  return !hasEnded({ is } as Deployment["phase"]) && is !== "retiring" && !isGoingBack({ is });
}

/** It has failed, or was called off, and stable is being brought back. */
export function isGoingBack({ is }: Pick<Deployment["phase"], "is">): boolean {
  return is === "restoring" || is === "unshifting" || is === "cleaning";
}

/** The row of a deployment. A missing one is a bug: rows are never removed. */
export async function deploymentRow(trx: Trx | Db, id: DeploymentId): Promise<DeploymentRow> {
  return trx.selectFrom("deployment").selectAll().where("id", "=", id).executeTakeFirstOrThrow();
}

type Written = {
  readonly row: DeploymentRow;
  /** As it was recorded last: what is the same is not written again. Null at the begin. */
  readonly before: Deployment | null;
  readonly deployment: Deployment;
  readonly actor: string;
  readonly reason: string;
  readonly now: EpochMs;
  readonly evidence?: readonly Evidence[];
};

/** State, history, traffic and roles, in the caller's transaction; refused when somebody else moved the deployment first. */
async function write(
  trx: Trx,
  { row, before, deployment, actor, reason, now, evidence }: Written,
): Promise<DeploymentRow> {
  const { course, phase } = deployment;
  const ended = hasEnded(phase);
  const changed: Partial<DeploymentRow> = {
    phase: phase.is,
    state: JSON.stringify(deployment),
    version: row.version + 1,
    reason,
    stable_id: course.stable,
    started_at: row.started_at ?? now,
    live_at: deployment.liveAt,
    detected_at: deployment.detectedAt,
    restored_at: deployment.restoredAt,
    ended_at: ended ? now : null,
  };
  const result = await trx
    .updateTable("deployment")
    .set(changed)
    .where("id", "=", row.id)
    .where("version", "=", row.version)
    .executeTakeFirst();
  if (result.numUpdatedRows !== 1n)
    throw new Error(`${row.id} was moved on by somebody else at version ${row.version}`);
  const traffic = JSON.stringify(trafficOf(deployment));
  if (before === null || ended || traffic !== JSON.stringify(trafficOf(before)))
    await writeTraffic(trx, row, {
      traffic: await besides(trx, row, { traffic, deployment }),
      live: ended ? liveAfter(deployment) : course.stable,
      now,
    });
  await writeRoles(trx, row, { before, deployment, now });
  await writeRetired(trx, row, deployment, now);
  await appendHistory(trx, {
    ...entryOf(row, now),
    event: `deployment.${phase.is}`,
    actor,
    reason,
    ...(evidence === undefined ? {} : { evidence }),
  });
  await writeRestore(trx, row, { before, deployment, now });
  return { ...row, ...changed };
}

/** At the moment at which an automatic way back is over: how long it took, and whether that was soon enough for each service. */
async function writeRestore(
  trx: Trx,
  row: DeploymentRow,
  { before, deployment, now }: Pick<Written, "before" | "deployment" | "now">,
): Promise<void> {
  const seen = { kind: row.kind, createdBy: row.created_by, createdAt: row.created_at };
  if (before === null || restoreOf({ ...seen, deployment: before }, []) !== null) return;
  if (restoreOf({ ...seen, deployment }, []) === null) return;
  const { spec } = await releaseView(trx, row.release_id, row.environment);
  const restore = restoreOf({ ...seen, deployment }, restorable(deployment.course.rollouts, spec.services));
  if (restore === null) return;
  const isMet = restore.services.every(({ met }) => met) && restore.tookMs !== null;
  const event = `restore.${isMet ? "met" : "missed"}`;
  await appendHistory(trx, { ...entryOf(row, now), event, actor: self, reason: restoreText(restore) });
}

/** Which release is at 100 % at this end. */
function liveAfter({ course, phase, shifted }: Deployment): ReleaseId | null {
  if (phase.is === "succeeded") return course.release;
  return course.stable === null && shifted > 0 && phase.is === "failed" ? course.release : course.stable;
}

/** What an earlier way back has left running goes on answering for a stable that does not, until the traffic is moved. */
async function besides(
  trx: Trx,
  row: DeploymentRow,
  { traffic, deployment }: { readonly traffic: string; readonly deployment: Deployment },
): Promise<string> {
  if (deployment.shifted > 0 || deployment.course.stable === null) return traffic;
  const environment = await findEnvironment(trx, row);
  if (environment === undefined) return traffic;
  const recorded = JSON.parse(environment.traffic) as Traffic;
  const behind = Object.values<readonly TrafficTarget[]>(recorded.services)
    .flat()
    .filter(({ fallback, release }) => fallback && release !== row.release_id);
  if (behind.length === 0) return traffic;
  const left = await trx
    .selectFrom("revision")
    .select("id")
    .where("product", "=", row.product)
    .where("environment", "=", row.environment)
    .where("role", "=", "candidate")
    .where("release_id", "!=", row.release_id)
    .execute();
  if (left.length === 0) return traffic;
  const ids = new Set(left.map(({ id }) => id));
  return JSON.stringify(withLeftBehind(JSON.parse(traffic) as Traffic, recorded, (revision) => ids.has(revision)));
}

async function writeTraffic(
  trx: Trx,
  row: DeploymentRow,
  { traffic, live, now }: { readonly traffic: string; readonly live: ReleaseId | null; readonly now: EpochMs },
): Promise<void> {
  const set = { live_release_id: live, traffic, updated_at: now };
  await trx
    .updateTable("environment")
    .set(set)
    .where("product", "=", row.product)
    .where("name", "=", row.environment)
    .execute();
}

async function writeRoles(
  trx: Trx,
  row: DeploymentRow,
  { before, deployment, now }: Pick<Written, "before" | "deployment" | "now">,
): Promise<void> {
  const known = before === null ? null : rolesOf(before);
  const roles = rolesOf(deployment);
  for (const rollout of deployment.course.rollouts) {
    for (const [revision, release] of [
      [rollout.candidate, deployment.course.release],
      [rollout.stable, deployment.course.stable],
    ] as const) {
      const role = revision === null ? undefined : roles.get(revision);
      if (revision === null || release === null || role === undefined || known?.get(revision) === role) continue;
      await trx
        .insertInto("revision")
        .values({
          id: revision,
          product: row.product,
          environment: row.environment,
          service: rollout.service,
          release_id: release,
          role,
          created_at: now,
          updated_at: now,
        })
        .onConflict(newRole)
        .execute();
    }
  }
}

/** Outside of the call, so that a store may keep the query. */
const newRole = (known: OnConflictBuilder<Database, "revision">) =>
  known
    .column("id")
    .doUpdateSet(({ ref }) => ({ role: ref("excluded.role"), updated_at: ref("excluded.updated_at") }))
    .whereRef("revision.role", "!=", "excluded.role");

/** What was warm before is stopped once another release has succeeded: `retire` has seen to it. */
async function writeRetired(trx: Trx, row: DeploymentRow, { course, phase }: Deployment, now: EpochMs): Promise<void> {
  if (phase.is !== "succeeded") return;
  const own = course.rollouts.flatMap((rollout) => [rollout.candidate, rollout.stable]).filter((id) => id !== null);
  await trx
    .updateTable("revision")
    .set({ role: "stopped", updated_at: now })
    .where("product", "=", row.product)
    .where("environment", "=", row.environment)
    .where("role", "in", ["warm", "candidate"])
    .where("id", "not in", own)
    .execute();
}

/** Ends a deployment that waits for its turn or at its gates, because a person says so. */
export async function cancelQueued(
  trx: Trx,
  row: DeploymentRow,
  { actor, reason, now }: { readonly actor: string; readonly reason: string; readonly now: EpochMs },
): Promise<void> {
  const message = `cancelled by ${actor}: ${reason}`;
  await endBeforeBegin(trx, row, { failure: { code: "CANCELLED", message, evidence: [], service: null }, actor, now });
}

/** What people, or the forge, or their silence decided before it began: it says nothing of the release. */
const calledOff: ReadonlySet<string> = new Set([
  "CANCELLED",
  "APPROVAL_REFUSED",
  "APPROVAL_EXPIRED",
  "CHECKS_EXPIRED",
  "CHECKS_FAILED",
]);

/** Ends a deployment before its first step: there is nothing to do, or something against it. */
export async function endBeforeBegin(
  trx: Trx,
  row: DeploymentRow,
  { failure, actor, now }: { readonly failure: Failure | null; readonly actor: string; readonly now: EpochMs },
): Promise<void> {
  const end =
    failure === null ? null : ({ is: calledOff.has(failure.code) ? "cancelled" : "failed", failure } as const);
  const phase = end?.is ?? "succeeded";
  const reason = failure?.message ?? "it is live already; nothing to do";
  // The state is where a failure is read from, like that of any other deployment.
  const state = end === null ? "" : await endedState(trx, row, end);
  await trx
    .updateTable("deployment")
    .set({ phase, state, reason, version: row.version + 1, started_at: now, ended_at: now })
    .where("id", "=", row.id)
    .execute();
  await trx.updateTable("request").set({ handled_at: now }).where("deployment_id", "=", row.id).execute();
  await appendHistory(trx, {
    ...entryOf(row, now),
    event: `deployment.${phase}`,
    actor,
    reason,
    ...(failure === null ? {} : { evidence: failure.evidence }),
  });
}

async function endedState(trx: Trx, row: DeploymentRow, phase: Deployment["phase"]): Promise<string> {
  const release = await releaseView(trx, row.release_id, row.environment);
  const deployment = begin(courseOf({ id: row.id, kind: row.kind, release, stable: null }));
  return JSON.stringify({ ...deployment, phase } satisfies Deployment);
}

function entryOf(row: DeploymentRow, now: EpochMs) {
  return { at: now, product: row.product, environment: row.environment, deployment: row.id, release: row.release_id };
}

function evidenceIn(event: DeploymentEvent): { evidence?: readonly Evidence[] } {
  if (event.is === "failed" || event.is === "refused") return { evidence: event.failure.evidence };
  return event.is === "opened" ? { evidence: event.evidence } : {};
}
