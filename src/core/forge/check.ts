import type { EpochMs } from "../ids.ts";

/** A check or status of a commit, as the forge has it now. */
export type CommitCheck = {
  readonly name: string;
  readonly state: "pending" | "succeeded" | "failed";
  /** The forge's own word for it, and what it says. */
  readonly says: string;
};

/** What the forge has said of a commit. */
export type ChecksSeen = {
  /** When it answered last; null: not yet. */
  readonly at: EpochMs | null;
  readonly all: readonly CommitCheck[];
  /** Why it did not answer the last time. */
  readonly trouble: string | null;
};

export const nothingSeen: ChecksSeen = { at: null, all: [], trouble: null };
