import type { Digest } from "../../core/ids.ts";
import { AlertDesk } from "../../engine/alerts/desk.ts";
import { CertificateReadings } from "../../engine/certificates/readings.ts";
import { promoteOnwards } from "../../engine/commands/promote-onwards.ts";
import { deployKind, deployWorkflow } from "../../engine/deploy/workflow.ts";
import { SeenChecks } from "../../engine/forge/seen-checks.ts";
import { SeenLooks } from "../../engine/gates/seen-looks.ts";
import { StepConditions } from "../../engine/gates/step-conditions.ts";
import { Changes } from "../../engine/history.ts";
import { Judges } from "../../engine/judge/judges.ts";
import { RuleRunner } from "../../engine/judge/rule-runner.ts";
import { Keeper } from "../../engine/keeper.ts";
import { EdgeSource } from "../../engine/metrics/edge-source.ts";
import { HealthSource, tickMs } from "../../engine/metrics/health-source.ts";
import { Metrics } from "../../engine/metrics/metrics.ts";
import { Revisions } from "../../engine/metrics/revisions.ts";
import { lookAtTargets, lookMs as usageLookMs } from "../../engine/metrics/target-source.ts";
import { SharedSteps } from "../../engine/pipeline/cache/shared.ts";
import { StepCache } from "../../engine/pipeline/cache/store.ts";
import { LiveSteps } from "../../engine/pipeline/live.ts";
import { Healer } from "../../engine/recover/healer.ts";
import { LostHosts } from "../../engine/recover/lost-hosts.ts";
import { healKind, healWorkflow } from "../../engine/recover/workflow.ts";
import { forgetReleases } from "../../engine/release/read.ts";
import { Transfers } from "../../engine/release/transfers.ts";
import { Rounds } from "../../engine/rounds.ts";
import { scaleKind } from "../../engine/scale/job.ts";
import { Scaler } from "../../engine/scale/scaler.ts";
import { scaleWorkflow } from "../../engine/scale/workflow.ts";
import { sqliteEngine } from "../../engine/sqlite/engine.ts";
import { Targets } from "../../engine/targets.ts";
import { EdgeSites } from "../../engine/traffic/sites.ts";
import type { World } from "../../engine/world.ts";
import type { RouteTable } from "../../ports/edge.ts";
import type { RevisionSpec } from "../../ports/target.ts";
import { type SimGate, simEdge } from "./edge.ts";
import { Gateway, type Loss } from "./gateway.ts";
import { Life } from "./life.ts";
import { type Cause, type Instance, Machine } from "./machine.ts";
import { simProber } from "./prober.ts";
import { product } from "./product.ts";
import { Random } from "./random.ts";
import type { Program } from "./service.ts";
import type { Noted, SimDatabase } from "./store.ts";
import { makePlace, type SimPlace, simTarget } from "./target.ts";
import { clockOf, Timeline } from "./timeline.ts";

/** One boot of the control plane, with the engine's real parts on the simulated ones. */
export type Plane = { readonly life: Life; readonly world: World };

/** Who hears what happens in a world. Nobody of them changes it. */
export type Witness = {
  history(row: Noted): void;
  table(table: RouteTable): void;
  lost(loss: Loss): void;
  cut(instance: Instance, cause: Cause): void;
  instance(event: string, instance: Instance): void;
  log(level: "info" | "warn" | "error", event: string, fields: object): void;
  artifactRemoved(digest: Digest): void;
};

export type WorldOptions = {
  readonly seed: number;
  readonly hosts: number;
  /** Unhealthy instances are restarted by the control plane. */
  readonly tended: boolean;
  /** Instances come and go with what they use, a request that many ms of a processor; null: nobody looks at that. */
  readonly requestCpuMs: number | null;
  /** Hosts that are away are given up, where the config says so. */
  readonly losing: boolean;
  /** The rules of configs are looked at. */
  readonly ruled: boolean;
  /** Requests a second that come at a moment. */
  readonly rate: (atMs: number) => number;
  readonly programOf: (spec: RevisionSpec) => Program;
  readonly witness: Witness;
};

/** How long a start of the control plane waits for the edge, as where the real one is wired. */
const edgeReadyMs = 3_000;
/** Images of a run under way are in no release yet. An hour in the real layout; here a run takes milliseconds. */
const underWayMs = 5_000;

/**
 * Hosts, an edge, a disk and users that outlive every control plane, and the control plane of the moment. Everything that the
 * engine does here is done by the engine's own code.
 */
