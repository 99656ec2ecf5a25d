import type { EnvironmentName } from "../core/ids.ts";

/** What a target does besides where revisions leave something behind that outlives them. */
export interface Clearing {
  /**
   * Takes an environment away whole, everywhere: what runs of it, its volumes with what is in them, its networks. Only what the target
   * has made for it itself. For environments that are gone for good: there is no way back. Safe to repeat. Errors: HOST_AWAY (nothing is
   * left to be done by itself: repeat it).
   */
  clear(environment: EnvironmentName, signal: AbortSignal): Promise<void>;
}
