import type { Deployment } from "../../core/deploy/deployment.ts";
import { releasesAtFullTraffic, type Traffic, type TrafficTarget } from "../../core/deploy/traffic.ts";
import type { DeploymentId, ReleaseId, RevisionId } from "../../core/ids.ts";
import type { ServiceSpec } from "../../core/product/spec.ts";
import { waysKept } from "../../core/release/retention.ts";
import { type Attempt, rollbackTarget, waysBack } from "../../core/release/standing.ts";
import type { RouteTable } from "../../ports/edge.ts";
import type { DeploymentRow, EnvironmentRow, RevisionRow } from "../../ports/tables.ts";
import { api, environment, product, type Shape, specOf } from "./product.ts";
import { Scaling } from "./scaling.ts";
import type { Noted, SimDatabase } from "./store.ts";
import { Tending } from "./tending.ts";

/** The promises of the design that a simulated world can hold the engine to. */
export const promises = {
  answered: "a request is answered by a healthy revision, whatever is deployed, taken back or dies",
  resumes: "a control plane may die at any instant: every deployment comes to its end",
  "one release": "at every end of a deployment exactly one release is at 100 %",
  "can go back": "what a rollback needs is never pruned",
  "baked first": "nothing is called succeeded before its bake has passed",
  "who, when, why": "every change of state is in the history, and the history is never truncated",
  enough: "a rolling deployment stops what answers only where all but a batch of the others answer",
  replaced: "what ran on a host that is lost runs on the others, and users are sent there",
  tended: "unhealthy instances are restarted, one at a time, and none that a rollout has",
  scaled: "instances follow the load, within their limits, never beside a rollout, and down again",
  ruled: "what a rule of the config finds failing is taken back, what does not fail is not, and a dry run does nothing",
  discreet: "a value of the environment is in no log and in no line of the history",
} as const;

export type PromiseName = keyof typeof promises;

export type Broken = { readonly promise: PromiseName; readonly what: string; readonly atMs: number };

/** Rounded moments may be so far apart. */
const roundingMs = 2;

type Phase = { readonly is: string; readonly atMs: number };

/** Which phase may follow which, as drawn in core/deploy/deployment.ts. The same again is a note, not a step. */
const undoing = ["restoring", "unshifting", "cleaning", "failed", "rolled-back", "cancelled", "rollback-failed"];
const follows: Readonly<Record<string, readonly string[]>> = {
  gated: ["approved", "queued", "cancelled"],
  approved: ["approved", "queued", "cancelled"],
  queued: ["starting", "cancelled", "succeeded", "failed"],
  starting: ["verifying", "paused", ...undoing],
  verifying: ["starting", "shifting", "paused", ...undoing],
  watching: ["waiting", "starting", "shifting", ...undoing],
  waiting: ["watching", "starting", "shifting", ...undoing],
  paused: ["starting", ...undoing],
  shifting: ["draining", "watching", "waiting", ...undoing],
  draining: ["starting", "paused", "held", "baking", "retiring", ...undoing],
  baking: ["held", "retiring", ...undoing],
  held: ["baking", "retiring", ...undoing],
  retiring: ["succeeded", ...undoing],
  restoring: ["unshifting", "cleaning", "rollback-failed"],
  unshifting: ["cleaning", "restoring", "rollback-failed"],
  cleaning: ["failed", "rolled-back", "cancelled"],
};

const ends: ReadonlySet<string> = new Set(["succeeded", "failed", "rolled-back", "cancelled", "rollback-failed"]);

/** What one deployment has been through, from the history alone. */
export type Course = { readonly id: DeploymentId; readonly phases: Phase[]; readonly release: ReleaseId | null };

/** Looks at what happens and says which promise it breaks. Reads the store past the engine, and changes nothing. */
export class Promises {
  readonly broken: Broken[] = [];
  readonly courses = new Map<DeploymentId, Course>();
  readonly #database: () => SimDatabase;
  readonly #nowMs: () => number;
  readonly tending = new Tending();
  readonly scaling: Scaling;
  /** At the last look, the next one first. */
  #waysBack: readonly ReleaseId[] = [];
  #rows = 0;

  constructor(database: () => SimDatabase, nowMs: () => number) {
    this.#database = database;
    this.scaling = new Scaling(database);
    this.#nowMs = nowMs;
  }