export class SimWorld {
  readonly timeline = new Timeline();
  readonly random: Random;
  readonly database: SimDatabase;
  readonly machine: Machine;
  readonly gateway: Gateway;
  readonly place: SimPlace;
  readonly gate: SimGate;
  /** Packed directories that are kept. */
  readonly artifacts = new Set<Digest>();
  /** Images in the layout, with when they came. */
  readonly images = new Map<Digest, number>();
  /** Share of answers that fail on both sides. */
  shared = 0;
  plane: Plane | null = null;
  readonly #options: WorldOptions;
  readonly #ids: Random;
  #boots = 0;

  /** The database is the world's alone, and empty, until it is closed. */
  constructor(options: WorldOptions, database: SimDatabase) {
    const { seed, hosts, programOf, requestCpuMs, witness, rate } = options;
    this.#options = options;
    this.database = database;
    database.onHistory = (row) => witness.history(row);
    this.random = new Random(seed, "world");
    this.#ids = new Random(seed, "ids");
    const { timeline } = this;
    this.machine = new Machine({
      timeline,
      hosts,
      programOf,
      requestCpuMs,
      shared: () => this.shared,
      beforeChange: () => this.gateway.flow(),
      onCut: (instance, cause) => witness.cut(instance, cause),
      tell: (event, instance) => witness.instance(event, instance),
    });
    const { machine } = this;
    this.gateway = new Gateway({
      timeline,
      random: new Random(seed, "traffic"),
      upstreams: {
        condition: (address) => {
          const instance = machine.at(address);
          if (!machine.isListening(instance)) return null;
          return { ...machine.conditionOf(instance), latencyMs: instance.revision.program.latencyMs };
        },
        busy: (address, untilMs) => {
          const instance = machine.at(address);
          if (instance !== undefined) instance.busyUntilMs = Math.max(instance.busyUntilMs, untilMs);
        },
        busyUntilMs: (address) => machine.at(address)?.busyUntilMs ?? 0,
        given: (address, count) => machine.give(address, count),
      },
      arrivals: (_, fromMs, toMs) => ((toMs - fromMs) / 1_000) * rate((fromMs + toMs) / 2),
      onLost: (loss) => witness.lost(loss),
    });
    this.place = makePlace({
      machine,
      timeline,
      has: (digest) => this.artifacts.has(digest) || this.images.has(digest),
    });
    this.gate = {
      gateway: this.gateway,
      timeline,
      config: null,
      trouble: null,
      onTable: (table) => witness.table(table),
    };
  }

