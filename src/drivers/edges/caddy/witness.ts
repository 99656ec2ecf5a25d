import { setTimeout as sleep } from "node:timers/promises";
import { SlipwayError } from "../../../core/errors/error.ts";
import type { EdgeSample, RouteTable } from "../../../ports/edge.ts";
import {
  askCompanion,
  companionCommand,
  companionSamples,
  endCompanion,
  type HoldOrder,
  orderHold,
} from "./companion-client.ts";
import type { Counting } from "./config/logs.ts";
import type { Launch } from "./local-place.ts";
import type { Paths } from "./paths.ts";

/** Who reads Caddy's log, and keeps the gate where there is one. */
export type Witness = {
  /** Starts it, when it does not run, and says where Caddy shall write its log. */
  ready(): Promise<Counting>;
  /** To be told before Caddy is. Resolves with the folders of services that are held. */
  routed(table: RouteTable): Promise<ReadonlySet<string>>;
  samples(signal: AbortSignal): AsyncIterable<EdgeSample>;
  /** Null where nobody can hold requests back. */
  readonly hold: ((order: HoldOrder) => Promise<void>) | null;
  /** Why certificates could not be had, by name. */
  troubles(): Promise<Readonly<Record<string, string>>>;
  /** Replaced by one that runs the code on disk; its counts begin anew. */
  renew(): Promise<void>;
  stop(): Promise<void>;
};

const readyWithinMs = 15_000;
const pollMs = 20;

/** The companion process beside Caddy, on this machine. */
export function companion(paths: Paths, launch: Launch): Witness {
  const socket = paths.companionSocket;
  const status = () => askCompanion(socket, { is: "status" });
  const up = () => status().catch(() => null);

  async function ready(): Promise<Counting> {
    let seen = await up();
    if (seen === null) {
      await launch("companion", companionCommand(paths.directory));
      const until = performance.now() + readyWithinMs;
      for (seen = await up(); seen === null; seen = await up()) {
        if (performance.now() > until)
          throw new SlipwayError("EDGE_UNREACHABLE", {
            message: `The companion of the edge did not come up within ${readyWithinMs / 1000} s`,
          });
        await sleep(pollMs);
      }
    }
    return { is: "udp", port: seen.port, token: seen.token };
  }

  return {
    ready,
    routed: async (table) => new Set((await askCompanion(socket, { is: "table", table })).held),
    samples: (signal) => companionSamples(socket, signal),
    hold: (order) => orderHold(socket, order),
    troubles: async () => (await up())?.troubles ?? {},
    async renew() {
      await endCompanion(socket);
      await ready();
    },
    stop: () => endCompanion(socket),
  };
}
