import { createHash } from "node:crypto";
import { type Digest, environmentName, type ReleaseId, releaseId, runId, serviceName } from "../../core/ids.ts";
import type { ProductInput, RolloutInput, ServiceInput } from "../../core/product/input.ts";
import { resolveEnvironment } from "../../core/product/resolve.ts";
import type { EnvironmentSpec } from "../../core/product/spec.ts";
import { writeArtifacts } from "../../core/release/artifacts.ts";
import type { ReleaseRow, RunRow, WorkflowRow } from "../../ports/tables.ts";
import { hostUrl, lostAfterMs } from "./lost.ts";
import type { SimDatabase } from "./store.ts";

export const product = "shop";
export const environment = environmentName("production");

/** What the rule of a config does where it fires: it takes back, or it only says that it would. */
export type Ruled = "acts" | "says";

export const ruleName = "errors";
const ruleLine = "error ratio of api > 30% over 2s for 1s -> rollback";
const ruleMinimum = 5;
/** With fewer requests a second a window of the rule would seldom have its minimum. */
export const ruledRate = 10;

/** How a release of the product is run; another one may differ. */
export type Shape = {
  readonly strategy: "blue-green" | "rolling" | "canary";
  readonly batch: `${number}%`;
  readonly bakeMs: number;
  readonly drainMs: number;
  readonly instances: number;
  readonly whenBusy: "queue" | "replace" | "refuse";
  readonly worker: boolean;
  readonly job: boolean;
  /** The API has a port of its host: what runs is stopped before its successor starts. */
  readonly lone: boolean;
  readonly containers: boolean;
  /** Somebody restarts unhealthy instances, soon. */
  readonly tended: boolean;
  /** Instances of the API come and go with what they use; `instances` is then what the first release begins with. */
  readonly scale: { readonly min: number; readonly max: number; readonly step: number } | null;
  readonly rules: RolloutInput["rules"];
  /** The config has a rule of its own, which acts, or only says what it would do. */
  readonly ruled: Ruled | null;
  /** It runs on three hosts, and what was on one that is lost is brought to the others. */
  readonly losing: boolean;
  /** Of a canary. */
  readonly steps: Pick<RolloutInput, "steps" | "stepBake" | "stepMinimum" | "stepLimit" | "promotion"> | null;
};

/** Written into the config's environment, and nowhere else: a value that must not be seen in a log or in the history. */
export const canary = "hush-7f3a";

const specs = new Map<string, EnvironmentSpec>();
const known = new WeakMap<Shape, EnvironmentSpec>();

/** The release's config, resolved by the real code. */
export function specOf(shape: Shape): EnvironmentSpec {
  const seen = known.get(shape);
  if (seen !== undefined) return seen;
  const key = JSON.stringify(shape);
  const spec = specs.get(key) ?? resolveEnvironment(inputOf(shape), environment);
  specs.set(key, spec);
  known.set(shape, spec);
  return spec;
}

const oneHost = { driver: "docker", hosts: [{ url: "unix:///run/docker.sock" }] } satisfies ProductInput["target"];
const threeHosts = {
  driver: "docker",
  hosts: [0, 1, 2].map((host) => ({ url: hostUrl(host) })),
  whenLost: "replace",
  lostAfter: `${lostAfterMs}ms`,
} satisfies ProductInput["target"];