  break(promise: PromiseName, what: string): void {
    // The first one says it; a thousand more of the same kind say no more.
    if (this.broken.some((each) => each.promise === promise)) return;
    this.broken.push({ promise, what, atMs: this.#nowMs() });
  }

  /** Those that have not ended. */
  open(): Course[] {
    return [...this.courses.values()].filter(({ phases }) => !ends.has(phases.at(-1)?.is ?? ""));
  }

  /** What is live, as it is recorded. */
  live(): ReleaseId | null {
    return this.#environment()?.live_release_id ?? null;
  }

  /** The one that ended last. */
  lastEnded(): Course | undefined {
    const ended = [...this.courses.values()].filter(({ phases }) => ends.has(phases.at(-1)?.is ?? ""));
    return ended.toSorted((a, b) => (b.phases.at(-1)?.atMs ?? 0) - (a.phases.at(-1)?.atMs ?? 0))[0];
  }

  onHistory(row: Noted, secret: string, shapeOf: (release: ReleaseId) => Shape): void {
    this.#rows += 1;
    const { event, actor, reason, evidence } = row;
    if (actor === "" || reason === "" || row.at === 0) this.break("who, when, why", `${event} has no who, when or why`);
    const tended = event.startsWith("instance.") ? this.tending.onHistory(row, this.open(), this.live()) : null;
    if (tended !== null) this.break("tended", tended);
    const live = event.startsWith("service.") ? this.live() : null;
    const scaled = this.scaling.onHistory(row, this.open(), live === null ? null : shapeOf(live));
    if (scaled !== null) this.break("scaled", scaled);
    if (`${reason}${evidence}`.includes(secret)) this.break("discreet", `the history tells it: ${reason}`);
    if (row.deployment_id === null || !event.startsWith("deployment.") || event === "deployment.ignored") return;
    const is = event.slice("deployment.".length);
    const course = this.courses.get(row.deployment_id) ?? {
      id: row.deployment_id,
      phases: [],
      release: row.release_id,
    };
    this.courses.set(course.id, course);
    const before = course.phases.at(-1)?.is;
    if (before !== undefined && before !== is && !(follows[before] ?? []).includes(is))
      this.break("who, when, why", `${course.id} went from ${before} to ${is}`);
    course.phases.push({ is, atMs: this.#nowMs() });
  }

  /** Looked at in the moment in which the end of a deployment has been committed. */
  onEnd(course: Course, shapeOf: (release: ReleaseId) => Shape, table: RouteTable | null): void {
    const row = this.#deployment(course.id);
    if (row === undefined || row.state === "") return;
    const state = JSON.parse(row.state) as Deployment;
    if (row.phase === "succeeded" && row.kind !== "rollback") this.#mustHaveBaked(course, shapeOf(row.release_id));
    if ("failure" in state.phase && state.phase.failure.code === "INTERNAL")
      this.break("resumes", `${row.id} ended by a bug: ${state.phase.failure.message}`);
    // One that ends while it waits for its turn says nothing of the one that has it.
    if (this.open().every(({ phases }) => phases.at(-1)?.is === "queued")) this.#oneRelease(row, table);
    this.canGoBack(row.id, shapeOf);
  }

  #mustHaveBaked({ id, phases }: Course, { bakeMs }: Shape): void {
    let baked = 0;
    phases.forEach(({ is, atMs }, index) => {
      if (is === "baking") baked += (phases[index + 1]?.atMs ?? atMs) - atMs;
    });
    // Three moments are rounded to a millisecond where a control plane died in between.
    if (baked < bakeMs - roundingMs)
      this.break("baked first", `${id} succeeded after ${Math.round(baked)} of ${bakeMs} ms`);
  }

  #oneRelease(row: DeploymentRow, table: RouteTable | null): void {
    const at = this.#environment();
    if (at === undefined) return;
    const traffic = JSON.parse(at.traffic) as Traffic;
    const full = releasesAtFullTraffic(traffic);
    const live = at.live_release_id;
    const wanted = row.phase === "succeeded" ? row.release_id : live;
    if (live !== wanted)
      this.break("one release", `${row.id} succeeded, and ${live} is live instead of ${row.release_id}`);
    if (full.some((release) => release !== live))
      this.break("one release", `${full.join(", ")} has all traffic; live is ${live}`);
    if (traffic.routesOf !== live)
      this.break("one release", `the routes are those of ${traffic.routesOf}; live is ${live}`);
    // Where the way back failed, or nobody could tell it, the edge may not be there yet: that is looked at when all is at rest.
    if (row.phase === "rollback-failed" || table === null) return;
    for (const [service, { targets }] of Object.entries(table.services)) {
      const weighted = targets.filter(({ weight }) => weight > 0);
      if (weighted.length !== 1 || weighted[0]?.release !== live)
        this.break(
          "one release",
          `${row.id} is ${row.phase}, and ${service} goes to ${weighted.map(({ release, weight }) => `${release} ${weight}`).join(", ")}; live is ${live}`,
        );
    }
  }

  /**
   * Where rollbacks in a row were to go at the look before is still there, and of where they are to go now something is kept. Between two
   * looks nothing ends that would change it, so whatever has been pruned was pruned with the same before its eyes.
   */
  canGoBack(after: string, shapeOf: (release: ReleaseId) => Shape): void {
    for (const way of this.#waysBack) {
      const [release] = this.#database().rows<{ pruned_at: number | null }>(
        "select pruned_at from release where id = ?",
        way,
      );
      if (release?.pruned_at != null)
        this.break("can go back", `after ${after}: ${way} was pruned, and a rollback goes there`);
    }
    const live = this.live();
    if (live === null) return;
    const { releases } = specOf(shapeOf(live)).retention;
    this.#waysBack = waysBack(live, this.#attempts(), waysKept(releases));
    for (const way of this.#waysBack) {
      const [kept] = this.#database().rows<{ count: number }>(
        "select count(*) as count from revision where release_id = ? and role != 'removed'",
        way,
      );
      if (kept?.count === 0) this.break("can go back", `after ${after}: nothing of ${way} is kept`);
    }
  }

