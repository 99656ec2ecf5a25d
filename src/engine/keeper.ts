import { expressionBuilder, type JoinBuilder } from "kysely";
import { type ReleaseView, revisionOf } from "../core/deploy/course.ts";
import { reasonOf } from "../core/errors/error.ts";
import { deploymentId } from "../core/ids.ts";
import type { ServiceSpec } from "../core/product/spec.ts";
import type { Database } from "../ports/tables.ts";
import type { RevisionStatus } from "../ports/target.ts";
import { AccessoriesFirst } from "./accessories/before-services.ts";
import { beginRun } from "./commands/start-run.ts";
import { ensureAccessories } from "./deploy/accessories.ts";
import { beginWorkflow } from "./deploy/open.ts";
import { revisionSpec } from "./deploy/revision-spec.ts";
import { deployKind } from "./deploy/workflow.ts";
import { GateKeeper } from "./gates/gate-keeper.ts";
import { releaseView } from "./release/read.ts";
import { restingCount } from "./scale/held.ts";
import { lostJob, scaleWorkflowOf } from "./scale/job.ts";
import { recordLost } from "./scale/workflow.ts";
import { Troubles } from "./troubles.ts";
import type { World } from "./world.ts";

/** How often the levels are looked at, besides every change the target tells of. */
const lookMs = 5_000;

/**
 * Keeps what is at rest as it is recorded: live revisions run with all their instances, the edge is there and routes to their
 * addresses, every deployment and run in the store has its workflow, and none waits at a gate that is open. What a deployment under way does is its own business.
 */
export class Keeper {
  readonly #world: World;
  readonly #gates: GateKeeper;
  readonly #stop = new AbortController();
  #done: Promise<unknown> = Promise.resolve();
  /** The same trouble again is not news. */
  #lastTrouble = "";

  readonly #first: AccessoriesFirst;
  /** Ends the pause between two looks. */
  #lookNow = (): void => {};

  /** Revisions that cannot be brought to what they should be. */
  readonly #stuck: Troubles;

  /** Revisions that should not run, and cannot be stopped. */
  readonly #left: Troubles;

