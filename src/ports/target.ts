import type { Digest, EnvironmentName, EpochMs, InstanceId, ReleaseId, RevisionId, ServiceName } from "../core/ids.ts";
import type { ComposedFileSpec, ComposedSettings, HealthcheckSpec, VolumeSpec } from "../core/product/spec.ts";
import type { Secret } from "../core/secret.ts";

/** What the planner may ask of a target. Read before anything starts; what is false is refused with words. */
export type TargetCan = {
  /** Runs a job to its end and reports its exit status. */
  readonly jobs: boolean;
  /** Keeps a revision running without traffic, so that a rollback takes milliseconds. */
  readonly warm: boolean;
  readonly memoryLimit: boolean;
  readonly cpuLimit: boolean;
  /** What it runs ends with this machine: after a loss of power nothing is there that the store does not know of. */
  readonly endsWithMachine: boolean;
  /** What it can run. A release has, for each service, the kinds that its environments' targets take. */
  readonly artifacts: readonly Artifact["kind"][];
  /** Runs what a product needs and does not release: Redis, Postgres. */
  readonly accessories: boolean;
  readonly volumes: boolean;
};

/** A packed directory, and where its content is. */
export type DirectoryArtifact = { readonly kind: "directory"; readonly digest: Digest; readonly file: string };

/** A container image. What runs is what the digest says, never what a tag says today. */
export type ImageArtifact = {
  readonly kind: "image";
  /** Of the manifest: what a registry and a release know it by. */
  readonly digest: Digest;
  /** Of the image's config: the id an engine gives it. */
  readonly id: Digest;
  /** Repository without tag (`ghcr.io/acme/web`) to pull from by digest; null when it is in no registry. */
  readonly repository: string | null;
  /** OCI image layout it can be shipped from, layer by layer; null when only a registry has it. */
  readonly layout: string | null;
};

export type Artifact = DirectoryArtifact | ImageArtifact;

/** What only containers have. */
export type ContainerSpec = {
  /** What only a service of a Compose file says. */
  readonly composed?: ComposedContainer;
  /** `name:/path` (a volume that outlives the revision, its name made unique to the environment) or `/host/path:/path`; `:ro` at the end. */
  readonly volumes: readonly VolumeSpec[];
  /** Ports of the host that lead to the container: a revision with one cannot run beside another, so it is stop-first. */
  readonly hostPorts: readonly { readonly host: string | null; readonly hostPort: number; readonly port: number }[];
  /** The port it listens on inside; it is told in `PORT` as well. */
  readonly port: number | null;
  readonly readOnlyRoot: boolean;
  readonly dropCapabilities: readonly string[];
  readonly addCapabilities: readonly string[];
  /** `uid[:gid]` or a name; null is the image's own. */
  readonly user: string | null;
  /** A small init as process 1, that reaps children and passes signals on. */
  readonly init: boolean;
  readonly logs: { readonly maxBytes: number; readonly keep: number };
  /** What an image that would run as root meets. */
  readonly rootUser: "allow" | "warn" | "refuse";
};

type Texts = readonly (string | Secret)[];

/** As `ComposedSettings`, opened: it is on its way to the container. */
export type ComposedContainer = Omit<ComposedSettings, "entrypoint" | "command" | "healthcheck" | "files"> & {
  /** Of docker compose: what it made under this name is taken over. */
  readonly project: string;
  readonly entrypoint: Texts | null;
  /** Over the revision's command where it is not null. */
  readonly command: Texts | null;
  readonly healthcheck: (Omit<HealthcheckSpec, "test"> & { readonly test: Texts }) | null;
  readonly files: readonly (Omit<ComposedFileSpec, "text"> & { readonly text: string | Secret })[];
};

/** A container that docker compose made. */
export type Predecessor = {
  readonly id: string;
  /** Of the target's hosts; null where there is only one. */
  readonly host: string | null;
  readonly name: string;
  /** As the Compose file calls it. */
  readonly service: string;
  readonly running: boolean;
  readonly hostPorts: readonly number[];
};

/** What was there before, made by docker compose, and is not ours until somebody says so. */
export interface Predecessors {
  /** Of a Compose project. Changes nothing. */
  look(project: string, signal: AbortSignal): Promise<readonly Predecessor[]>;
  /** Stops them so that nobody but us, or a person, starts them again, and remembers that it was us. They are kept. Safe to repeat. */
  stop(containers: readonly Predecessor[], graceMs: number, signal: AbortSignal): Promise<void>;
  /** Takes their ports of the host from them at once, and their networks with that; what they were answering is cut. */
  letGo(containers: readonly Predecessor[], signal: AbortSignal): Promise<void>;
  /** Starts those of a project that were stopped by us. Safe to repeat. */
  startAgain(project: string, signal: AbortSignal): Promise<void>;
  /** From now on those that were stopped stay so. Safe to repeat. */
  settle(project: string): void;
}

export type RevisionSpec = {
  readonly id: RevisionId;
  readonly product: string;
  readonly environment: EnvironmentName;
  readonly service: ServiceName;
  readonly release: ReleaseId;
  readonly configDigest: Digest;
  /**
   * `service` runs for ever and is restarted; `job` runs once, and its exit code is its result; `accessory` runs for ever, is
   * not released, and is only replaced when that is asked for.
   */
  readonly mode: "service" | "job" | "accessory";
  /** For an accessory: the one that stands stopped beside it until it is known to be well; while that one runs, it is kept. */
  readonly replaces?: RevisionId;
  readonly artifact: Artifact;
  /** Null where the artifact is no image. */
  readonly container: ContainerSpec | null;
  /** Argument array; the first is looked up on PATH. Runs in the unpacked artifact. Never a shell string. Empty: the image's own. */
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string | Secret>>;
  /** True when the service listens: each instance is given a free port in `PORT`, and has an address. */
  readonly listens: boolean;
  readonly stopGraceMs: number;
  readonly memoryBytes: number | null;
  /** Share of one core; 0.5 is half a core. */
  readonly cpus: number | null;
};

