import type { SlipwayKeys } from "./reading/slipway.ts";
import type { RawMap } from "./tree.ts";

/**
 * A Compose project as it would run: files merged, variables filled in, short forms written out, units plain, paths
 * absolute. Null means that the file says nothing, so that the image or the engine decides.
 */
export type ComposeModel = {
  readonly name: string;
  /** Absolute directory that relative paths began at. */
  readonly directory: string;
  /** Only those that the chosen profiles switch on. */
  readonly services: Readonly<Record<string, ComposeService>>;
  /** Services that no chosen profile switches on, with the profiles that would. */
  readonly disabled: Readonly<Record<string, readonly string[]>>;
  /** Of these, only what a service uses. */
  readonly networks: Readonly<Record<string, ComposeNetwork>>;
  readonly volumes: Readonly<Record<string, ComposeVolume>>;
  readonly secrets: Readonly<Record<string, ComposeFile>>;
  readonly configs: Readonly<Record<string, ComposeFile>>;
  /** `x-…`, as written. */
  readonly extensions: RawMap;
  /** Top-level keys that are known to Compose and nothing is done with here. */
  readonly other: RawMap;
};

export type ComposeService = {
  readonly name: string;
  readonly image: string | null;
  readonly build: ComposeBuild | null;
  readonly platform: string | null;
  readonly pullPolicy: string | null;
  readonly profiles: readonly string[];
  /** Argument arrays. Null is the image's own, an empty one takes the image's own away. */
  readonly command: readonly string[] | null;
  readonly entrypoint: readonly string[] | null;
  readonly workingDirectory: string | null;
  /** What is in the files of `env_file` is in it. Null is a variable that is nowhere set. */
  readonly environment: Readonly<Record<string, string | null>>;
  /**
   * Names of those whose value is not written in the Compose file: from env files, passed on, or put together with variables.
   * They may be secrets.
   */
  readonly fromOutside: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly ports: readonly ComposePort[];
  /** `3000`, `3000/udp`, `3000-3005`. */
  readonly expose: readonly string[];
  readonly mounts: readonly ComposeMount[];
  /** `/run`, or with options: `/run:size=64m`. */
  readonly tmpfs: readonly string[];
  readonly volumesFrom: readonly string[];
  readonly secrets: readonly ComposeFileMount[];
  readonly configs: readonly ComposeFileMount[];
  readonly networks: Readonly<Record<string, ComposeAttachment>>;
  readonly networkMode: string | null;
  readonly links: readonly string[];
  /** `name=address`. */
  readonly extraHosts: readonly string[];
  readonly dns: readonly string[];
  readonly hostname: string | null;
  readonly domainName: string | null;
  readonly containerName: string | null;
  readonly dependsOn: Readonly<Record<string, ComposeDependency>>;
  readonly health: ComposeHealth | null;
  readonly deploy: ComposeDeploy | null;
  readonly scale: number | null;
  /** `no`, `always`, `on-failure[:n]`, `unless-stopped`. */
  readonly restart: string | null;
  readonly stopGraceMs: number | null;
  readonly stopSignal: string | null;
  readonly user: string | null;
  readonly groups: readonly string[];
  readonly init: boolean | null;
  readonly readOnly: boolean;
  readonly privileged: boolean;
  readonly tty: boolean;
  readonly openStdin: boolean;
  readonly addCapabilities: readonly string[];
  readonly dropCapabilities: readonly string[];
  readonly securityOptions: readonly string[];
  readonly sysctls: Readonly<Record<string, string>>;
  readonly ulimits: Readonly<Record<string, number | { readonly soft: number; readonly hard: number }>>;
  readonly devices: readonly {
    readonly source: string;
    readonly target: string;
    readonly permissions: string | null;
  }[];
  readonly logging: { readonly driver: string | null; readonly options: Readonly<Record<string, string>> } | null;
  readonly pid: string | null;
  readonly ipc: string | null;
  readonly limits: ComposeLimits;
  readonly slipway: SlipwayKeys | null;
  /** Keys that are known to Compose and nothing is done with here. */
  readonly other: RawMap;
};

/** The limits of the old file formats, outside `deploy`. */
export type ComposeLimits = {
  readonly memoryBytes: number | null;
  readonly memoryReservationBytes: number | null;
  /** Memory and swap together; -1 is no limit. */
  readonly swapBytes: number | null;
  readonly sharedMemoryBytes: number | null;
  readonly cpus: number | null;
  readonly pids: number | null;
};