  /** Starts a control plane, as `slipway up` does. Resolves when it can be asked; it may die before, and then never does. */
  async boot(): Promise<Plane> {
    const { witness } = this.#options;
    this.#boots += 1;
    const life = new Life(this.#boots);
    const clock = clockOf(this.timeline, () => life.touch());
    const store = this.database.storeOf(life);
    const say =
      (level: "info" | "warn" | "error") =>
      (event: string, fields: object = {}) => {
        if (life.isAlive) witness.log(level, event, fields);
      };
    const log = { info: say("info"), warn: say("warn"), error: say("error") };
    const targets = new Targets({ store, clock, log, make: () => simTarget(this.place, life, product) });
    const metrics = new Metrics({ clock });
    const counted = this.#options.ruled ? new EdgeSource({ metrics, revisions: new Revisions(store) }) : null;
    const edges = new EdgeSites({
      store,
      targets,
      clock,
      log,
      base: () => edgeBase,
      make: () => simEdge(this.gate, life),
      onSample: (edge, sample) => counted?.take(edge, sample),
    });
    const engine = sqliteEngine({ store, clock });
    const changes = new Changes();
    const world: World = {
      store,
      engine,
      targets,
      edges,
      clock,
      log,
      newId: () => this.#newId(),
      prober: simProber(this, life),
      artifacts: this.#artifacts(life),
      ...notSimulated,
      images: { ...notSimulated.images, collect: (needed) => life.call(() => this.#collect(needed)) },
      changes,
      alerts: new AlertDesk({ store, clock, changes, product }),
      metrics,
      standings: new Map(),
      stepConditions: new StepConditions(),
      scalings: new Map(),
      certificates: new CertificateReadings(),
      judges: new Judges(),
      notifier: { send: async () => {} },
    };
    this.plane = { life, world };
    const plane = this.plane;
    const synced = edges.sync().catch(() => {});
    await Promise.race([synced, clock.sleep(edgeReadyMs)]);
    engine.register(
      deployKind,
      deployWorkflow(world, (course) => promoteOnwards(world, course)),
    );
    new Keeper(world).open();
    if (this.#options.tended) this.#tend(world);
    if (this.#options.requestCpuMs !== null) this.#scale(world);
    if (this.#options.losing) new LostHosts(world).open();
    if (this.#options.ruled) new RuleRunner(world).open();
    await engine.open();
    return plane;
  }

  #tend(world: World): void {
    world.engine.register(healKind, healWorkflow(world));
    const health = new HealthSource(world, world.metrics, new AbortController().signal);
    new Rounds(world.clock, tickMs, () => health.tick().catch(() => {})).open();
    new Healer(world, health).open();
  }

  #scale(world: World): void {
    world.engine.register(scaleKind, scaleWorkflow(world));
    new Rounds(world.clock, usageLookMs, () => lookAtTargets(world, world.metrics).catch(() => {})).open();
    new Scaler(world).open();
  }

  kill(): void {
    this.plane?.life.end();
    this.plane = null;
  }

  /** Ends the world. */
  close(): void {
    this.kill();
    this.database.reset();
    forgetReleases();
  }

  #newId(): string {
    return Array.from({ length: 12 }, () => this.#ids.below(16).toString(16)).join("");
  }

  #collect(needed: readonly Digest[]): void {
    for (const [digest, sinceMs] of this.images) {
      if (needed.includes(digest) || this.timeline.nowMs - sinceMs < underWayMs) continue;
      this.images.delete(digest);
      this.#options.witness.artifactRemoved(digest);
    }
  }

  #artifacts(life: Life): World["artifacts"] {
    return {
      keep: () => Promise.reject(new Error("nothing is packed in a simulation")),
      file: (digest) => `/artifacts/${digest}`,
      has: (digest) => life.call(() => this.artifacts.has(digest)),
      kept: () => life.call(() => [...this.artifacts]),
      remove: (digest) =>
        life.call(() => {
          if (this.artifacts.delete(digest)) this.#options.witness.artifactRemoved(digest);
        }),
    };
  }
}

const edgeBase = {
  limits: {
    headerBytes: 16_384,
    bodyBytes: 1_000_000,
    headersTimeoutMs: 10_000,
    requestTimeoutMs: 300_000,
    idleTimeoutMs: 65_000,
    upstreamTimeoutMs: 60_000,
    connectTimeoutMs: 2_000,
    maxConnections: 10_000,
  },
  accessLog: null,
};

/** What makes releases is not part of a simulated world: they are there. */
const notSimulated: Pick<
  World,
  | "source"
  | "images"
  | "executor"
  | "openForge"
  | "seenChecks"
  | "seenBudgets"
  | "seenConditions"
  | "stepCache"
  | "sharedSteps"
  | "live"
  | "transfers"
  | "readConfig"
  | "readStack"
  | "sealed"
  | "vault"
  | "runsDirectory"
  | "previewsDirectory"
  | "staticCommand"
> = {
  source: {
    resolve: () => notHere("a repository"),
    dirtyPaths: () => notHere("a repository"),
    commits: () => notHere("a repository"),
    changedPaths: () => notHere("a repository"),
    origin: () => notHere("a repository"),
    refs: () => notHere("a remote"),
    fetch: () => notHere("a remote"),
    export: () => notHere("a repository"),
  },
  images: {
    builder: () => {
      throw new Error("nothing is built in a simulation");
    },
    registry: () => {
      throw new Error("there is no registry in a simulation");
    },
    layout: "/images",
    collect: async () => {},
    secret: () => null,
  },
  executor: {
    name: "none",
    run: () => notHere("a step"),
    stop: async () => {},
    running: async () => [],
    unfenced: async () => null,
  },
  openForge: () => {
    throw new Error("there is no forge in a simulation");
  },
  seenChecks: new SeenChecks(),
  seenBudgets: new SeenLooks(),
  seenConditions: new SeenLooks(),
  stepCache: new StepCache("/step-cache"),
  sharedSteps: new SharedSteps("/step-cache", {
    clock: { now: () => 0 },
    log: { info: () => {}, warn: () => {}, error: () => {} },
  }),
  live: new LiveSteps(() => {}),
  transfers: new Transfers(() => {}),
  readStack: () => {
    throw new Error("a Compose file is not simulated");
  },
  readConfig: () => notHere("a config file"),
  // Simulated services have no secrets.
  vault: {
    seal: () => noVault(),
    open: () => noVault(),
    fingerprint: () => noVault(),
    sign: () => noVault(),
  },
  // Nothing of a simulated release is sealed.
  sealed: { open: (text) => text, markNow: () => null },
  runsDirectory: "/runs",
  previewsDirectory: "/previews",
  staticCommand: () => ["serve"],
};

function noVault(): never {
  throw new Error("there are no secrets in a simulation");
}

function notHere(what: string): Promise<never> {
  return Promise.reject(new Error(`there is no ${what} in a simulation`));
}
