import type { Commit } from "../core/release/commit.ts";

export type Checkout = {
  readonly hash: string;
  /** Where the asked directory is inside the repository; empty at its top. */
  readonly prefix: string;
  readonly branch: string | null;
  readonly commit: Commit;
  /** Tags on the commit. */
  readonly tags: readonly string[];
};

/** Where a repository was cloned from; null is not known. */
export type Origin = { readonly url: string | null; readonly defaultBranch: string | null };

/** Where commits come from. Changes nothing in the repository, but for what `fetch` adds to it. */
export interface Source {
  /** The commit that `revision` names. Errors: GIT_MISSING, GIT_NOT_A_REPOSITORY, GIT_UNKNOWN_COMMIT. */
  resolve(repository: string, revision: string): Promise<Checkout>;
  /** Paths that differ from HEAD or are untracked and not ignored. */
  dirtyPaths(repository: string): Promise<readonly string[]>;
  /** Commits in `to` that are not in `from` (null: all), newest first, at most `limit`. */
  commits(
    repository: string,
    range: { readonly from: string | null; readonly to: string },
    limit: number,
  ): Promise<readonly Commit[]>;
  /** Paths inside the asked directory that differ between two commits; null when `from` is not here. */
  changedPaths(
    repository: string,
    range: { readonly from: string; readonly to: string },
  ): Promise<readonly string[] | null>;
  /** What the repository knows of the remote `origin`, without asking it. */
  origin(repository: string): Promise<Origin>;
  /** What the branches and tags of a remote, or of an address of git, point to, by their refs. Errors: REMOTE_AWAY. */
  refs(repository: string, remote: string, signal: AbortSignal): Promise<ReadonlyMap<string, string>>;
  /** Brings one of them here, under the name that is answered, and nothing that anybody works on. Safe to repeat. Errors: REMOTE_AWAY. */
  fetch(
    repository: string,
    what: { readonly remote: string; readonly ref: string },
    signal: AbortSignal,
  ): Promise<string>;
  /**
   * Writes the files as of the commit (or of the working tree, when `dirty`) into the empty directory `into`, without the
   * history, and with those of its submodules. Errors: GIT_FAILED, DISK_FULL, GIT_UNKNOWN_COMMIT (a submodule's is not here).
   */
  export(
    repository: string,
    what: { readonly hash: string; readonly dirty: boolean },
    into: string,
    signal: AbortSignal,
  ): Promise<void>;
}