function inputOf(shape: Shape): ProductInput {
  const { strategy, batch, bakeMs, drainMs, whenBusy } = shape;
  const api: ServiceInput = {
    kind: "web",
    command: ["node", "api.js"],
    instances: shape.instances,
    routes: ["/"],
    env: { TOKEN: canary },
    stopGrace: "5s",
    health: {
      path: "/up",
      interval: shape.tended ? "1s" : "2s",
      timeout: shape.tended ? "500ms" : "1s",
      retries: 3,
      deadline: "30s",
      ...(shape.tended ? { restartAfter: "1s" } : {}),
    },
    ...(shape.scale === null ? {} : { scale: { ...shape.scale, cpu: "70%", upAfter: "2s", downAfter: "4s" } }),
    ...(shape.lone ? { hostPorts: ["8080:8080"] } : {}),
    ...(shape.job ? { needs: ["migrate"] } : {}),
  };
  return {
    name: product,
    ...(shape.containers ? { target: shape.losing ? threeHosts : oneHost } : {}),
    services: {
      api,
      ...(shape.worker
        ? { mailer: { kind: "worker", command: ["node", "mailer.js"], health: { startPeriod: "500ms" } } }
        : {}),
      ...(shape.job ? { migrate: { kind: "job", command: ["node", "migrate.js"] } } : {}),
    },
    ...(shape.ruled === null
      ? {}
      : { rules: { [ruleName]: { when: ruleLine, minimum: ruleMinimum, dryRun: shape.ruled === "says" } } }),
    environments: {
      [environment]: {
        rollout: {
          strategy,
          bake: `${bakeMs}ms`,
          drain: `${drainMs}ms`,
          whenBusy,
          ...(strategy === "rolling" ? { batch } : {}),
          ...(strategy === "canary" && shape.steps !== null ? shape.steps : {}),
          ...(shape.rules === undefined ? {} : { rules: shape.rules }),
        },
      },
    },
  };
}

/** The row that a run would have made. */
export function releaseRow(at: {
  readonly id: ReleaseId;
  readonly number: number;
  readonly spec: EnvironmentSpec;
  readonly now: number;
}): ReleaseRow {
  const { id, number, spec, now } = at;
  const config = JSON.stringify({ product, environments: { [environment]: spec } });
  const artifacts = Object.fromEntries(
    Object.keys(spec.services).map((name) => {
      const digest = digestOf(id, name);
      const image = spec.target.driver === "process" ? null : { digest, id: digest, from: null };
      return [name, image === null ? { directory: digest, image } : { directory: null, image }];
    }),
  );
  return {
    id,
    product,
    number,
    version: `0.${number}.0`,
    commit_hash: createHash("sha1").update(id).digest("hex"),
    dirty: 0,
    subject: `feat: version ${number}`,
    author: "ada",
    branch: "main",
    config_digest: digestOf(id, "config"),
    config,
    artifacts: writeArtifacts(artifacts),
    commits: "[]",
    created_at: now,
    created_by: "ada",
    pinned: 0,
    pruned_at: null,
  };
}

/** A run under way; a prune leaves alone what it may be packing. */
export function runRow(id: string, now: number): RunRow {
  return {
    id: runId(id),
    product,
    repository: "/src",
    commit_hash: createHash("sha1").update(id).digest("hex"),
    dirty: 0,
    phase: "building",
    reason: "a simulated run",
    error: null,
    release_id: null,
    created_at: now,
    created_by: "ada",
    ended_at: null,
  };
}

/** Somebody does its work: nobody else needs to. */
export function runWorkflowRow(id: string, now: number, database: Pick<SimDatabase, "rows">): WorkflowRow {
  const [newest] = database.rows<{ number: number | null }>("select max(number) as number from workflow");
  return {
    id,
    number: (newest?.number ?? 0) + 1,
    kind: "simulated-run",
    status: "succeeded",
    lock_key: null,
    input: "null",
    output: "null",
    error: null,
    cancel_reason: null,
    created_at: now,
    started_at: now,
    ended_at: now,
  };
}

export function digestsOf(id: ReleaseId, spec: EnvironmentSpec): Digest[] {
  return Object.keys(spec.services).map((name) => digestOf(id, name));
}

function digestOf(id: ReleaseId, name: string): Digest {
  return `sha256:${createHash("sha256").update(`${id} ${name}`).digest("hex")}`;
}

export const api = serviceName("api");
export const idOf = (seed: number, number: number): ReleaseId => releaseId(`rel_${seed.toString(36)}x${number}`);
