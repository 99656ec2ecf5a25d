import type { ServiceName } from "../ids.ts";
import type { BuiltInStep, RunEvent } from "../product/pipeline.ts";
import type { LoadPolicy } from "./load.ts";
import type { Parameter } from "./parameter.ts";
import type { ScanPolicy } from "./scan.ts";

/** What a step does: a built-in one is looked up in the checkout, which the config does not know. */
export type StepWork =
  | { readonly is: "built-in"; readonly uses: BuiltInStep }
  | { readonly is: "command"; readonly command: readonly string[] }
  | { readonly is: "shell"; readonly line: string }
  /** One of its Compose file, which has its own command. */
  | { readonly is: "service"; readonly service: string };

/** One step with every default applied; one for each combination of a matrix. */
export type PipelineStep = {
  /** `unit`, `api/unit`, `api/unit[DATABASE=mysql]`: names it in a run. */
  readonly id: string;
  /** The id without the combination: what `needs` and `--step` name. */
  readonly name: string;
  readonly service: ServiceName | null;
  readonly work: StepWork;
  /** Relative to the product's directory; `.` is that. */
  readonly path: string;
  /** Ids. */
  readonly needs: readonly string[];
  readonly when: {
    readonly branch: readonly string[] | null;
    readonly paths: readonly string[] | null;
    readonly event: readonly RunEvent[] | null;
  };
  readonly timeoutMs: number;
  readonly attempts: number;
  readonly retryReason: string | null;
  readonly retryWaitMs: number;
  readonly whenLost: "again" | "fail";
  readonly allowFailure: boolean;
  /** Those of the matrix too. */
  readonly env: Readonly<Record<string, string>>;
  readonly secrets: readonly string[];
  /** Null: never restored. */
  readonly inputs: readonly string[] | null;
  readonly outputs: readonly string[];
  /** Kept with the run to be looked at. Absent in what was planned before there were any. */
  readonly artifacts?: readonly string[];
  readonly tools: readonly string[];
  readonly reports: StepReports;
  /** Not null: what its reports have found says whether it has passed. */
  readonly scan: ScanPolicy | null;
  /** Not null: it tests what is live in an environment, and runs when somebody asks for it. */
  readonly load: LoadPolicy | null;
  /** Null: a process of this machine. */
  readonly container: StepContainer | null;
  /** Labels that an agent must have; empty: it runs on the control plane's machine. */
  readonly runsOn: readonly string[];
};

/** The container that a step runs in. */
export type StepContainer = {
  readonly engine: string;
  /** Null where a service of the Compose file is what runs. */
  readonly image: string | null;
  readonly network: "open" | "none";
  readonly memoryBytes: number;
  readonly cpus: number | null;
  readonly beside: readonly StepBeside[];
  readonly readyMs: number;
  /** Left out: nothing of a Compose file is beside it. */
  readonly compose?: StepCompose;
};

/** A Compose project whose services are started for this step alone. */
export type StepCompose = {
  /** Relative to the step's path, laid over each other in this order. */
  readonly files: readonly string[];
  readonly profiles: readonly string[];
  /** Whose exit code is the step's; null: the step has a command of its own. */
  readonly service: string | null;
};

/** An accessory of the config, for this step alone. */
export type StepBeside = {
  readonly name: string;
  readonly image: string;
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Names of variables whose values are those of the pipeline's secrets. */
  readonly secrets: readonly string[];
  readonly port: number | null;
  readonly memoryBytes: number | null;
};

export type StepReports = {
  readonly junit: readonly string[];
  readonly coverage: readonly string[];
  readonly sarif: readonly string[];
  readonly scan: readonly string[];
  readonly load: readonly string[];
};

export type Pipeline = {
  /** In the order of the config, the product's before the services'. */
  readonly steps: readonly PipelineStep[];
  /** Null: as many as there are cores. */
  readonly parallel: number | null;
  readonly diskBytes: number;
  readonly parameters: readonly Parameter[];
  /** Null: results of steps stay on this machine. */
  readonly shared: SharedCacheSpec | null;
};

/** A bucket for results of steps. */
export type SharedCacheSpec = {
  readonly endpoint: string;
  readonly bucket: string;
  readonly region: string;
  /** Before the names of its objects; may be empty. */
  readonly prefix: string;
  /** Names of the pipeline's secrets that open it. */
  readonly keyIdFrom: string;
  readonly keyFrom: string;
};

/** Why a run exists, and what of its pipeline is asked for. */
export type RunReason = {
  readonly event: RunEvent;
  readonly branch: string | null;
  /** Paths that differ from the newest release, relative to the product's directory; null: everything. */
  readonly changed: readonly string[] | null;
  /** Names of steps; these and what they need. Empty: all. */
  readonly steps: readonly string[];
  /** Only steps of these services, and what they need. Empty: all. */
  readonly services: readonly string[];
};
