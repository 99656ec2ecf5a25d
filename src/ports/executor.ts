import type { StackService } from "../core/compose/stack.ts";

/** One attempt of a step: a command in a workspace. */
export type StepJob = {
  /** Never used by another attempt. */
  readonly key: string;
  /** Select it again: of the run, of the step. */
  readonly labels: Readonly<Record<string, string>>;
  readonly command: readonly string[];
  readonly directory: string;
  /** Of the state directory it is in, a process of this machine sees and may write these, where the system can hide the rest. */
  readonly sees: readonly string[];
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
  /** Null: on this machine. */
  readonly away: JobAway | null;
};

/** A job for an agent on another machine. */
export type JobAway = {
  /** The agent has all of these. */
  readonly labels: readonly string[];
  /** What it gets: the checkout with all that was made in it; the job's directory is in it. */
  readonly top: string;
  /** What comes back, relative to the job's directory. */
  readonly patterns: readonly string[];
};

/** The container that a job runs in. */
export type JobContainer = {
  /** An engine of this machine. */
  readonly engine: string;
  /** The job's command in an image, or a service, whose own command it is: then the job's command and environment are not used. */
  readonly runs:
    | { readonly is: "command"; readonly image: string }
    | { readonly is: "service"; readonly service: StackService };
  /** The directory of this machine that it sees, and may write; the job's own is in it. */
  readonly mount: string;
  readonly network: "open" | "none";
  readonly memoryBytes: number;
  /** Null: all that there are. */
  readonly cpus: number | null;
  /** Made for the job, and removed with it. The job's command is in all of the networks; without one it has none to share. */
  readonly networks: readonly { readonly key: string; readonly internal: boolean }[];
  readonly volumes: readonly string[];
  /** Started before it, each after those that it waits for, and waited for until they are ready. */
  readonly beside: readonly StackService[];
  readonly readyMs: number;
};

/** `lost`: it was started, and nobody knows how it ended. */
export type JobEnd =
  | { readonly is: "exited"; readonly code: number }
  | { readonly is: "killed"; readonly by: string }
  | { readonly is: "timed-out"; readonly afterMs: number }
  | { readonly is: "too-large"; readonly what: "output" | "workspace"; readonly maxBytes: number }
  | { readonly is: "not-started"; readonly why: string }
  | { readonly is: "lost"; readonly why?: string };

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
  /** Why a process of this machine could read the state directory it is in; null: it cannot. Changes nothing. */
  unfenced(): Promise<string | null>;
}
