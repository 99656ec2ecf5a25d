import { type Deployment, type Failure, hasEnded, type Wait } from "../core/deploy/deployment.ts";
import type { Traffic } from "../core/deploy/traffic.ts";
import { catalogue } from "../core/errors/catalogue.ts";
import { type Evidence, SlipwayError } from "../core/errors/error.ts";
import { decideGates } from "../core/gates/decide.ts";
import { decideStepGates } from "../core/gates/step.ts";
import type {
  DeploymentId,
  Digest,
  EnvironmentName,
  EpochMs,
  InstanceId,
  ReleaseId,
  RevisionId,
  ServiceName,
} from "../core/ids.ts";
import { type Counts, noCounts } from "../core/judge/counts.ts";
import { type Metric, metricOf } from "../core/metric/catalogue.ts";
import { visitUrl } from "../core/product/visit-url.ts";
import { type Restore, restorable, restoreOf } from "../core/recover/restore.ts";
import { accessoriesIn } from "../engine/accessories/state.ts";
import { awaitedBy } from "../engine/deploy/awaited.ts";
import { gatedDeployments, openDeployments } from "../engine/deploy/open.ts";
import { findEnvironment } from "../engine/environment.ts";
import { gateInput } from "../engine/gates/read.ts";
import { stepGateInput, stepGatesOf } from "../engine/gates/step.ts";
import { awayHosts } from "../engine/recover/lost-hosts.ts";
import { artifactsOf, releaseRow, releaseView } from "../engine/release/read.ts";
import { releaseRecords } from "../engine/release/records.ts";
import { scaleReadings } from "../engine/scale/standings.ts";
import type { World } from "../engine/world.ts";
import type { DeploymentRow, EnvironmentRow, HistoryRow, ReleaseRow } from "../ports/tables.ts";
import type { RevisionStatus } from "../ports/target.ts";
import type { CanaryView } from "./canary-view.ts";
import type {
  DeploymentDetail,
  DeploymentView,
  EnvironmentView,
  HistoryView,
  ReleaseView,
  ServiceTraffic,
} from "./contract.ts";

/** How many history rows a deployment's detail carries. */
const maxHistory = 200;

export async function releaseViews(world: World, product: string): Promise<ReleaseView[]> {
  const { db } = world.store;
  const rows = await db
    .selectFrom("release")
    .selectAll()
    .where("product", "=", product)
    .orderBy("number", "desc")
    .limit(500)
    .execute();
  const live = await db
    .selectFrom("environment")
    .select(["name", "live_release_id"])
    .where("product", "=", product)
    .execute();
  const records = await releaseRecords(world, product);
  return rows.map((row) => ({
    id: row.id,
    product: row.product,
    number: row.number,
    version: row.version,
    commit: row.commit_hash,
    dirty: row.dirty === 1,
    subject: row.subject,
    author: row.author,
    createdAt: row.created_at,
    createdBy: row.created_by,
    pinned: row.pinned === 1,
    pruned: row.pruned_at !== null,
    live: live.filter((environment) => environment.live_release_id === row.id).map((environment) => environment.name),
    records: records.get(row.id) ?? [],
  }));
}

export async function deploymentViews(
  world: World,
  where: { readonly product: string; readonly environment: EnvironmentName | null; readonly limit: number },
): Promise<DeploymentView[]> {
  let query = world.store.db.selectFrom("deployment").selectAll().where("product", "=", where.product);
  if (where.environment !== null) query = query.where("environment", "=", where.environment);
  const rows = await query.orderBy("created_at", "desc").limit(where.limit).execute();
  return Promise.all(rows.map((row) => deploymentView(world, row)));
}

