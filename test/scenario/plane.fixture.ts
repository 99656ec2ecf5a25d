import { get } from "node:http";
import { expect } from "vitest";
import { loadConfig } from "../../src/cli/config/load.ts";
import { type Wired, type WireOptions, wire } from "../../src/cli/wire.ts";
import type { Deployment, Failure } from "../../src/core/deploy/deployment.ts";
import { releasesAtFullTraffic, type Traffic } from "../../src/core/deploy/traffic.ts";
import { type DeploymentId, environmentName, type ReleaseId, runId } from "../../src/core/ids.ts";
import { ask } from "../../src/engine/commands/ask.ts";
import { checks } from "../../src/engine/commands/checks.ts";
import { type Rollback, rollback } from "../../src/engine/commands/rollback.ts";
import { type StartDeployment, startDeployment } from "../../src/engine/commands/start-deployment.ts";
import { startRun } from "../../src/engine/commands/start-run.ts";
import { releaseView } from "../../src/engine/release/read.ts";
import { restingCount } from "../../src/engine/scale/held.ts";
import type { World } from "../../src/engine/world.ts";
import type { Log } from "../../src/ports/log.ts";
import type { DeploymentRow } from "../../src/ports/tables.ts";
import { Product, type ProductOptions } from "./product.fixture.ts";

/** How long anything here may take, on a busy machine. */
const patienceMs = 90_000;

export type Ended = {
  readonly row: DeploymentRow;
  readonly phase: string;
  readonly failure: Failure | null;
  readonly phases: readonly string[];
};

/** A whole control plane in this process, with the real store, engine, target and edge, on a product of its own. */
export class Plane {
  readonly product: Product;
  #wired: Wired;
  /** What was logged as an error or warning. */
  readonly troubles: string[];

  readonly #log: Log;

  private constructor(product: Product, wired: Wired, log: Log, troubles: string[]) {
    this.product = product;
    this.#wired = wired;
    this.#log = log;
    this.troubles = troubles;
  }

  static async start(options: ProductOptions): Promise<Plane> {
    const product = await Product.make(options);
    const troubles: string[] = [];
    const note = (event: string, fields: object = {}): void => void troubles.push(`${event} ${JSON.stringify(fields)}`);
    const log: Log = { info: () => {}, warn: note, error: note };
    return new Plane(product, await open(product, log), log, troubles);
  }

  get world(): World {
    return this.#wired.world;
  }

  /** Another control plane on the same state, or what `meanwhile` makes of it; what runs goes on. */
  async restart(meanwhile: () => Promise<unknown> = async () => {}): Promise<void> {
    await this.#wired.close();
    await meanwhile();
    this.#wired = await open(this.product, this.#log);
  }

  async close(): Promise<void> {
    await this.#wired.stopEverything();
    await this.#wired.close();
    this.product.remove();
  }

  /** Makes a release of what is committed. Rejects with what the run ended with. */
  async release(options: { readonly revision?: string; readonly dirty?: boolean } = {}): Promise<ReleaseId> {
    const made = await startRun(this.world, {
      product: this.product.name,
      repository: this.product.repository,
      revision: options.revision ?? "HEAD",
      dirty: options.dirty ?? false,
      actor: "ada",
    });
    if (made.release !== null) return made.release;
    await this.world.engine.ended(made.run ?? "", AbortSignal.timeout(patienceMs));
    const row = await this.world.store.db
      .selectFrom("run")
      .selectAll()
      .where("id", "=", runId(made.run ?? ""))
      .executeTakeFirstOrThrow();
    if (row.release_id === null) throw Object.assign(new Error(row.reason), JSON.parse(row.error ?? "{}"));
    return row.release_id;
  }

  /** Commits a version and makes its release. */
  version(version: string, more: Parameters<Product["commit"]>[1] = {}): Promise<ReleaseId> {
    this.product.commit(version, more);
    return this.release();
  }

