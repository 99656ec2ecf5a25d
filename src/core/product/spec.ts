import type { Difference } from "../compose/difference.ts";
import type { FlagSpec } from "../flags/flag.ts";
import type { EnvironmentName, ServiceName } from "../ids.ts";
import type { HealingPolicy } from "../recover/healing.ts";
import type { RestoreSpec } from "../recover/restore.ts";
import type { GatesSpec, StepGatesSpec } from "./gates-spec.ts";
import type { PreviewsSpec } from "./previews-spec.ts";
import type { MetricSpec, ProbeSpec } from "./probe-spec.ts";

/**
 * What one environment of a product is, with every default and override applied: the form that is digested, kept in a
 * release, planned and deployed. Plain JSON; durations in ms, sizes in bytes, ratios 0 to 1.
 */
export type EnvironmentSpec = {
  readonly product: string;
  readonly environment: EnvironmentName;
  readonly services: Readonly<Record<ServiceName, ServiceSpec>>;
  readonly accessories: Readonly<Record<string, AccessorySpec>>;
  /** What is looked at while it runs. Absent in releases of before. */
  readonly probes?: readonly ProbeSpec[];
  readonly metrics?: readonly MetricSpec[];
  readonly registry: KeptRegistrySpec | null;
  readonly target: TargetSpec;
  readonly rollout: RolloutSpec;
  readonly edge: EdgeSpec;
  /** Ids of the pipeline's steps that test `promoteFrom`. Absent: none. */
  readonly loadTests?: readonly string[];
  /** A release is only let in after it has succeeded in this environment. */
  readonly promoteFrom: EnvironmentName | null;
  /** Environments that take by themselves what has succeeded in this one. Absent: none. */
  readonly onwards?: readonly EnvironmentName[];
  /** Absent where nothing has to be open, and in releases of before. */
  readonly gates?: GatesSpec;
  /** Of a template of previews, and of each that is made of it. */
  readonly previews?: PreviewsSpec;
  readonly retention: { readonly releases: number };
  /** Where its services come from a Compose file. */
  readonly compose?: ComposeSpec;
  /** By name. Absent in releases of before, as the next one is. */
  readonly rules?: Readonly<Record<string, RuleSpec>>;
  readonly notifiers?: Readonly<Record<string, NotifierSpec>>;
  /** By name. Absent where there are none. */
  readonly flags?: Readonly<Record<string, FlagSpec>>;
  /** Where services ask for them, and how they reach it. */
  readonly flagServer?: { readonly host: string; readonly port: number; readonly url: string };
};

/** What an environment has of the Compose project that it was read from. */
export type ComposeSpec = {
  /** The first part of the names that docker compose gives, and its label. */
  readonly project: string;
  readonly differences: readonly Difference[];
  /** Files that are not in git and whose values are in the release, sealed: the mark changes when the content does. */
  readonly outside: readonly { readonly path: string; readonly mark: string }[];
};

/** What a service of a Compose file has and others do not. Texts may be sealed. */
export type ComposedSettings = {
  /** Its name there. */
  readonly service: string;
  /** What it is called besides, by those who share a network with it. */
  readonly aliases: readonly string[];
  readonly networks: readonly ComposedNetwork[];
  /** Null is the image's own; an empty one takes the image's own away. */
  readonly entrypoint: readonly string[] | null;
  /** An empty one takes the image's own away; null has nothing to say beside `command`. */
  readonly command: readonly string[] | null;
  readonly workingDirectory: string | null;
  /** Path to the options of the mount, which may be empty. */
  readonly tmpfs: Readonly<Record<string, string>>;
  /** Laid into the container before it starts. */
  readonly files: readonly ComposedFileSpec[];
  readonly healthcheck: HealthcheckSpec | null;
  readonly stopSignal: string | null;
  /** `name:address` */
  readonly extraHosts: readonly string[];
  readonly securityOptions: readonly string[];
  readonly ulimits: readonly { readonly name: string; readonly soft: number; readonly hard: number }[];
  readonly sharedMemoryBytes: number | null;
  readonly groups: readonly string[];
  readonly sysctls: Readonly<Record<string, string>>;
  readonly dns: readonly string[];
  /** Of an accessory: why it may only be used where docker compose made it. Empty: we can make it. */
  readonly notMade: readonly string[];
  /** Of an accessory: others wait until the engine calls it healthy. */
  readonly untilHealthy: boolean;
  /** Of an accessory: those that run before it. */
  readonly after: readonly string[];
};

