import type { Paths } from "./paths.ts";

/** One step of writing slots. Names are relative to the place's slots directory and hold no blanks; content is one line. */
export type FileStep =
  | { readonly is: "folder"; readonly name: string }
  | { readonly is: "file"; readonly name: string; readonly content: string }
  /** `name` becomes a symlink to `to`, in one step also when it is one already. */
  | { readonly is: "link"; readonly name: string; readonly to: string }
  /** Removes everything in `folder` but these. */
  | { readonly is: "keep"; readonly folder: string; readonly names: readonly string[] };

/**
 * Where Caddy runs: this machine, or a host behind SSH. Everything else of the driver is the same for both. Calls may be
 * repeated; they throw SlipwayErrors.
 */
export type Place = {
  readonly paths: Paths;
  /** How often certificate files are looked at. */
  readonly filesEveryMs: number;
  /** What Caddy says of itself; EDGE_UNREACHABLE when there is none. */
  version(): Promise<string>;
  /** Makes the directories, 0700. */
  prepare(): Promise<void>;
  /** Null when there is no such file. */
  read(path: string): Promise<string | null>;
  /** Whole or not at all, 0600. */
  write(path: string, content: string): Promise<void>;
  /** In this order. Nothing is undone when one fails. */
  perform(steps: readonly FileStep[]): Promise<void>;
  /** A socket of this machine that leads to that one of the place. */
  socket(path: string): Promise<string>;
  /** Where a listener of the place is reached from here. */
  dial(
    host: string,
    port: number,
  ): Promise<{ readonly host: string; readonly port: number } | { readonly path: string }>;
  /** Has Caddy started on the config file, and kept up; does nothing when it runs. */
  launchCaddy(): Promise<void>;
  close(): Promise<void>;
};
