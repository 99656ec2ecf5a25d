import type { InstanceId } from "../core/ids.ts";
import type { RevisionSpec } from "./target.ts";

export type TerminalSize = { readonly columns: number; readonly rows: number };

/** Where a command runs: beside a running instance, or in a fresh one that goes when the command ends. */
export type SessionPlace = { readonly instance: InstanceId } | { readonly fresh: RevisionSpec };

export type SessionSpec = {
  readonly place: SessionPlace;
  readonly command: readonly string[];
  /** Null: without a terminal, and the two outputs stay apart. With one, all output is `stdout`. */
  readonly terminal: TerminalSize | null;
};

/** With what the ids of fresh instances begin: what is left of them after a crash is found by it. */
export const freshPrefix = "cmd_";

export type SessionOutput = { readonly stream: "stdout" | "stderr"; readonly data: Buffer };

/** A command under way, with its streams. */
export interface Session {
  /** What it prints, until it ends. Who reads slowly makes it wait. */
  readonly output: AsyncIterable<SessionOutput>;
  /** Its input; resolves when there is room for more. */
  write(data: Buffer): Promise<void>;
  /** Its input has ended. */
  end(): void;
  resize(size: TerminalSize): Promise<void>;
  /** `SIGINT` and the like. False where the place cannot pass signals on: a command beside a container's own. */
  signal(name: NodeJS.Signals): Promise<boolean>;
  /** Its exit code, 128 and the number of the signal that ended it; after the output. */
  readonly exit: Promise<number>;
}

/** What a target does besides where it can: commands that a person talks to. */
export interface Sessions {
  /**
   * A command with its streams, beside a running instance or in a fresh one of a revision that nobody else knows: with its artifact,
   * environment, networks and volumes, and gone when the command has ended. Aborting the signal ends both, as far as the place
   * can. Errors: INSTANCE_NOT_FOUND, EXEC_FAILED, those of a target's `ensure`.
   */
  session(spec: SessionSpec, signal: AbortSignal): Promise<Session>;
}