export type LastExit = {
  readonly code: number | null;
  readonly signal: string | null;
  readonly at: EpochMs;
  /** The kernel ended it because it passed its memory limit. Absent where that is not known. */
  readonly oom?: boolean;
};

/**
 * Where an instance is. `starting`: the process exists. `backoff`: it exited and will be started again at `until`.
 * `crash-looping`: it exits again and again; still retried, slowly. `stopping`: asked to stop, inside its grace.
 * `exited`: a job that ended. `stopped`: stopped on request. `running` only says that the process lives; whether it is healthy is for a
 * probe to say.
 */
export type InstanceState = "running" | "backoff" | "crash-looping" | "stopping" | "stopped" | "exited";

export type InstanceStatus = {
  readonly id: InstanceId;
  readonly index: number;
  /** Which of the target's hosts it is on; null where there is only one. */
  readonly host: string | null;
  readonly state: InstanceState;
  /** `host:port` as the edge reaches it, stable over restarts where possible; null when the service does not listen or the instance is not there. */
  readonly address: string | null;
  /** The place is away, and this is what was seen of it then. Absent: it is seen now. */
  readonly lastSeen?: EpochMs;
  /** Only by `reach` does the control plane get there. */
  readonly tunnelled?: true;
  readonly pid: number | null;
  readonly startedAt: EpochMs | null;
  /** Starts after the first one, since the revision was last scaled up from zero. */
  readonly restarts: number;
  readonly lastExit: LastExit | null;
  /** Share of one core over the last sample; null before the first. */
  readonly cpu: number | null;
  readonly memoryBytes: number | null;
  /** What the image's own HEALTHCHECK says; absent when it has none. Beside the probes, which ask from outside. */
  readonly health?: "starting" | "healthy" | "unhealthy";
};

export type RevisionStatus = {
  readonly id: RevisionId;
  readonly product: string;
  readonly environment: EnvironmentName;
  readonly service: ServiceName;
  readonly release: ReleaseId;
  readonly configDigest: Digest;
  /** How many instances were asked for. */
  readonly wanted: number;
  readonly instances: readonly InstanceStatus[];
};

export type RevisionSelector = {
  readonly environment?: EnvironmentName;
  readonly service?: ServiceName;
  readonly revision?: RevisionId;
};

export type LogLine = {
  readonly at: EpochMs;
  readonly stream: "stdout" | "stderr" | "slipway";
  readonly text: string;
  readonly service: ServiceName;
  readonly release: ReleaseId;
  readonly revision: RevisionId;
  readonly instance: InstanceId;
};

export type LogQuery = RevisionSelector & {
  /** Only the newest so many lines before following. At most 10,000. */
  readonly tail?: number;
  /** Goes on with new lines until the signal is aborted. */
  readonly follow?: boolean;
};

/**
 * What a machine that does not answer means to a call: what the config says of it, or no more than that it is left out, as long as another one
 * answers. What is there then is put right when it is back.
 */
export type HostsAway = "as configured" | "left out";

/** Where revisions live. Every call may be repeated; every call may come from a control plane that has just been restarted. */
export interface Target {
  readonly name: string;
  readonly can: TargetCan;
  /** Where docker compose may have been before. */
  readonly predecessors?: Predecessors;
  /**
   * Makes the revision exist with `instances` running processes: unpacks, starts, starts again, scales up or down; zero
   * stops all of them (graceful, then by force after the grace) and keeps what is needed to start again. Zero of a revision that is
   * not there prepares it: what a start needs is brought (unpacked, pulled), nothing is started, and nothing else is touched; of a
   * stopped revision it is there. Returns when the processes have been started (not healthy), and the surplus ones have ended.
   * Does nothing when it is already so. With hosts that are away `left out`, the others get all instances that may run there.
   * Errors: ARTIFACT_MISSING, ARTIFACT_CORRUPT, START_FAILED, PORTS_EXHAUSTED, DISK_FULL, HOST_AWAY.
   */
  ensure(spec: RevisionSpec, instances: number, signal: AbortSignal, hostsAway?: HostsAway): Promise<RevisionStatus>;
  /**
   * What exists, also what an earlier control plane made. Changes nothing. Never another product's. What is on a machine that is away is
   * told as it was seen last; where it was never seen, that is an error, for nobody should take it for not there. Errors: HOST_AWAY.
   */
  observe(selector: RevisionSelector): Promise<readonly RevisionStatus[]>;
  /** A status now and whenever a selected revision changes its state, until the signal is aborted. Changes nothing. */
  watch(selector: RevisionSelector, signal: AbortSignal): AsyncIterable<readonly RevisionStatus[]>;
  /** Stops every instance and forgets the revision and what was brought for it. Logs stay. Does nothing when it is absent. */
  remove(revision: RevisionId, signal: AbortSignal): Promise<void>;
  /** Log lines in order of time. Changes nothing. Absent revision: no lines. */
  logs(query: LogQuery, signal: AbortSignal): AsyncIterable<LogLine>;
  /**
   * `host:port` at which this control plane reaches an instance that listens: its address, or the end of a tunnel to it. Changes
   * nothing at the instance. Errors: INSTANCE_NOT_FOUND, HOST_AWAY.
   */
  reach(instance: InstanceId, signal: AbortSignal): Promise<string>;
  /** Lets go of connections. Revisions go on. */
  close(): Promise<void>;
}
