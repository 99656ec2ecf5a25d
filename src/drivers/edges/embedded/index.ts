import { mkdir } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { isSlipwayError, SlipwayError } from "../../../core/errors/error.ts";
import { newestOf } from "../../../lib/newest-of.ts";
import type { Edge, EdgeSample } from "../../../ports/edge.ts";
import { call, open } from "./control-client.ts";
import { controlSocket, launchDetached, primaryCommand } from "./launch.ts";

export type EmbeddedEdgeOptions = {
  /** Where the edge keeps its state and its control socket. One edge a directory. */
  readonly directory: string;
  /**
   * Starts the command as a process that outlives this one, and keeps it up; does nothing when it already runs. Defaults
   * to starting it detached, with nobody to keep it up.
   */
  readonly launch?: (command: readonly string[]) => Promise<void>;
  /** Processes that carry traffic. Two by default: when one ends by accident, the other refuses nobody. */
  readonly workers?: number;
};

const startWithinMs = 15_000;
const startPollMs = 20;
const sampleReconnectMs = 250;

/**
 * The edge that comes with Slipway: node:http and undici in processes of their own. They serve on when the control plane
 * ends; this object only gives orders, and may be made anew at any time.
 */
export function embeddedEdge({ directory, launch = launchDetached, workers = 2 }: EmbeddedEdgeOptions): Edge {
  const socket = controlSocket(directory);

  return {
    name: "embedded",
    can: {
      hold: true,
      wake: true,
      exactDrain: true,
      sticky: true,
      ipRateLimit: true,
      chunkedBodyLimit: true,
      connectErrors: true,
      acme: true,
      http2: true,
      http3: false,
    },

    async start(config, options) {
      await mkdir(directory, { recursive: true, mode: 0o700 });
      await beUp(socket, () => launch(primaryCommand(directory, workers)));
      await call(socket, "POST", "/start", { config, fresh: options?.fresh ?? false });
    },

    async apply(table) {
      await call(socket, "POST", "/table", table);
    },

    current: () => call(socket, "GET", "/table"),
    certificates: () => call(socket, "GET", "/certificates"),

    async hold(service, until) {
      await call(socket, "POST", "/hold", { service, until });
    },

    drain: (revision, limits) => call(socket, "POST", "/drain", { revision, ...limits }),

    samples: (signal) => samples(socket, signal),

    async stop(graceMs) {
      try {
        await call(socket, "POST", "/stop", { graceMs });
      } catch (error) {
        // Not there is what was asked for.
        if (!isSlipwayError(error) || error.code !== "EDGE_UNREACHABLE") throw error;
      }
    },
  };
}

async function beUp(socket: string, launch: () => Promise<void>): Promise<void> {
  if (await isUp(socket)) return;
  await launch();
  const until = performance.now() + startWithinMs;
  while (!(await isUp(socket))) {
    if (performance.now() > until)
      throw new SlipwayError("EDGE_UNREACHABLE", {
        message: `The edge did not come up within ${startWithinMs / 1000} s`,
      });
    await sleep(startPollMs);
  }
}

async function isUp(socket: string): Promise<boolean> {
  try {
    await call(socket, "GET", "/status");
    return true;
  } catch (error) {
    if (isSlipwayError(error) && error.code === "EDGE_UNREACHABLE") return false;
    throw error;
  }
}

/** An edge that is restarted is found again; a slow reader gets the newest sample, not the ones it missed. */
async function* samples(socket: string, signal: AbortSignal): AsyncGenerator<EdgeSample> {
  while (!signal.aborted) {
    try {
      const stream = await open(socket, "GET", "/samples", { signal });
      yield* newestOf<EdgeSample>(stream, signal);
    } catch (error) {
      if (signal.aborted) return;
      if (!isSlipwayError(error) || error.code !== "EDGE_UNREACHABLE") throw error;
    }
    await sleep(sampleReconnectMs, undefined, { signal }).catch(() => undefined);
  }
}
