import { expect, test } from "vitest";
import type { EdgeBench } from "../edge.ts";
import { ask, openLong, webSocketHead, within } from "./client.ts";
import { samplesLater, sampleWith } from "./samples.ts";
import { revisionOf, target } from "./tables.ts";

export function holdAndDrainTests(at: () => EdgeBench): void {
  test("a drain ends when the last request has, and says that none is left", async () => {
    const { a, b, edge, door, route } = at();
    await route([target(a, 10_000)]);
    const asked = Array.from({ length: 8 }, () => ask(door, "/gate"));
    await within(30_000, () => (a.waiting() === 8 ? true : null), "8 requests at the gate");
    await route([target(b, 10_000), target(a, 0)]);
    let drained = false;
    const drain = edge.drain(revisionOf("a"), { timeoutMs: 10_000, streamLimitMs: 60_000 }).then((left) => {
      drained = true;
      return left;
    });
    // Traffic for the other revision does not hold it up, and the gate does.
    for (let index = 0; index < 20; index += 1) expect((await ask(door, "/")).body).toBe("b");
    expect(drained).toBe(false);
    a.open();
    expect(await drain).toEqual({ inflight: 0 });
    expect((await Promise.all(asked)).map((answer) => answer.body)).toEqual(Array(8).fill("a"));
  });

  test("a drain that takes too long says how many are left, and cuts none of them", async () => {
    const { a, b, edge, door, route } = at();
    await route([target(a, 10_000)]);
    const asked = [ask(door, "/gate"), ask(door, "/gate")];
    await within(30_000, () => (a.waiting() === 2 ? true : null), "2 requests at the gate");
    await route([target(b, 10_000), target(a, 0)]);
    expect(await edge.drain(revisionOf("a"), { timeoutMs: 100, streamLimitMs: 60_000 })).toEqual({ inflight: 2 });
    a.open();
    expect((await Promise.all(asked)).map((answer) => answer.body)).toEqual(["a", "a"]);
  });

  test("streams do not hold up a drain, and are closed after their own limit", async ({ skip }) => {
    const { a, b, edge, door, route } = at();
    if (!edge.can.exactDrain) return skip();
    await route([target(a, 10_000)]);
    const socket = openLong(door, webSocketHead());
    await socket.receives("101 Switching Protocols");
    const events = openLong(door, "GET /sse HTTP/1.1\r\nHost: test.example\r\n\r\n");
    await events.receives("data: a");
    await route([target(b, 10_000), target(a, 0)]);
    expect(await edge.drain(revisionOf("a"), { timeoutMs: 5000, streamLimitMs: 1500 })).toEqual({ inflight: 0 });
    socket.socket.write("still here");
    await socket.receives("still here");
    await Promise.all([socket.closed, events.closed]);
  });

  test("a drain of a revision that keeps its weight waits only for instances that were left out", async () => {
    const { a, b, edge, door, route } = at();
    await route([target([a, b], 10_000)]);
    const asked = Array.from({ length: 8 }, () => ask(door, "/gate"));
    await within(
      30_000,
      () => (a.waiting() + b.waiting() === 8 && b.waiting() > 0 ? true : null),
      "8 requests at two gates",
    );
    const kept = a.waiting();
    await route([target(a, 10_000)]);
    let drained = false;
    const drain = edge.drain(revisionOf("a"), { timeoutMs: 10_000, streamLimitMs: 60_000 }).then((left) => {
      drained = true;
      return left;
    });
    for (let index = 0; index < 20; index += 1) expect((await ask(door, "/")).body).toBe("a");
    expect(drained).toBe(false);
    b.open();
    expect(await drain).toEqual({ inflight: 0 });
    expect(a.waiting()).toBe(kept);
    a.open();
    await Promise.all(asked);
  });

  test("held requests wait and are all answered by what they are released to", async ({ skip }) => {
    const { a, b, edge, door, route } = at();
    if (!edge.can.hold) return skip();
    await route([target(a, 10_000)]);
    await edge.hold("web", { maxMs: 20_000, maxQueued: 200 });
    const asked = Array.from({ length: 200 }, () => ask(door, "/"));
    // Time for all to arrive, in the edge's own clock; the table may change while they wait.
    await samplesLater(edge, 3);
    await route([target(b, 10_000)]);
    expect(a.seen.size + b.seen.size).toBe(0);
    await edge.hold("web", null);
    const answers = await Promise.all(asked);
    expect(answers.map((answer) => answer.body)).toEqual(Array(200).fill("b"));
  });

  test("more than may wait are refused at once, the others keep their place", async ({ skip }) => {
    const { a, edge, door, route } = at();
    if (!edge.can.hold) return skip();
    await route([target(a, 10_000)]);
    await edge.hold("web", { maxMs: 20_000, maxQueued: 5 });
    let refused = 0;
    const asked = Array.from({ length: 12 }, async () => {
      const answer = await ask(door, "/");
      if (answer.status === 503) refused += 1;
      return answer;
    });
    await within(30_000, () => (refused === 7 ? true : null), "7 of 12 refused");
    await edge.hold("web", null);
    const statuses = (await Promise.all(asked)).map((answer) => answer.status).sort();
    expect(statuses).toEqual([...Array(5).fill(200), ...Array(7).fill(503)]);
  });

  test("a hold ends by itself: who waited is told, who comes later is served", async ({ skip }) => {
    const { a, edge, door, route } = at();
    if (!edge.can.hold) return skip();
    await route([target(a, 10_000)]);
    const began = performance.now();
    await edge.hold("web", { maxMs: 1_500, maxQueued: 10 });
    expect((await ask(door, "/")).status).toBe(503);
    expect(performance.now() - began).toBeGreaterThan(1_400);
    expect((await ask(door, "/")).body).toBe("a");
  });

  test("requests of what sleeps wait, are told of, and are answered when it is awake", async ({ skip }) => {
    const { a, edge, door, route } = at();
    if (edge.can.wake !== true) return skip();
    await route([target(a, 10_000, { instances: [] })], { mode: "asleep" });
    const left = openLong(door, "GET / HTTP/1.1\r\nHost: test.example\r\n\r\n");
    const asked = [ask(door, "/"), ask(door, "/x", { method: "POST", body: "hello" })];
    expect((await sampleWith(edge, (sample) => sample.asked !== undefined)).asked).toEqual(["web"]);
    left.socket.destroy();
    await left.closed;
    expect(a.seen.size).toBe(0);
    await route([target(a, 10_000)]);
    expect((await Promise.all(asked)).map(({ status, body }) => [status, body])).toEqual([
      [200, "a"],
      [200, "a"],
    ]);
    await sampleWith(edge, (sample) => sample.asked === undefined);
    expect((await ask(door, "/")).body).toBe("a");
  });
}
