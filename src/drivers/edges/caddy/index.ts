import { join } from "node:path";
import type { Ssh } from "../../../lib/ssh/open-ssh.ts";
import type { Edge } from "../../../ports/edge.ts";
import { CaddyEdge } from "./edge.ts";
import { type Launch, launchDetached, localPlace } from "./local-place.ts";
import { logFollower } from "./log-follower.ts";
import { type SshPlaceOptions, sshPlace } from "./ssh-place.ts";
import { companion } from "./witness.ts";

export type CaddyEdgeOptions = {
  /** Where the edge keeps its config, slots, certificates and sockets. One edge a directory. */
  readonly directory: string;
  /** Caddy 2.8 or newer; looked up on PATH by default. */
  readonly program?: string;
  /**
   * Starts a command as a process that outlives this one, and keeps it up; does nothing when it already runs. Defaults to
   * starting it detached, with nobody to keep it up.
   */
  readonly launch?: Launch;
};

/**
 * Caddy on this machine as the edge: its TLS, HTTP/2 and HTTP/3, our route tables.
 *
 * - A switch moves one symlink; Caddy reads a slot file for each request. No config is loaded for weights, instances, modes
 *   and holds, so nothing is reset. `apply` asks Caddy which table it reads before it resolves.
 * - Routes, policies, services and listeners are Caddy's config. When one of them changes, the new slots come first and then
 *   the config is loaded: in between requests are routed by the old routes to the new instances. Loading closes idle
 *   connections and may reset a few that are just being opened (Caddy opens its listeners anew); WebSockets stay.
 * - Counts come from Caddy's log, read by a small process beside it. They outlive the control plane and begin at 0 when that
 *   process is started again.
 */
export function caddyEdge({
  directory,
  program = "caddy",
  launch = (_, command) => launchDetached(command),
}: CaddyEdgeOptions): Edge {
  const place = localPlace({ directory: join(directory), program, launch });
  return new CaddyEdge(place, companion(place.paths, launch));
}

/**
 * Caddy on a host behind SSH, which belongs to the caller and is not closed here. As `caddyEdge`, but: requests cannot be held
 * (`can.hold`), and the counts are made here from the log that Caddy writes there, so they begin at 0 with this process.
 */
export function remoteCaddyEdge(ssh: Ssh, options: SshPlaceOptions): Edge {
  const place = sshPlace(ssh, options);
  return new CaddyEdge(place, logFollower(ssh, place));
}
