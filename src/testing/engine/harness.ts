import type { Engine } from "../../ports/engine.ts";
import type { Store } from "../../ports/store.ts";

/** What an engine must bring to be held to the contract. */
export type EngineHarness = {
  /**
   * Whether another process takes over the work of one that does not answer any more. Else it is refused with STORE_LOCKED
   * for as long as the owner lives, also when that is stopped.
   */
  readonly takesOver: boolean;
  /** A new, empty place for state: a directory, a schema on a server. */
  place(): Promise<Place>;
};

export type Place = {
  /** A compiled program that opens this place with these arguments and serves `serveChild`. */
  readonly child: { readonly file: string; readonly args: readonly string[] };
  open(): Promise<OpenPlace>;
  /** Removes it and everything in it. Nobody has it open any more. */
  remove(): Promise<void>;
};

export type OpenPlace = {
  readonly store: Store;
  /** A new engine on the open store, nothing registered, not opened. */
  engine(options?: { readonly onBoundary?: OnBoundary }): Engine;
  /** Closes the store; the engines have been closed. */
  close(): Promise<void>;
};

/** Called at every point where a crash may come between two records; when it throws, the workflow stops there as in a crash. */
export type OnBoundary = (point: {
  readonly workflowId: string;
  readonly seq: number;
  readonly name: string;
  readonly at: "before-perform" | "after-perform" | "after-record";
}) => void | Promise<void>;
