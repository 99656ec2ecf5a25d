import { createHash } from "node:crypto";
import { socketPath } from "../../../lib/socket-path.ts";

/** What a place keeps of an edge, all under one 0700 directory. */
export type Paths = {
  readonly directory: string;
  /** What Caddy is started with; holds no key, but the words by which its log is believed. */
  readonly configFile: string;
  readonly slots: string;
  /** A symlink: the one thing that a switch changes. */
  readonly current: string;
  readonly data: string;
  /** Copies of certificates and keys. */
  readonly certificates: string;
  readonly adminSocket: string;
  /**
   * Where one config answers that it is in force, and by which table; never reachable from outside. Each has its own name: after
   * a config that could not be loaded Caddy 2.11 never again opens a unix socket that it named.
   */
  ackSocket(name: string): string;
  readonly companionSocket: string;
};

export function pathsIn(directory: string, socket = socketPath): Paths {
  // Placeholders end at the first brace, and Caddy would read what stands in one as another.
  if (/[{}\n]/.test(directory)) throw new TypeError(`the edge's directory may not hold braces: ${directory}`);
  return {
    directory,
    configFile: `${directory}/caddy.json`,
    slots: `${directory}/slots`,
    current: `${directory}/slots/current`,
    data: `${directory}/data`,
    certificates: `${directory}/certificates`,
    adminSocket: socket(directory, "admin.sock"),
    ackSocket: (name) => socket(`${directory}/slots/${ackFolder}`, name),
    companionSocket: socket(directory, "companion.sock"),
  };
}

/** In the slots directory. */
export const ackFolder = "ack";

/** A service's folder in a table's. Its name may hold anything, a path may not. */
export function serviceFolder(service: string): string {
  return `s-${createHash("sha256").update(service).digest("hex").slice(0, 16)}`;
}
