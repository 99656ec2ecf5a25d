import type { RevisionId } from "../core/ids.ts";

/** What a target does besides whose revisions do not end with this machine's supervisor. */
export interface Stopping {
  /**
   * Stops every instance of a revision, or an accessory, and keeps it, as `ensure` of none does: for who has no spec of it, because its
   * release is none that the store knows. Each has the grace that it was started with. Does nothing where it is absent; safe to
   * repeat. Errors: HOST_AWAY.
   */
  stop(revision: RevisionId, signal: AbortSignal): Promise<void>;
}