  constructor(world: World) {
    this.#world = world;
    this.#left = new Troubles(this.#stop.signal, (revision, reason) =>
      world.log.warn("revision.not-stopped", { revision, reason }),
    );
    this.#stuck = new Troubles(this.#stop.signal, (revision, reason) =>
      world.log.warn("revision.not-started", { revision, reason }),
    );
    this.#gates = new GateKeeper(world);
    this.#first = new AccessoriesFirst(world, this.#stop.signal, () => this.#lookNow());
  }

  open(): void {
    this.#done = Promise.all([this.#look(), this.#follow()]);
    this.#gates.open();
  }

  async close(): Promise<void> {
    this.#stop.abort(new Error("the control plane is closing"));
    await Promise.all([this.#done, this.#gates.close()]);
  }

  async #look(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const now = new Promise<void>((resolve) => {
        this.#lookNow = resolve;
      });
      await this.#guarded("keeper.look", async () => {
        await this.#startLostWorkflows();
        await this.#startLostRuns();
        await this.#startLostScalings();
        await this.#runLive();
        await this.#routeToLive();
      });
      await Promise.race([this.#world.clock.sleep(lookMs, signal).catch(() => {}), now]);
    }
  }

  /** An instance that came back elsewhere gets its requests at once, not at the next look. */
  async #follow(): Promise<void> {
    const { signal } = this.#stop;
    const { targets, edges, clock } = this.#world;
    while (!signal.aborted) {
      await this.#guarded("keeper.follow", async () => {
        for await (const running of targets.watch({}, signal)) {
          for (const { router } of edges.all()) {
            if (!router.routesTo(running)) await this.#guarded("keeper.route", () => router.sync());
          }
        }
      });
      await clock.sleep(lookMs, signal).catch(() => {});
    }
  }

  async #startLostWorkflows(): Promise<void> {
    const { store, engine } = this.#world;
    const open = await store.db
      .selectFrom("deployment")
      .select(["id", "product", "environment"])
      .where("ended_at", "is", null)
      // It gets one when its gates open.
      .where("phase", "!=", "gated")
      .orderBy("created_at")
      .execute();
    for (const row of open) {
      const workflow = await engine.get(row.id);
      if (workflow === null) await beginWorkflow(this.#world, row);
      // A bug ended it half-way. The state says where it was, and every effect looks before it acts, so another one goes on.
      else if (workflow.status === "failed" && (await engine.get(`${row.id}/again`)) === null) {
        this.#world.log.error("deployment.workflow-failed", { deployment: row.id, reason: workflow.error });
        await engine.start(
          deployKind,
          `${row.id}/again`,
          { deployment: deploymentId(row.id) },
          { lockKey: `${row.product}/${row.environment}` },
        );
      }
    }
  }

  async #startLostRuns(): Promise<void> {
    const { store, engine, clock, changes } = this.#world;
    const open = await store.db.selectFrom("run").select("id").where("ended_at", "is", null).execute();
    for (const row of open) {
      const workflow = await engine.get(row.id);
      if (workflow === null) await beginRun(this.#world, row.id);
      else if (workflow.status === "failed") {
        this.#world.log.error("run.workflow-failed", { run: row.id, reason: workflow.error });
        const reason = workflow.error ?? "it ended by a bug";
        const failed = { phase: "failed" as const, reason, ended_at: clock.now() };
        await store.db.updateTable("run").set(failed).where("id", "=", row.id).execute();
        changes.announce();
      }
    }
  }

  async #startLostScalings(): Promise<void> {
    const { store, engine } = this.#world;
    const open = await store.db.selectFrom("scale").selectAll().where("operation", "is not", null).execute();
    for (const row of open) {
      const job = await lostJob(store.db, row);
      const workflow = job === null ? null : await engine.get(job.operation);
      if (job === null || workflow?.status === "running" || workflow?.status === "queued") continue;
      if (workflow === null) await engine.start(...scaleWorkflowOf(job));
      else await recordLost(this.#world, job, workflow.error ?? "it ended by a bug");
    }
  }

  async #runLive(): Promise<void> {
    const { store, targets } = this.#world;
    const environments = await store.db
      .selectFrom("environment")
      .leftJoin("deployment", underWay)
      .select(["environment.name", "environment.live_release_id"])
      .where("environment.live_release_id", "is not", null)
      .where("deployment.id", "is", null)
      // What sleeps, or goes, is not started again.
      .where(isAwake)
      .execute();
    const all = await targets.observe({});
    const running = new Map(all.map((revision) => [revision.id, revision]));
    for (const { name, live_release_id } of environments) {
      if (live_release_id === null) continue;
      const view = await releaseView(store.db, live_release_id, name);
      // What is on a host that is away is not seen. Accessories wait for it; services do until it is given up.
      const away = targets.hosts(view.spec.target).filter(({ awayForMs }) => awayForMs !== null);
      // Any of its name will do: one with an older config goes on until a person asks for another.
      const isThere = (accessory: string): boolean =>
        all.some(({ environment, service, wanted }) => environment === name && service === accessory && wanted > 0);
      if (away.length === 0 && !Object.keys(view.spec.accessories).every(isThere)) {
        await ensureAccessories(this.#world, { release: live_release_id, environment: name }, this.#stop.signal);
      }
      const services = Object.values<ServiceSpec>(view.spec.services).filter(({ kind }) => kind !== "job");
      const runs = services.some(({ name: service }) => (running.get(revisionOf(view, service))?.wanted ?? 0) > 0);
      if (runs) this.#first.forget(view);
      for (const service of runs || this.#first.mayStart(view) ? services : []) {
        const spec = await revisionSpec(this.#world, view, service.name);
        // Asked only now: what is being scaled is its own business, and may have begun since we looked.
        const instances = await restingCount(store.db, view, service);
        const wanted = running.get(spec.id)?.wanted ?? 0;
        if (instances === null || wanted === instances) continue;
        if (wanted < instances && away.some(({ givenUp }) => !givenUp)) continue;
        this.#world.log.warn("revision.started-again", { revision: spec.id, instances });
        // One that cannot be moved holds up no other.
        await this.#stuck.guarded(spec.id, () =>
          targets.of(view.spec.target).ensure(spec, instances, this.#stop.signal),
        );
      }
      await this.#stopLeftovers(view, all);
    }
  }

  /** What was to be stopped or removed while its host was away. */
  async #stopLeftovers(view: ReleaseView, all: readonly RevisionStatus[]): Promise<void> {
    const { store, targets } = this.#world;
    const { environment, product } = view.spec;
    const running = all.filter(
      (each) =>
        each.environment === environment &&
        each.instances.some(({ state }) => state === "running" || state === "backoff" || state === "crash-looping"),
    );
    if (running.length === 0) return;
    const leftovers = await store.db
      .selectFrom("revision")
      .select(["id", "service", "release_id", "role"])
      .where("product", "=", product)
      .where("environment", "=", environment)
      .where("role", "in", ["stopped", "removed"])
      .where(
        "id",
        "in",
        running.map(({ id }) => id),
      )
      .execute();
    for (const { id, service, release_id, role } of leftovers) {
      this.#world.log.warn(role === "removed" ? "revision.removed-again" : "revision.stopped-again", { revision: id });
      await this.#left.guarded(id, async () => {
        if (role === "removed") return targets.remove(id, this.#stop.signal);
        const old = await releaseView(store.db, release_id, environment);
        const spec = await revisionSpec(this.#world, old, service);
        // One that is away gets it at a later look: nobody waits for it here.
        await targets.of(old.spec.target).ensure(spec, 0, this.#stop.signal, "left out");
      });
    }
  }

  async #routeToLive(): Promise<void> {
    await this.#world.edges.look();
  }

  async #guarded(what: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
      this.#lastTrouble = "";
    } catch (error) {
      if (this.#stop.signal.aborted) return;
      const trouble = `${what}: ${reasonOf(error)}`;
      if (trouble !== this.#lastTrouble) this.#world.log.warn(what, { reason: reasonOf(error) });
      this.#lastTrouble = trouble;
    }
  }
}

/** These are outside of the call, so that a store may keep the query. */
const underWay = (join: JoinBuilder<Database, "environment" | "deployment">) =>
  join
    .onRef("deployment.product", "=", "environment.product")
    .onRef("deployment.environment", "=", "environment.name")
    .on("deployment.ended_at", "is", null)
    .on("deployment.phase", "not in", ["queued", "gated"]);

const { not, exists, selectFrom } = expressionBuilder<Database, "environment">();
const isAwake = () =>
  not(
    exists(
      selectFrom("preview")
        .select("preview.name")
        .whereRef("preview.product", "=", "environment.product")
        .whereRef("preview.name", "=", "environment.name")
        .where("preview.phase", "!=", "awake"),
    ),
  );