export type ComposeBuild = {
  /** Absolute directory, or the URL of a repository. */
  readonly context: string;
  readonly dockerfile: string | null;
  readonly dockerfileInline: string | null;
  readonly args: Readonly<Record<string, string>>;
  readonly target: string | null;
  readonly labels: Readonly<Record<string, string>>;
  readonly secrets: readonly ComposeFileMount[];
  readonly platforms: readonly string[];
  readonly cacheFrom: readonly string[];
  readonly cacheTo: readonly string[];
  readonly tags: readonly string[];
  readonly additionalContexts: Readonly<Record<string, string>>;
  readonly network: string | null;
  readonly sharedMemoryBytes: number | null;
  readonly noCache: boolean;
  readonly pull: boolean;
  readonly other: RawMap;
};

export type ComposePort = {
  readonly target: number;
  /** A port of the host, or a range to take one of; null leaves it to the engine. */
  readonly published: string | null;
  readonly hostIp: string | null;
  readonly protocol: string;
  readonly mode: string;
  readonly name: string | null;
  readonly appProtocol: string | null;
};

export type ComposeMount = {
  readonly type: "bind" | "volume" | "tmpfs" | "cluster" | "npipe" | "image";
  /** Absolute path, or the key of a volume; null for one without a name. */
  readonly source: string | null;
  readonly target: string;
  readonly readOnly: boolean;
  readonly consistency: string | null;
  readonly bind: {
    readonly createHostPath: boolean;
    readonly propagation: string | null;
    readonly selinux: string | null;
    readonly recursive: string | null;
  } | null;
  readonly volume: {
    readonly noCopy: boolean;
    readonly subpath: string | null;
    readonly labels: Readonly<Record<string, string>>;
  } | null;
  readonly tmpfs: { readonly sizeBytes: number | null; readonly mode: number | null } | null;
};

export type ComposeFileMount = {
  readonly source: string;
  readonly target: string | null;
  readonly uid: string | null;
  readonly gid: string | null;
  /** Bits, as 0o440. */
  readonly mode: number | null;
};

export type ComposeAttachment = {
  readonly aliases: readonly string[];
  readonly ipv4: string | null;
  readonly ipv6: string | null;
  readonly other: RawMap;
} | null;

export type ComposeDependency = {
  readonly condition: "service_started" | "service_healthy" | "service_completed_successfully";
  /** Whether this one cannot start without it. */
  readonly required: boolean;
  readonly restart: boolean;
};

export type ComposeHealth = {
  /** Switched off, also what the image has. */
  readonly disabled: boolean;
  /** `["CMD", …]`, `["CMD-SHELL", text]` or `["NONE"]`; null is the image's own. */
  readonly test: readonly string[] | null;
  readonly intervalMs: number | null;
  readonly timeoutMs: number | null;
  readonly startPeriodMs: number | null;
  readonly startIntervalMs: number | null;
  readonly retries: number | null;
};

export type ComposeDeploy = {
  readonly mode: string | null;
  readonly replicas: number | null;
  readonly endpointMode: string | null;
  readonly labels: Readonly<Record<string, string>>;
  readonly update: ComposeUpdate | null;
  readonly rollback: ComposeUpdate | null;
  readonly limits: {
    readonly cpus: number | null;
    readonly memoryBytes: number | null;
    readonly pids: number | null;
  } | null;
  readonly reservations: {
    readonly cpus: number | null;
    readonly memoryBytes: number | null;
    readonly other: RawMap;
  } | null;
  readonly restart: {
    readonly condition: string | null;
    readonly delayMs: number | null;
    readonly attempts: number | null;
    readonly windowMs: number | null;
  } | null;
  readonly placement: RawMap;
};

export type ComposeUpdate = {
  readonly parallelism: number | null;
  readonly delayMs: number | null;
  readonly failureAction: string | null;
  readonly monitorMs: number | null;
  readonly maxFailureRatio: number | null;
  readonly order: "start-first" | "stop-first" | null;
};

export type ComposeNetwork = {
  readonly name: string;
  readonly external: boolean;
  readonly driver: string | null;
  readonly options: Readonly<Record<string, string>>;
  readonly internal: boolean;
  readonly attachable: boolean;
  readonly labels: Readonly<Record<string, string>>;
  readonly ipam: RawMap;
  readonly other: RawMap;
};

export type ComposeVolume = {
  readonly name: string;
  readonly external: boolean;
  readonly driver: string | null;
  readonly options: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
};

/** A secret or a config. */
export type ComposeFile = {
  readonly name: string;
  readonly external: boolean;
  /** Absolute path. */
  readonly file: string | null;
  /** The name of the variable that holds it. */
  readonly environment: string | null;
  readonly content: string | null;
  readonly labels: Readonly<Record<string, string>>;
  readonly driver: string | null;
  readonly options: Readonly<Record<string, string>>;
  readonly templateDriver: string | null;
};
