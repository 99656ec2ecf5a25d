import { containerLogs } from "../../../lib/docker/containers.ts";
import { isAbsent } from "../../../lib/docker/errors.ts";
import type { LogLine, LogQuery } from "../../../ports/target.ts";
import { isAway } from "./errors.ts";
import type { Fleet } from "./fleet.ts";
import { FollowedLines } from "./followed-lines.ts";
import type { Host } from "./host.ts";
import type { KeptLogs } from "./kept-logs.ts";
import { lineOf, linesOf, merged, type StampedLine, sinceOf } from "./log-lines.ts";
import type { Seen } from "./status.ts";

/** The port's limit of `tail`. */
const maxTail = 10_000;
/** Lines of many containers over all hosts, in order of time; then, when they are followed, new ones, also of containers to come. */
export async function* readLogs(
  { fleet, kept, settleMs }: { readonly fleet: Fleet; readonly kept: KeptLogs; readonly settleMs: number },
  query: LogQuery,
  signal: AbortSignal,
): AsyncGenerator<LogLine> {
  const tail = query.tail === undefined ? null : Math.min(query.tail, maxTail);
  const last = new Map<string, string>();
  const sources: AsyncIterable<StampedLine>[] = [inOrder(await kept.lines(query))];
  // Who looks for what went wrong is better told what the others wrote than nothing.
  for (const { host, seen: all } of await fleet.look(query, signal, { unseen: "nothing" })) {
    for (const seen of all)
      sources.push(seen.lastSeen === undefined ? history(host, seen, { tail, signal, last }) : missing(host, seen));
  }
  yield* newest(merged(sources), tail);
  if (query.follow === true) yield* follow({ fleet, settleMs }, query, last, signal);
}

async function* inOrder(lines: readonly StampedLine[]): AsyncGenerator<StampedLine> {
  yield* [...lines].sort((one, other) => (one.stamp < other.stamp ? -1 : one.stamp > other.stamp ? 1 : 0));
}

async function* history(
  host: Host,
  { container, identity }: Seen,
  {
    tail,
    signal,
    last,
    since,
  }: { tail: number | null; signal: AbortSignal; last: Map<string, string>; since?: string },
): AsyncGenerator<StampedLine> {
  try {
    const options = { follow: false, tail, sinceS: since === undefined ? null : sinceOf(since) };
    const body = await host.do(() => containerLogs(host.docker, container.Id, options, signal));
    for await (const line of linesOf(body, identity)) {
      last.set(container.Id, line.stamp);
      yield line;
    }
  } catch (error) {
    // Removed meanwhile.
    if (!isAbsent(error) && !(error instanceof Error && isAbsent(error.cause))) throw error;
  }
}

/** In the place of what it wrote. */
async function* missing(host: Host, { identity, lastSeen }: Seen): AsyncGenerator<StampedLine> {
  const at = lastSeen ?? 0;
  const text = `host ${host.name} does not answer: what was written there is missing here`;
  yield lineOf(identity, "slipway", new Date(at).toISOString().replace("Z", "000000Z"), text);
}

/** Without the stamp, and when only the newest are wanted, those. */
async function* newest(lines: AsyncIterable<StampedLine>, tail: number | null): AsyncGenerator<LogLine> {
  if (tail === null) {
    for await (const line of lines) yield plain(line);
    return;
  }
  const ring: StampedLine[] = [];
  for await (const line of lines) {
    ring.push(line);
    // Not one by one: that would move the whole list for every line.
    if (ring.length > tail * 2 + 64) ring.splice(0, ring.length - tail);
  }
  for (const line of tail === 0 ? [] : ring.slice(-tail)) yield plain(line);
}

async function* follow(
  { fleet, settleMs }: { readonly fleet: Fleet; readonly settleMs: number },
  query: LogQuery,
  last: Map<string, string>,
  signal: AbortSignal,
): AsyncGenerator<LogLine> {
  const room = new FollowedLines(settleMs);
  const readers = new Set<string>();
  const stop = new AbortController();
  const until = AbortSignal.any([signal, stop.signal]);
  const find = (host: Host): Promise<void> =>
    host
      .look(query, until)
      .then((all) => {
        for (const seen of all) void read(host, seen);
      })
      // A host that is away tells nothing until it is back; its listener then calls again.
      .catch((error: unknown) => {
        if (!until.aborted && !isAway(error)) room.fail(error);
      });
  /** The engine ends a followed log when its container ends, so this is called again at every start. */
  const read = async (host: Host, seen: Seen): Promise<void> => {
    const { Id } = seen.container;
    if (readers.has(Id) || until.aborted) return;
    readers.add(Id);
    try {
      const since = last.get(Id);
      const options = { follow: true, tail: null, sinceS: since === undefined ? null : sinceOf(since) };
      const body = await containerLogs(host.docker, Id, options, until);
      for await (const line of linesOf(body, seen.identity)) {
        // The engine gives the line of that very time once more.
        if (line.stamp <= (last.get(Id) ?? "")) continue;
        last.set(Id, line.stamp);
        room.add(line);
      }
    } catch {
      // Gone, or the connection is: whichever, the next start or return of the host begins again.
    } finally {
      readers.delete(Id);
    }
  };
  const stops = fleet.hosts.map((host) =>
    host.onChange((event) => {
      if (event === null || event.Action === "start" || event.Action === "die") void find(host);
    }),
  );
  try {
    void Promise.all(fleet.hosts.map(find));
    for await (const line of room.lines(until)) yield plain(line);
  } finally {
    stop.abort();
    for (const each of stops) each();
  }
}

function plain({ stamp: _, ...line }: StampedLine): LogLine {
  return line;
}
