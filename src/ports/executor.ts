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
