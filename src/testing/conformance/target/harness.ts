import type { InstanceId } from "../../../core/ids.ts";
import type { Restarts } from "../../../ports/restarts.ts";
import type { Sessions } from "../../../ports/session.ts";
import type { Stopping } from "../../../ports/stopping.ts";
import type { DirectoryArtifact, ImageArtifact, RevisionSpec, Target } from "../../../ports/target.ts";

/** One place where revisions live, empty at the beginning, and gone with all its processes after `close`. */
export type TargetHarness = {
  /** Another client of the same place, for a product. */
  open(product: string): Promise<Target & Partial<Restarts> & Partial<Stopping> & Partial<Sessions>>;
  /** Calls `ensure` from a process that is then killed with SIGKILL. */
  ensureAndDie(product: string, spec: RevisionSpec, instances: number): Promise<void>;
  /**
   * For a target that runs images: these files over node and a shell, in the working directory `/app`, at every place where it runs
   * something. Absent: the target takes packed directories, and its processes are this machine's.
   */
  readonly image?: (files: Readonly<Record<string, string>>) => Promise<ImageArtifact>;
  /**
   * For a target whose instances are no programs: they are asked, and end, in its own way. What only a program has is then not tested:
   * its files and environment, its signals and children, its output line by line, commands beside it, its memory.
   */
  readonly virtual?: {
    /** The suite's program, as such a target has it. */
    readonly artifact: DirectoryArtifact;
    /** What the program says of itself to whoever asks it at the address. Rejects while nobody listens there. */
    ask(address: string | null): Promise<{ readonly pid: number; readonly instance: InstanceId }>;
    /** Ends an instance as the kernel would. */
    kill(instance: InstanceId): void;
  };
  /** What the place had left over when the last revision was gone; empty is right. */
  readonly leftovers?: () => Promise<readonly string[]>;
  close(): Promise<void>;
};