/** Errors: UNKNOWN_DEPLOYMENT. */
export async function deploymentDetail(world: World, id: DeploymentId): Promise<DeploymentDetail> {
  const { db } = world.store;
  const row = await db.selectFrom("deployment").selectAll().where("id", "=", id).executeTakeFirst();
  if (row === undefined) throw new SlipwayError("UNKNOWN_DEPLOYMENT", { message: `there is no deployment ${id}` });
  const history = await db
    .selectFrom("history")
    .selectAll()
    .where("deployment_id", "=", id)
    .orderBy("id")
    .limit(maxHistory)
    .execute();
  const running = await world.targets.present({ environment: row.environment });
  return {
    ...(await deploymentView(world, row)),
    history: history.map(historyView),
    services: await serviceTraffic(world, await environmentRow(world, row), running),
    transfers: row.ended_at === null ? world.transfers.among(await imagesOf(world, row.release_id)) : [],
    awaits: row.ended_at === null ? awaitedBy(world, row.id) : [],
  };
}

async function imagesOf(world: World, id: ReleaseId): Promise<ReadonlySet<Digest>> {
  const artifacts = Object.values(artifactsOf(await releaseRow(world.store.db, id)));
  return new Set(artifacts.flatMap(({ image }) => image?.digest ?? []));
}

export async function environmentView(
  world: World,
  at: { readonly product: string; readonly name: EnvironmentName },
  running: readonly RevisionStatus[],
): Promise<EnvironmentView> {
  const { db } = world.store;
  const row = await environmentRow(world, { product: at.product, environment: at.name });
  const [under, ...queued] = await openDeployments(db, { product: at.product, environment: at.name });
  const gated = await gatedDeployments(db, { product: at.product, environment: at.name });
  const live = row.live_release_id === null ? null : await shortRelease(world, row.live_release_id);
  const routesOf = (JSON.parse(row.traffic) as Traffic).routesOf;
  return {
    product: at.product,
    name: at.name,
    url: routesOf === null ? null : visitUrl((await releaseView(db, routesOf, at.name)).spec),
    live: live === null ? null : { ...live, ...(await howLive(world, at, live.id)) },
    locked:
      row.locked_by === null ? null : { by: row.locked_by, reason: row.locked_reason ?? "", at: row.locked_at ?? 0 },
    deployment: under === undefined ? null : await deploymentView(world, under),
    restore: await lastRestore(world, at),
    queued: queued.length,
    gated: await Promise.all(gated.map((each) => deploymentView(world, each))),
    services: await serviceTraffic(world, row, running),
    accessories: await accessoriesIn(world, { product: at.product, environment: at.name }, running),
    certificates: world.certificates
      .of({ product: at.product, environment: at.name })
      .filter(({ is }) => is !== "well"),
    firing: [...world.standings.values()]
      .filter(({ place, look }) => place.environment === at.name && look.is === "firing")
      .map(({ rule, look }) => ({ rule: rule.name, says: look.reason })),
    away: await awayIn(world, at, row.live_release_id),
  };
}

async function awayIn(
  world: World,
  { product, name: environment }: { readonly product: string; readonly name: EnvironmentName },
  live: ReleaseId | null,
): Promise<EnvironmentView["away"]> {
  if (live === null) return [];
  const { target } = (await releaseView(world.store.db, live, environment)).spec;
  return awayHosts(world, { product, environment, target });
}

async function lastRestore(
  world: World,
  { product, name }: { readonly product: string; readonly name: EnvironmentName },
): Promise<EnvironmentView["restore"]> {
  const row = await world.store.db
    .selectFrom("history")
    .select(["at", "event", "reason"])
    .where("product", "=", product)
    .where("environment", "=", name)
    .where("event", "in", ["restore.met", "restore.missed"])
    .orderBy("id", "desc")
    .limit(1)
    .executeTakeFirst();
  return row === undefined ? null : { at: row.at, met: row.event === "restore.met", reason: row.reason };
}

export function historyView(row: HistoryRow): HistoryView {
  return {
    at: row.at,
    environment: row.environment,
    deployment: row.deployment_id,
    event: row.event,
    actor: row.actor,
    reason: row.reason,
    evidence: JSON.parse(row.evidence) as readonly Evidence[],
  };
}