  start(environment: string, release: ReleaseId, more: Partial<StartDeployment> = {}): Promise<DeploymentId> {
    return startDeployment(this.world, {
      environment: environmentName(environment),
      release,
      kind: "deploy",
      actor: "ada",
      reason: "a test",
      ...more,
    });
  }

  /** Deploys and waits for the end; then everything must be as the record says. */
  async deploy(environment: string, release: ReleaseId, more: Partial<StartDeployment> = {}): Promise<Ended> {
    return this.ended(await this.start(environment, release, more));
  }

  rollback(
    environment: string,
    more: Partial<Pick<Rollback, "force" | "onlyFrom" | "askedAt">> & { readonly to?: ReleaseId } = {},
  ): Promise<DeploymentId> {
    const { to = null, force = false, ...from } = more;
    return rollback(this.world, {
      product: this.product.name,
      environment: environmentName(environment),
      to,
      force,
      ...from,
      actor: "bob",
      reason: "users complain",
    });
  }

  ask(deployment: DeploymentId, kind: "cancel" | "pause" | "resume"): Promise<void> {
    return ask(this.world, { deployment, kind, actor: "bob", reason: "a good reason" });
  }

  /** Takes the step after this one of a canary. */
  promote(deployment: DeploymentId, step: number): Promise<void> {
    return ask(this.world, { deployment, kind: "promote", actor: "bob", reason: "looks good", step });
  }

  async ended(id: DeploymentId): Promise<Ended> {
    await this.#recordedEnd(id);
    // One that ended at its gates never had a workflow.
    if ((await this.world.engine.get(id)) !== null) await this.world.engine.ended(id, AbortSignal.timeout(patienceMs));
    const row = await this.row(id);
    const { phase } = row.state === "" ? { phase: null } : (JSON.parse(row.state) as Deployment);
    const failure = phase !== null && "failure" in phase ? phase.failure : null;
    const ended = {
      row,
      phase: row.phase,
      failure,
      phases: (await this.history(id)).flatMap(({ event }) =>
        event.startsWith("deployment.") ? [event.slice("deployment.".length)] : [],
      ),
    };
    expect(row.ended_at, `${id} is ${row.phase}: ${row.reason}`).not.toBeNull();
    return ended;
  }

