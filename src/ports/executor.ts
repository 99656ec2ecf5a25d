/** One attempt of a step: a command in a workspace. */
export type StepJob = {
  /** Never used by another attempt. */
  readonly key: string;
  /** Select it again: of the run, of the step. */
  readonly labels: Readonly<Record<string, string>>;
  readonly command: readonly string[];
  readonly directory: string;
  /** The whole environment: nothing is inherited. */
  readonly env: Readonly<Record<string, string>>;
  /** Values that must not be in the log, in no form. */
  readonly secrets: readonly string[];
  /** Directory of this attempt alone; made when absent. What is kept is `log` in it. */
  readonly room: string;
  /** Counted from its start, also while nobody looked. */
  readonly timeoutMs: number;
  readonly outputBytes: number;
  /** What may be in a directory while it runs. */
  readonly disk: { readonly directory: string; readonly maxBytes: number };
  /** Null: a process of this machine. */
  readonly container: JobContainer | null;
};

/** The container that a job runs in. */
export type JobContainer = {
  /** An engine of this machine. */
  readonly engine: string;
  readonly image: string;
  /** The directory of this machine that it sees, and may write; the job's own is in it. */
  readonly mount: string;
  readonly network: "open" | "none";
  readonly memoryBytes: number;
  /** Null: all that there are. */
  readonly cpus: number | null;
  /** Started before it and waited for until they are ready, in a network that they and the job have for themselves. */
  readonly beside: readonly Beside[];
  readonly readyMs: number;
};

export type Beside = {
  /** As the job finds it. */
  readonly name: string;
  readonly image: string;
  /** Empty: the image's own. */
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly port: number | null;
  readonly memoryBytes: number | null;
};

/** `lost`: it was started, and nobody knows how it ended. */
export type JobEnd =
  | { readonly is: "exited"; readonly code: number }
  | { readonly is: "killed"; readonly by: string }
  | { readonly is: "timed-out"; readonly afterMs: number }
  | { readonly is: "too-large"; readonly what: "output" | "workspace"; readonly maxBytes: number }
  | { readonly is: "not-started"; readonly why: string }
  | { readonly is: "lost" };

/** Runs the steps of pipelines. */
export interface Executor {
  readonly name: string;
  /**
   * Runs the job to its end; nothing that it started is left. With the same key it is found again while it runs, and its end is
   * answered when it has ended: it is begun once. `onOutput` gets what is in the log too, secrets masked. An aborted signal
   * lets go of it and leaves it running.
   */
  run(job: StepJob, onOutput: (chunk: Buffer) => void, signal: AbortSignal): Promise<JobEnd>;
  /** Ends the jobs that have all these labels, with all that they have started. May be repeated. */
  stop(labels: Readonly<Record<string, string>>): Promise<void>;
  /** The labels of all that is under way. */
  running(): Promise<readonly Readonly<Record<string, string>>[]>;
}
