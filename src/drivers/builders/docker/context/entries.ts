import type { EpochMs } from "../../../../core/ids.ts";

/** One thing of a build context, as it is sent: root's, with one time for all, so that only names, modes and contents count. */
export type ContextEntry = {
  /** Relative, with `/`. */
  readonly path: string;
  /** Permission bits only. */
  readonly mode: number;
  readonly modifiedAt: EpochMs;
} & (
  | { readonly type: "directory" }
  | { readonly type: "symlink"; readonly target: string }
  | { readonly type: "file"; readonly size: number; readonly file: string }
  | { readonly type: "file"; readonly size: number; readonly text: string }
);