  async #recordedEnd(id: DeploymentId): Promise<void> {
    const signal = AbortSignal.timeout(patienceMs);
    for (;;) {
      const changed = this.world.changes.next(signal);
      changed.catch(() => {});
      if ((await this.row(id)).ended_at !== null) return;
      await changed;
    }
  }

  /** Resolves when the deployment is in the phase; rejects when it ends elsewhere. */
  async reaches(id: DeploymentId, phase: string): Promise<void> {
    const signal = AbortSignal.timeout(patienceMs);
    for (;;) {
      const changed = this.world.changes.next(signal);
      changed.catch(() => {});
      const row = await this.row(id);
      if (row.phase === phase) return;
      if (row.ended_at !== null) throw new Error(`${id} ended ${row.phase} before it was ${phase}: ${row.reason}`);
      await changed;
    }
  }

  row(id: DeploymentId): Promise<DeploymentRow> {
    return this.world.store.db.selectFrom("deployment").selectAll().where("id", "=", id).executeTakeFirstOrThrow();
  }

  history(id: DeploymentId) {
    return this.world.store.db
      .selectFrom("history")
      .selectAll()
      .where("deployment_id", "=", id)
      .orderBy("id")
      .execute();
  }

  environment(name: string) {
    return this.world.store.db
      .selectFrom("environment")
      .selectAll()
      .where("name", "=", environmentName(name))
      .executeTakeFirstOrThrow();
  }

  /** What a visitor gets at the edge: `200 v1`. */
  async visit(environment: string, path = "/"): Promise<string> {
    const port = this.product.port(environment);
    return new Promise((resolve, reject) => {
      get({ host: "127.0.0.1", port, path, agent: false }, (response) => {
        let text = "";
        response.setEncoding("utf8");
        response.on("data", (chunk: string) => {
          text += chunk;
        });
        response.on("end", () =>
          resolve(`${response.statusCode} ${response.statusCode === 200 ? text.trim() : ""}`.trim()),
        );
        response.on("error", reject);
      }).on("error", reject);
    });
  }

  /** Visitors come until the deployment has ended. */
  async visitUntilEnded(environment: string, id: DeploymentId): Promise<void> {
    let over = false;
    const end = this.world.engine.ended(id, AbortSignal.timeout(patienceMs)).finally(() => {
      over = true;
    });
    while (!over) {
      await this.visit(environment).catch(() => {});
      await this.world.clock.sleep(5);
    }
    await end;
  }

  /** Processes of a service as the target knows them: release number → running instances. */
  async running(environment: string, service: string): Promise<Record<string, number>> {
    const statuses = await this.world.targets.observe({ environment: environmentName(environment) });
    const found = statuses
      .filter((each) => each.service === service)
      .map(
        (each) =>
          [each.id.replace(/^.*-/, ""), each.instances.filter(({ state }) => state === "running").length] as const,
      );
    return Object.fromEntries(found.filter(([, count]) => count > 0));
  }

  /**
   * What must hold in every environment where nothing is under way: exactly one release at 100 %, the live one, in the store
   * and in the edge; its instances run; warm ones run; nothing else does.
   */
  async expectAtRest(environment: string): Promise<void> {
    const { db } = this.world.store;
    const { live_release_id: live, traffic: text } = await this.environment(environment);
    const traffic = JSON.parse(text) as Traffic;
    expect(releasesAtFullTraffic(traffic)).toEqual(live === null ? [] : [live]);
    const table = await this.world.edges.all()[0]?.edge.current();
    for (const [service, targets] of Object.entries(traffic.services)) {
      const routed = table?.services[`${this.product.name}/${environment}/${service}`]?.targets;
      expect(routed?.map(({ revision, weight }) => [revision, weight])).toEqual(
        targets.map(({ revision, weight }) => [revision, weight]),
      );
      for (const target of routed ?? [])
        expect(target.instances.length, `instances of ${target.revision} in the edge`).toBeGreaterThan(0);
    }
    const revisions = await db
      .selectFrom("revision")
      .selectAll()
      .where("environment", "=", environmentName(environment))
      .execute();
    const wanted = new Map(
      (await this.world.targets.observe({ environment: environmentName(environment) })).map((status) => [
        status.id,
        status,
      ]),
    );
    const view = live === null ? null : await releaseView(db, live, environmentName(environment));
    const stable = revisions.filter(({ role }) => role === "stable").map(({ service }) => service);
    const expected = Object.values(view?.spec.services ?? {}).filter(({ kind }) => kind !== "job");
    expect(stable.toSorted()).toEqual(expected.map(({ name }) => name).toSorted());
    for (const { id, role, service, release_id } of revisions) {
      expect(role, id).not.toBe("candidate");
      if (role === "stable") expect(release_id).toBe(live);
      const status = wanted.get(id);
      const isJob = status?.instances.every(({ state }) => state === "exited") === true && status.instances.length > 0;
      const known = expected.find(({ name }) => name === service);
      const count = view === null || known === undefined ? undefined : await restingCount(db, view, known);
      const runs = role === "stable" || role === "warm";
      if (role === "stable") expect(status?.wanted, id).toBe(count);
      if (role === "warm") expect(status?.wanted, id).toBeGreaterThan(0);
      if (!runs && !isJob) expect(status?.wanted ?? 0, `${id} is ${role}`).toBe(0);
      if (role === "removed") expect(status, id).toBeUndefined();
    }
    for (const id of wanted.keys()) expect(revisions.map((revision) => revision.id)).toContain(id);
    const bad = (await checks(this.world)).filter(
      ({ name, ok }) => !ok && ["store", "traffic", "artifacts"].includes(name),
    );
    expect(bad).toEqual([]);
  }
}

function open(product: Product, log: Log): Promise<Wired> {
  const readConfig: WireOptions["readConfig"] = async (source) => (await loadConfig(source)).config;
  return wire({ directory: product.state, product: product.name, version: "test", log, readConfig });
}
