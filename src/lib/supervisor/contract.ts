/**
 * What the supervisor keeps and says, shared by its daemon and its clients. A *unit* is one command that is kept running in
 * some number of *instances*; what a unit means is only in its labels, which the supervisor never reads.
 */

/** Rises when a daemon and a client of different versions would misunderstand each other. */
export const protocolVersion = 4;

export type UnitSpec = {
  /** Names the unit, its instances (`<key>.<index>`) and its files. */
  readonly key: string;
  /** Selects units, and is written into every log line. */
  readonly labels: Readonly<Record<string, string>>;
  /** Kept and given back; in no log line. */
  readonly notes: Readonly<Record<string, string>>;
  /** `service` is restarted when it ends; `job` runs once, and its exit is kept. */
  readonly mode: "service" | "job";
  readonly command: readonly string[];
  /** Executed instead of it where that path is not there at the start: who asked, and was to hold it, has died in between. */
  readonly otherwise?: { readonly without: string; readonly command: readonly string[] };
  readonly cwd: string;
  /** The whole environment; nothing is inherited. Kept by the daemon in a file of mode 0600, so that it can restart alone. */
  readonly env: Readonly<Record<string, string>>;
  /** Name of the variable that is given the instance's id, or null. */
  readonly idVariable: string | null;
  /** Each instance gets a free port in `PORT`, with `HOST=127.0.0.1`. */
  readonly port: boolean;
  readonly stopGraceMs: number;
  readonly memoryBytes: number | null;
  /** Share of one core. */
  readonly cpus: number | null;
  /** Both streams are appended to this file, which is whose who asked: nothing of the unit is in the supervisor's log. */
  readonly outputFile?: string;
  /** From 0 to 19: how much it gives way to others. With it, it is also ended before them when memory runs out. */
  readonly niceness?: number;
  /** So many processes and threads may be in it at once, where the kernel can hold that (cgroup v2). */
  readonly processes?: number;
};

export type Exit = { readonly code: number | null; readonly signal: string | null; readonly at: number };

/** Why an instance could not be started. `COMMAND`: the system refused the command. `PORTS`: no free port. `SPACE`: disk full. */
export type StartFailure = { readonly code: "COMMAND" | "PORTS" | "SPACE"; readonly message: string };

/**
 * `waiting`: not started yet, within this moment. `backoff`, `crash-looping`: ended, to be started again. `stopping`: inside
 * its grace. `stopped`: on request. `exited`: a job that ended.
 */
export type InstanceState = "waiting" | "running" | "backoff" | "crash-looping" | "stopping" | "stopped" | "exited";

export type InstanceReport = {
  readonly id: string;
  readonly index: number;
  readonly state: InstanceState;
  readonly port: number | null;
  readonly pid: number | null;
  readonly startedAt: number | null;
  readonly restarts: number;
  /** Code and signal are both null when it ended while no daemon watched. */
  readonly lastExit: Exit | null;
  readonly failure: StartFailure | null;
  readonly cpu: number | null;
  readonly memoryBytes: number | null;
};

export type UnitReport = {
  readonly key: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly notes: Readonly<Record<string, string>>;
  readonly wanted: number;
  readonly instances: readonly InstanceReport[];
};

/** Units whose key and labels are all these. Empty: every unit. */
export type Selector = { readonly key?: string; readonly labels?: Readonly<Record<string, string>> };

export type LogRecord = {
  readonly at: number;
  readonly stream: "stdout" | "stderr" | "supervisor";
  readonly instance: string;
  readonly unit: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly text: string;
};

export type LogRequest = { readonly selector: Selector; readonly tail: number | null; readonly follow: boolean };

/** How a limit is held: `hard` by the kernel (cgroup v2), `watched` by sampling and a restart, `none`. */
export type Limits = { readonly memory: "hard" | "watched"; readonly cpu: "hard" | "none" };

export type DaemonReport = { readonly pid: number; readonly protocol: number; readonly limits: Limits };

/**
 * `UNREACHABLE`: no daemon, and none could be started. `NOT_FOUND`: no such unit or running instance. `START_FAILED`,
 * `NO_PORT`, `NO_SPACE`: as they say. `BAD_REQUEST`: a limit of a call was passed. `INTERNAL`: a bug.
 */
export type SupervisorErrorCode =
  | "UNREACHABLE"
  | "NOT_FOUND"
  | "START_FAILED"
  | "NO_PORT"
  | "NO_SPACE"
  | "BAD_REQUEST"
  | "INTERNAL";

export class SupervisorError extends Error {
  override readonly name = "SupervisorError";
  readonly code: SupervisorErrorCode;

  constructor(code: SupervisorErrorCode, message: string, options?: { readonly cause: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/** A call is a request line, then item lines (for streams), then one done or error line; then the connection may carry another. */
export type Request =
  | { readonly call: "hello" }
  | { readonly call: "ensure"; readonly spec: UnitSpec; readonly instances: number }
  | { readonly call: "observe"; readonly selector: Selector }
  | { readonly call: "watch"; readonly selector: Selector }
  | { readonly call: "remove"; readonly key: string }
  | { readonly call: "restart"; readonly instance: string; readonly startedAt: number }
  | ({ readonly call: "logs" } & LogRequest)
  /** The daemon ends and everything goes on running: for an upgrade. */
  | { readonly call: "leave" }
  /** Everything is stopped, then the daemon ends. */
  | { readonly call: "shutdown" };

export type Reply =
  | { readonly item: unknown }
  | { readonly done: unknown }
  | { readonly error: { readonly code: SupervisorErrorCode; readonly message: string } };

export const requestLimits = {
  lineBytes: 1024 * 1024,
  connections: 256,
  /** From connecting to the end of the request line. */
  requestMs: 5_000,
  instances: 64,
  units: 1_000,
  labels: 16,
  tailLines: 10_000,
} as const;

export const socketName = "supervisor.sock";
