import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import type { Ssh } from "../../../lib/ssh/open-ssh.ts";
import type { EdgeSample } from "../../../ports/edge.ts";
import { requestsUnderWay } from "./admin.ts";
import { LogCounts } from "./counts.ts";
import type { Place } from "./place.ts";
import type { Witness } from "./witness.ts";

const sampleEveryMs = 200;
const underWayEveryMs = 1_000;
const againAfterMs = 500;

/**
 * Reads the log of a Caddy on another host, by following its file: a file never waits for its reader. The counts live in this
 * process: they begin at 0 with it, and what is logged while the connection is away is not counted. Nobody holds requests.
 */
export function logFollower(ssh: Ssh, place: Place): Witness {
  const file = `${place.paths.directory}/counts.log`;
  const counts = new LogCounts();
  let stop: AbortController | null = null;
  let underWay: ReadonlyMap<string | null, number> = new Map();

  async function follow(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        const stream = await ssh.stream(["tail", "-n", "0", "-F", "--", file], signal);
        const end = () => stream.destroy();
        signal.addEventListener("abort", end, { once: true });
        stream.on("error", () => undefined);
        for await (const line of createInterface({ input: stream })) counts.line(line);
        signal.removeEventListener("abort", end);
      } catch {
        // The host is away, or the connection was lost: whoever gives the next order is told so.
      }
      await sleep(againAfterMs, undefined, { signal }).catch(() => undefined);
    }
  }

  async function watch(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      underWay = await place
        .socket(place.paths.adminSocket)
        .then(requestsUnderWay)
        .catch(() => new Map<string | null, number>());
      await sleep(underWayEveryMs, undefined, { signal }).catch(() => undefined);
    }
  }

  function begin(): void {
    if (stop !== null) return;
    stop = new AbortController();
    void follow(stop.signal);
    void watch(stop.signal);
  }

  return {
    hold: null,
    async ready() {
      begin();
      return { is: "file", file };
    },
    async routed(table) {
      counts.routed(table);
      return new Set();
    },
    async *samples(signal): AsyncGenerator<EdgeSample> {
      begin();
      while (!signal.aborted) {
        yield counts.sample(Date.now(), underWay);
        await sleep(sampleEveryMs, undefined, { signal }).catch(() => undefined);
      }
    },
    troubles: async () => counts.troubles,
    renew: async () => undefined,
    async stop() {
      stop?.abort();
      stop = null;
    },
  };
}
