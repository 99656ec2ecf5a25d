import { request } from "node:http";
import { expect, test } from "vitest";
import { latencyBoundsMs } from "../../../core/metric/latency.ts";
import type { EdgeCounters } from "../../../ports/edge.ts";
import type { EdgeBench } from "../edge.ts";
import { ask, doorAt, openLong, startLoad, webSocketHead, within } from "./client.ts";
import { countsOf, sampleWith } from "./samples.ts";
import { target } from "./tables.ts";

export function countingTests(at: () => EdgeBench): void {
  test("every answer is counted once, by class, with its latency, within a second", async () => {
    const { a, edge, door, route } = at();
    const generation = await route([target(a, 10_000)]);
    await Promise.all(Array.from({ length: 30 }, () => ask(door, "/")));
    await ask(door, "/slow?ms=60");
    // An edge that counts what is under way apart from what has ended may be a moment behind with the one.
    const agrees = ({ requests, inflight }: EdgeCounters) => requests === 31 && (edge.can.exactDrain || inflight === 0);
    const sample = await sampleWith(edge, (one) => agrees(countsOf(one, "a")), 1000);
    expect(sample.generation).toBe(generation);
    const counts = countsOf(sample, "a");
    expect(counts).toMatchObject({ byClass: [0, 31, 0, 0, 0], inflight: 0, connectErrors: 0, clientAborts: 0 });
    expect(counts.latency).toHaveLength(latencyBoundsMs.length + 1);
    expect(counts.latency.reduce((sum, count) => sum + count)).toBe(31);
    const slowFrom = latencyBoundsMs.findIndex((bound) => bound >= 60);
    expect(counts.latency.slice(slowFrom).some((count) => count > 0)).toBe(true);
  });

  test("samples come at least every 250 ms, also when nothing happens, and end with the signal", async () => {
    const { edge } = at();
    const stop = new AbortController();
    const gaps: number[] = [];
    let before = performance.now();
    for await (const _ of edge.samples(stop.signal)) {
      gaps.push(performance.now() - before);
      before = performance.now();
      if (gaps.length === 16) stop.abort();
    }
    expect(gaps).toHaveLength(16);
    // On a busy machine most come late, and some in time; of an edge that is slower by itself hardly one ever does.
    expect([...gaps].sort((x, y) => x - y)[3]).toBeLessThanOrEqual(260);
  });

  test("what is open now is seen now: requests in flight and WebSockets", async () => {
    const { a, edge, door, route } = at();
    await route([target(a, 10_000)]);
    const asked = [ask(door, "/gate"), ask(door, "/gate"), ask(door, "/gate")];
    const socket = openLong(door, webSocketHead());
    await socket.receives("101 Switching Protocols");
    // An edge that cannot tell streams from requests counts both as under way.
    const [inflight, webSockets] = edge.can.exactDrain ? [3, 1] : [4, 0];
    await sampleWith(
      edge,
      (one) => countsOf(one, "a").inflight === inflight && countsOf(one, "a").webSockets === webSockets,
    );
    a.open();
    await Promise.all(asked);
    socket.socket.destroy();
    await sampleWith(edge, (one) => countsOf(one, "a").inflight === 0 && countsOf(one, "a").webSockets === 0);
  });

  test("a client that leaves is counted as that, and the service is told at once", async () => {
    const { a, edge, door, route } = at();
    await route([target(a, 10_000)]);
    const call = request({ ...doorAt(door), path: "/gate", agent: false });
    call.on("error", () => undefined);
    call.end();
    await within(30_000, () => (a.waiting() === 1 ? true : null), "the request at the gate");
    call.destroy();
    const sample = await sampleWith(edge, (one) => countsOf(one, "a").clientAborts === 1);
    expect(countsOf(sample, "a")).toMatchObject({ requests: 0, inflight: 0 });
  });

  test("a reader of samples that has stopped reading holds nobody up", async () => {
    const { a, edge, door, route } = at();
    await route([target(a, 10_000)]);
    const stop = new AbortController();
    const stalled = edge.samples(stop.signal)[Symbol.asyncIterator]();
    await stalled.next();
    const load = startLoad(door, 8);
    for (let index = 0; index < 100; index += 1) await ask(door, "/");
    const { failures } = await load.stop();
    expect(failures).toEqual([]);
    // When it reads again it gets what is true now, not what it has missed.
    await sampleWith(edge, (one) => countsOf(one, "a").requests >= 100);
    await stalled.next();
    const newest = await stalled.next();
    expect(newest.done !== true && countsOf(newest.value, "a").requests).toBeGreaterThanOrEqual(100);
    stop.abort();
    await stalled.return?.();
  });
}