export type ComposedNetwork = {
  /** As the engine has it: `shop_default`. */
  readonly name: string;
  /** Its key in the file; null where somebody else makes it. */
  readonly key: string | null;
  readonly internal: boolean;
};

export type ComposedFileSpec = {
  readonly path: string;
  readonly text: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
};

/** The engine's own check, run in the container. */
export type HealthcheckSpec = {
  readonly test: readonly string[];
  readonly intervalMs: number | null;
  readonly timeoutMs: number | null;
  readonly startPeriodMs: number | null;
  readonly retries: number | null;
};

export type RuleSpec = {
  /** The line, as it is written. */
  readonly when: string;
  readonly minimum: number;
  readonly looks: number;
  readonly whenUnknown: "wait" | "fire";
  readonly dryRun: boolean;
};

export type NotifierSpec = { readonly urlFrom: string; readonly format: "slack" | "alertmanager" };

export type TargetSpec = { readonly driver: "process" } | DockerTargetSpec;

export type DockerTargetSpec = {
  readonly driver: "docker";
  readonly hosts: readonly HostSpec[];
  /** Url of the engine that builds images. */
  readonly builder: string;
  /** Whose images its hosts pull, and as whom. */
  readonly registry: RegistrySpec | null;
  readonly whenAway: "stop" | "wait" | "skip";
  /** How long one that is away is waited for; absent where that is the default, or nobody waits. */
  readonly waitAtMostMs?: number;
  /** What is done about instances of a host that is away for long. Absent: they are waited for. */
  readonly lost?: { readonly act: "replace"; readonly afterMs: number };
};

export type HostSpec = {
  readonly name: string;
  readonly url: string;
  /** Files of the connection's TLS, for tcp. Without a certificate of ours, with its key, none is shown. */
  readonly tls: { readonly ca: string; readonly cert?: string; readonly key?: string } | null;
  /** At which the edge reaches its containers; null where only programs of that machine do. */
  readonly address: string | null;
};

export type RegistrySpec = {
  readonly repository: string;
  readonly user: string | null;
  /** Name of the variable that holds the password; never the password. */
  readonly passwordFrom: string | null;
  /** Argument array that prints the password. */
  readonly passwordCommand?: readonly string[];
};

/** A registry with what stays there. */
export type KeptRegistrySpec = RegistrySpec & {
  /** Null, and absent in releases of before, removes nothing. */
  readonly retention?: { readonly images: number; readonly ageMs: number } | null;
};

export type VolumeSpec = {
  readonly source: string;
  readonly path: string;
  readonly readOnly: boolean;
  /** A volume of a Compose project: `source` is its name at the engine. With a key docker compose would make it, else it must be there. */
  readonly composed?: { readonly key: string | null };
};
export type HostPortSpec = { readonly host: string | null; readonly hostPort: number; readonly port: number };

/** The version of a secret that a release was made with. */
export type SecretRef = { readonly version: number; readonly fingerprint: string };
/** By the name of its variable; null was not set when the release was made. */
export type SecretRefs = Readonly<Record<string, SecretRef | null>>;

/** Beside what is always looked at: that it runs, its image's own check, and its port. */
export type AccessoryHealthSpec = {
  /** Run in its container. */
  readonly command: readonly string[] | null;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly deadlineMs: number;
};

export type AccessorySpec = {
  readonly name: string;
  readonly image: string;
  /** Empty: the image's own. */
  readonly command: readonly string[];
  readonly port: number | null;
  readonly env: Readonly<Record<string, string>>;
  /** Absent: it has none. */
  readonly secrets?: SecretRefs;
  /** How a deployment knows that it is well; false does not ask. Absent: the defaults. No part of what it is made of. */
  readonly health?: AccessoryHealthSpec | false;
  readonly volumes: readonly VolumeSpec[];
  readonly hostPorts: readonly HostPortSpec[];
  readonly resources: { readonly memoryBytes: number | null; readonly cpus: number | null };
  readonly stopGraceMs: number;
  /** Of a Compose file, which says more of an accessory's container than a config does. */
  readonly container?: ContainerSettings;
  readonly composed?: ComposedSettings;
};