export async function deploymentView(world: World, row: DeploymentRow): Promise<DeploymentView> {
  const state = row.state === "" ? null : (JSON.parse(row.state) as Deployment);
  return {
    id: row.id,
    product: row.product,
    environment: row.environment,
    kind: row.kind,
    release: await shortRelease(world, row.release_id),
    stable: row.stable_id === null ? null : await shortRelease(world, row.stable_id),
    phase: row.phase,
    ended: row.ended_at !== null,
    reason: row.reason,
    failure: failureOf(state),
    bakeUntil: state?.phase.is === "baking" ? state.phase.until : null,
    canary: state === null ? null : canaryView(state),
    gates: await readingsOf(world, row),
    createdAt: row.created_at,
    createdBy: row.created_by,
    startedAt: row.started_at,
    exposedAt: state?.exposedAt ?? null,
    liveAt: row.live_at,
    detectedAt: row.detected_at,
    restoredAt: row.restored_at,
    restore: state === null ? null : await restoreView(world, row, state),
    endedAt: row.ended_at,
  };
}

async function readingsOf(world: World, row: DeploymentRow): Promise<DeploymentView["gates"]> {
  const { db } = world.store;
  const now = world.clock.now();
  if (row.phase === "gated") return decideGates(await gateInput(world, db, row), now).readings;
  const at = stepGatesOf(row);
  return at === null ? null : decideStepGates(await stepGateInput(world, db, row, at), now).readings;
}

/** The release is read only where there is something to tell. */
async function restoreView(world: World, row: DeploymentRow, deployment: Deployment): Promise<Restore | null> {
  const seen = { kind: row.kind, createdBy: row.created_by, createdAt: row.created_at, deployment };
  if (restoreOf(seen, []) === null) return null;
  const { spec } = await releaseView(world.store.db, row.release_id, row.environment);
  return restoreOf(seen, restorable(deployment.course.rollouts, spec.services));
}

function canaryView({ course, phase, shifted, steps = [] }: Deployment): CanaryView | null {
  if (course.canary === undefined) return null;
  const count = course.canary.steps.length;
  const isOver = hasEnded(phase) || "end" in phase;
  return {
    steps: course.canary.steps.map(({ weight }, index) => ({ weight, end: steps[index] ?? null })),
    step: isOver || shifted === 0 || shifted > count ? null : shifted,
    watchedUntil: phase.is === "watching" ? phase.until : null,
    watchMs: phase.is === "watching" ? (course.canary.steps[phase.stage]?.bakeMs ?? null) : null,
    waits: phase.is === "waiting" ? waitView(phase.for) : null,
  };
}

function waitView(wait: Wait): NonNullable<CanaryView["waits"]> {
  switch (wait.is) {
    case "pause":
      return { for: "resume", why: `paused by ${wait.by}` };
    case "promotion":
      return { for: "promotion", why: wait.note };
    case "evidence":
      return { for: "evidence", why: wait.missing };
    case "gates":
      return { for: "gates", why: wait.note };
  }
}

function failureOf(state: Deployment | null): Failure | null {
  if (state === null) return null;
  const { phase } = state;
  const failure = "failure" in phase ? phase.failure : !hasEnded(phase) && "end" in phase ? phase.end.failure : null;
  return failure === null ? null : { ...failure, hint: failure.hint ?? catalogue[failure.code].hint };
}

/** Rows of environments are never removed: one that is missing is a bug. */
async function environmentRow(world: World, at: Parameters<typeof findEnvironment>[1]): Promise<EnvironmentRow> {
  const row = await findEnvironment(world.store.db, at);
  if (row === undefined) throw new Error(`there is no environment ${at.environment}`);
  return row;
}