  /** Where a rollback would go now, of all that is kept. */
  wayBack(): ReleaseId | null {
    return rollbackTarget(this.live(), this.#attempts());
  }

  /** What must hold where nothing is under way and nothing is wrong any more; the first thing that does not, or null. */
  atRest(
    shapeOf: (release: ReleaseId) => Shape,
    table: RouteTable | null,
    wanted: ReadonlyMap<RevisionId, number>,
  ): string | null {
    const at = this.#environment();
    if (at === undefined || at.live_release_id === null) return null;
    const live = at.live_release_id;
    const traffic = JSON.parse(at.traffic) as Traffic;
    if (table === null) return "the edge has no table";
    for (const [service, targets] of Object.entries<readonly TrafficTarget[]>(traffic.services)) {
      const routed = table.services[`${product}/${environment}/${service}`]?.targets ?? [];
      const shares = (all: readonly { readonly revision: RevisionId; readonly weight: number }[]) =>
        all.map(({ revision, weight }) => `${revision} ${weight}`).join(", ");
      if (shares(routed) !== shares(targets))
        return `the edge routes ${service} to ${shares(routed)}, not to ${shares(targets)}`;
      if (routed.some(({ weight, instances }) => weight > 0 && instances.length === 0))
        return `the edge knows no instance of ${service}`;
    }
    if (this.scaling.isUnderWay()) return "the number of instances is being changed";
    const spec = specOf(shapeOf(live));
    const services = Object.values<ServiceSpec>(spec.services).filter(({ kind }) => kind !== "job");
    const revisions = this.#database().rows<RevisionRow>("select * from revision");
    for (const each of services) {
      const { name } = each;
      const instances = this.scaling.countOf(spec, each);
      const stable = revisions.filter(({ service, role }) => service === name && role === "stable");
      if (stable.length !== 1 || stable[0]?.release_id !== live)
        return `${stable.length} revisions of ${name} are stable`;
      const runs = wanted.get(stable[0].id) ?? 0;
      if (runs !== instances) return `${runs} of ${instances} instances of ${stable[0].id} are wanted`;
    }
    const { scale } = shapeOf(live);
    for (const { instances, release } of traffic.services[api] ?? [])
      if (scale !== null && release === live && (instances < scale.min || instances > scale.max))
        return `${instances} instances of ${api} take requests, and the limits are ${scale.min} to ${scale.max}`;
    for (const { id, role } of revisions) {
      const runs = wanted.get(id);
      if ((role === "removed" || role === "stopped") && (runs ?? 0) > 0) return `${id} is ${role}, and runs`;
      if (role === "removed" && runs !== undefined) return `${id} is removed, and is there`;
    }
    return null;
  }

  /** At the end of a world: of what was written nothing is missing, and no code has given up. */
  atEnd(): void {
    const [history] = this.#database().rows<{ count: number }>("select count(*) as count from history");
    if (history?.count !== this.#rows) this.break("who, when, why", `${history?.count} rows of ${this.#rows} are left`);
    for (const { id, error } of this.#database().rows<{ id: string; error: string }>(
      "select id, error from workflow where status = 'failed'",
    ))
      this.break("resumes", `the workflow of ${id} failed: ${error}`);
    for (const row of this.#database().rows<DeploymentRow>("select * from deployment")) {
      const noted = (this.courses.get(row.id)?.phases.length ?? 0) - 1;
      if (row.version !== noted)
        this.break("who, when, why", `${row.id} has version ${row.version} and ${noted} changes in the history`);
    }
  }

  #deployment(id: DeploymentId): DeploymentRow | undefined {
    return this.#database().rows<DeploymentRow>("select * from deployment where id = ?", id)[0];
  }

  #environment(): EnvironmentRow | undefined {
    return this.#database().rows<EnvironmentRow>("select * from environment")[0];
  }

  /** As the engine reads them. */
  #attempts(): Attempt[] {
    const rows = this.#database().rows<DeploymentRow & { first: number; last: number; pruned_at: number | null }>(
      `select d.release_id, d.stable_id, d.kind, d.phase, d.ended_at, r.pruned_at, (select min(id) from history where deployment_id = d.id) as first,
         (select max(id) from history where deployment_id = d.id) as last
       from deployment d join release r on r.id = d.release_id where d.started_at is not null`,
    );
    return rows.map((row) => ({
      release: row.release_id,
      phase: row.phase,
      begun: row.first,
      ended: row.ended_at === null ? null : row.last,
      tookAway: row.kind === "rollback" ? row.stable_id : null,
      kept: row.pruned_at === null,
    }));
  }
}