/** How a service's image comes about; it is the same in every environment. */
export type ImageSpec = {
  /** One that is there already, by reference; null builds one. */
  readonly from: string | null;
  readonly dockerfile: string | null;
  readonly stage: string | null;
  readonly args: Readonly<Record<string, string>>;
  readonly secrets: readonly string[];
  readonly platforms: readonly string[];
  readonly timeoutMs: number;
};

/** What only holds where the service is a container. */
export type ContainerSettings = {
  readonly port: number;
  readonly volumes: readonly VolumeSpec[];
  readonly hostPorts: readonly HostPortSpec[];
  readonly readOnlyRoot: boolean;
  readonly dropCapabilities: readonly string[];
  readonly addCapabilities: readonly string[];
  readonly user: string | null;
  readonly init: boolean;
  readonly rootUser: "allow" | "warn" | "refuse";
  readonly logs: { readonly maxBytes: number; readonly keep: number };
  /** Whether the old one must have stopped before the new one starts, where that was said; else volumes say it. */
  readonly stopFirst?: boolean;
};

export type ServiceKind = "web" | "worker" | "job" | "static";

export type ServiceSpec = {
  readonly name: ServiceName;
  readonly kind: ServiceKind;
  /** Directory in the repository that is packed; `.` is the whole. */
  readonly path: string;
  /** Run in a clean checkout of `path` before packing; null packs the files as committed. */
  readonly build: { readonly command: readonly string[]; readonly output: string; readonly timeoutMs: number } | null;
  readonly image: ImageSpec;
  readonly container: ContainerSettings;
  /** Argument array, run in the unpacked artifact. A `static` service has none, its files are served; nor has one whose image has one. */
  readonly command: readonly string[];
  /** For `static`: answer unknown paths with this file (single-page apps); null answers 404. */
  readonly fallbackFile: string | null;
  readonly health: HealthSpec;
  /** Absent, as in releases of before: by its kind. */
  readonly restore?: RestoreSpec;
  readonly stopGraceMs: number;
  /** With `scale`: what the first release begins with. */
  readonly instances: number;
  /** Absent: there are as many as `instances` says. */
  readonly scale?: ScaleSpec;
  readonly env: Readonly<Record<string, string>>;
  /** Absent: it has none. */
  readonly secrets?: SecretRefs;
  /** Services that must be healthy before this one starts. */
  readonly needs: readonly ServiceName[];
  readonly routes: readonly RouteSpec[];
  readonly resources: { readonly memoryBytes: number | null; readonly cpus: number | null };
  readonly composed?: ComposedSettings;
};

export type ScaleSpec = {
  readonly min: number;
  readonly max: number;
  /** Lines that say what is too much, read by `core/scale/target.ts`. */
  readonly targets: readonly string[];
  readonly upAfterMs: number;
  readonly downAfterMs: number;
  readonly step: number;
  /** Says what it would do, and does nothing. */
  readonly suggest: boolean;
};

export type HealthSpec = {
  /** Path asked by GET; null for services that do not listen: they are healthy when they have run for `startPeriodMs` without an exit. */
  readonly path: string | null;
  /** Statuses that count as healthy; null is any 2xx. */
  readonly status: readonly number[] | null;
  /** The answer's JSON must contain this (deep, other keys allowed), or its text must contain this string. Null: any body. */
  readonly body: string | JsonShape | null;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** Failures in a row, after the first success, until an instance counts as unhealthy. */
  readonly retries: number;
  /** Grace after start in which a failure does not count, and the wait of services without a path. */
  readonly startPeriodMs: number;
  /** All instances must have been healthy once by then, or the deployment fails. */
  readonly deadlineMs: number;
  /** For services without a path: healthy is what the engine calls healthy, by the container's own check. */
  readonly byEngine?: true;
  /** When an unhealthy instance is restarted. Absent, as in releases of before: by the defaults. */
  readonly healing?: HealingPolicy;
};

export type JsonShape = {
  readonly [key: string]: string | number | boolean | null | JsonShape | readonly (string | number | boolean | null)[];
};

export type RouteSpec = { readonly host: string | null; readonly path: string; readonly strip: boolean };