async function serviceTraffic(
  world: World,
  environment: EnvironmentRow,
  running: readonly RevisionStatus[],
): Promise<ServiceTraffic[]> {
  const traffic = JSON.parse(environment.traffic) as Traffic;
  const rows = await world.store.db
    .selectFrom("revision")
    .innerJoin("release", "release.id", "revision.release_id")
    .select(["revision.id", "revision.service", "revision.role", "revision.release_id", "release.number"])
    .where("revision.product", "=", environment.product)
    .where("revision.environment", "=", environment.name)
    .where("revision.role", "in", ["candidate", "stable", "warm"])
    .orderBy("revision.service")
    .orderBy("release.number", "desc")
    .execute();
  const services = new Map<ServiceName, ServiceTraffic["revisions"][number][]>();
  for (const row of rows) {
    const counts = countsOf(world, row.id);
    const list = services.get(row.service) ?? [];
    services.set(row.service, list);
    list.push({
      revision: row.id,
      release: row.release_id,
      number: row.number,
      role: row.role,
      weight: weightOf(traffic, row),
      instances: (running.find((revision) => revision.id === row.id)?.instances ?? []).map((instance) => ({
        id: instance.id,
        state: instance.state,
        address: instance.address,
        host: instance.host,
        lastSeen: instance.lastSeen ?? null,
        restarts: instance.restarts,
        healthy: isHealthy(world, environment.name, instance.id),
        cpu: instance.cpu,
        memoryBytes: instance.memoryBytes,
      })),
      requests: counts.requests,
      errors: counts.errors,
    });
  }
  const readings = await scaleReadings(world, { product: environment.product, environment: environment.name });
  const limits = new Map(readings.map((reading) => [reading.service, reading.limits]));
  return [...services].map(([service, revisions]) => ({ service, limits: limits.get(service) ?? null, revisions }));
}

const health = metricOf("health") as Metric;

function isHealthy({ metrics }: World, environment: EnvironmentName, instance: InstanceId): boolean | null {
  const seen = metrics.measure({ metric: health, labels: { environment, instance }, windowMs: 0, take: "last" });
  return seen.is === "unknown" ? null : seen.value >= 1;
}

/** Of the one edge that has counted the revision; an environment that moves to another begins anew there. */
function countsOf(world: World, revision: RevisionId): Counts {
  const seen = world.edges.all().map(({ counts }) => counts.of(revision));
  return seen.reduce((a, b) => ({ requests: a.requests + b.requests, errors: a.errors + b.errors }), noCounts);
}

function weightOf(traffic: Traffic, row: { readonly service: ServiceName; readonly id: RevisionId }): number | null {
  const targets = traffic.services[row.service];
  return targets === undefined ? null : (targets.find((target) => target.revision === row.id)?.weight ?? 0);
}

type ShortRelease = { id: ReleaseId; number: number; version: string; subject: string };

async function shortRelease(world: World, id: ReleaseId): Promise<ShortRelease> {
  const row: Pick<ReleaseRow, "id" | "number" | "version" | "subject"> = await world.store.db
    .selectFrom("release")
    .select(["id", "number", "version", "subject"])
    .where("id", "=", id)
    .executeTakeFirstOrThrow();
  return row;
}

/** Since when it is, by whose word, and of which commit. */
async function howLive(
  { store: { db } }: World,
  at: { readonly product: string; readonly name: EnvironmentName },
  release: ReleaseId,
): Promise<{ readonly since: EpochMs; readonly by: string | null; readonly commit: string }> {
  const { commit_hash: commit } = await releaseRow(db, release);
  const rows = await db
    .selectFrom("deployment")
    .select(["live_at", "ended_at", "created_at", "created_by"])
    .where("product", "=", at.product)
    .where("environment", "=", at.name)
    .where("release_id", "=", release)
    .execute();
  const live = rows.filter(({ live_at }) => live_at !== null);
  // One that stayed only because nothing was there before, and that the edge could not take, was never live in full.
  const told = (live.length > 0 ? live : rows).map(({ live_at, ended_at, created_at, created_by }) => ({
    since: live_at ?? ended_at ?? created_at,
    by: created_by,
  }));
  const newest = told.toSorted((a, b) => b.since - a.since)[0];
  return { since: newest?.since ?? 0, by: newest?.by ?? null, commit };
}