/** How traffic moves by trust: a little, watched, then more. */
export type CanarySpec = {
  /** Rising, each between nothing and all. */
  readonly steps: readonly {
    /** 0 to 1. */
    readonly weight: number;
    readonly bakeMs: number;
    readonly promotion: "automatic" | "manual";
    /** Absent: none. */
    readonly gates?: StepGatesSpec;
  }[];
  /** Requests that the candidate must have answered in a step before it may pass. */
  readonly minimum: number;
  /** How long, beyond its own time, a step waits for what it is judged by, before it asks a person. */
  readonly limitMs: number;
  /** `share`: as many of the candidate's instances as its weight needs, at least one. */
  readonly instances: "share" | "all";
  /** GET requests to the candidate while users' own are fewer than the minimum, this many a second at most. */
  readonly synthetic: { readonly path: string; readonly perSecond: number } | null;
};

export type RolloutSpec = {
  readonly strategy: "blue-green" | "rolling" | "canary";
  /** Absent for the others. */
  readonly canary?: CanarySpec;
  /** Absent: never. */
  readonly endEarly?: "steps" | "always";
  /** The watch after all traffic is on the candidate. Nothing is called succeeded before it has passed. */
  readonly bakeMs: number;
  /** For rolling: how many instances are replaced at once, as a share of them (at least one), or so many. */
  readonly batch: number | { readonly instances: number };
  readonly drainMs: number;
  /** How long WebSockets and event streams may stay on a revision that has no weight any more. */
  readonly streamLimitMs: number;
  readonly rules: {
    /**
     * Take back when the candidate's error ratio is above stable's by more than `margin`, with at least `minimum` requests. `cold`: for so
     * long after its instances begin it may be above by another margin. Absent: it has no such time.
     */
    readonly errorRatio: {
      readonly margin: number;
      readonly minimum: number;
      readonly cold?: { readonly forMs: number; readonly margin: number };
    } | null;
    /** Take back when one of the quantiles is above `factor` times stable's and by `floorMs`. Absent in releases of before. */
    readonly latency?: {
      readonly factor: number;
      readonly floorMs: number;
      readonly quantiles: readonly number[];
      readonly minimum: number;
      readonly warmUpMs: number;
    } | null;
    /** How often a deployment of a release that is no worse may be taken back by the two above. Absent in releases of before. */
    readonly falseAlarms?: number;
    /** Take back when an instance is unhealthy `retries` times in a row or exits by itself. */
    readonly healthLost: boolean;
  };
  /** A deployment that comes while another is under way waits its turn, or replaces it. */
  readonly whenBusy: "queue" | "replace" | "refuse";
};

export type TlsSpec = {
  readonly listen: { readonly host: string; readonly port: number };
  readonly certificates: readonly { readonly cert: string; readonly key: string; readonly hosts: readonly string[] }[];
  readonly acme: {
    readonly email: string | null;
    readonly directory: string | null;
    readonly ca: string | null;
  } | null;
  readonly http2: boolean;
};

export type EdgeSpec = {
  readonly driver: "embedded" | "caddy";
  /** Engine-style url of the machine it runs on; null is this one. */
  readonly server: string | null;
  readonly tls: TlsSpec | null;
  readonly listen: { readonly host: string; readonly port: number };
  /** Where services reach it; null, and absent in releases of before, is worked out of the rest. */
  readonly address?: string | null;
  readonly trustedProxies: readonly string[];
  /** `named`: for routes that name a host which TLS has a certificate for. */
  readonly redirectToHttps: boolean | "named";
  readonly redirectWww: boolean;
  readonly headers: Readonly<Record<string, string>>;
  /** Absent: not said. */
  readonly hsts?: HstsSpec;
  readonly cors: {
    readonly origins: readonly string[];
    readonly methods: readonly string[];
    readonly headers: readonly string[];
    readonly credentials: boolean;
    readonly maxAgeS: number;
  } | null;
  readonly allowLists: readonly { readonly prefix: string; readonly allow: readonly string[] }[];
  readonly rateLimit: { readonly requests: number; readonly perMs: number } | null;
  readonly bodyBytes: number;
  readonly sticky: { readonly cookie: string } | { readonly header: string } | null;
  /** By what a client chooses its side. Absent: by nothing. */
  readonly optIn?: OptInSpec;
  readonly maintenance: boolean;
};

export type HstsSpec = { readonly maxAgeS: number; readonly includeSubDomains: boolean; readonly preload: boolean };

/** A header or cookie, and the values of it that mean the one side or the other. */
export type OptInSpec = ({ readonly header: string } | { readonly cookie: string }) & {
  readonly candidate: string;
  readonly stable: string;
};
