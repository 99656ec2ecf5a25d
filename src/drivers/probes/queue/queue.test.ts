import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { Redis } from "../../../lib/wire/redis.ts";
import type { Database } from "../../../testing/databases/database.ts";
import { startRedis } from "../../../testing/databases/servers.ts";
import { type QueueOptions, queueProbe } from "./index.ts";

const soon = (): AbortSignal => AbortSignal.timeout(20_000);
let server: Database;
let redis: Redis;
let url: URL;

beforeAll(async () => {
  server = await startRedis();
  url = new URL(`redis://127.0.0.1:${server.port}/3`);
  redis = await Redis.open(url, soon());
});
beforeEach(async () => {
  await redis.must(["FLUSHDB"]);
});
afterAll(async () => {
  redis?.close();
  await server.down();
});

const read = (queue: QueueOptions["queue"]) => queueProbe({ url, queue }).read(soon());
const mails = { kind: "bullmq", name: "mails", prefix: "bull" } as const;

/** A job as BullMQ 5.81.5 keeps it: recorded from one that `Queue.add` had put there. */
function job(id: string, at: number, more: Readonly<Record<string, string>> = {}): readonly string[] {
  const fields = {
    name: "a",
    data: '{"n":1}',
    opts: '{"attempts":0}',
    timestamp: String(at),
    delay: "0",
    priority: "0",
    ...more,
  };
  return ["HSET", `bull:mails:${id}`, ...Object.entries(fields).flat()];
}

describe("a queue of BullMQ", () => {
  it("is as deep as jobs wait, and as late as the oldest of them", async () => {
    const now = Date.now();
    await redis.ask([
      ["HSET", "bull:mails:meta", "opts.maxLenEvents", "10000", "version", "bullmq:5.81.5"],
      ...[job("1", now - 90_000), job("2", now - 30_000), job("3", now - 40_000, { priority: "5" })],
      job("4", now - 500_000, { delay: "3600000" }),
      ["LPUSH", "bull:mails:wait", "1", "2"],
      ["ZADD", "bull:mails:prioritized", "21474836481", "3"],
      ["ZADD", "bull:mails:delayed", "7355030760681472", "4"],
      ["ZADD", "bull:mails:failed", String(now), "9"],
    ]);
    const { is, saw, values = {} } = await read(mails);
    expect(is).toBe("pass");
    expect(saw).toMatch(/^3 jobs wait, the oldest for 9\d\.\d s$/);
    expect(values).toMatchObject({ "queue depth": 3, "queue failed": 1 });
    expect(values["queue delay"]).toBeGreaterThanOrEqual(90_000);
    expect(values["queue delay"]).toBeLessThan(99_000);
  });

  it("does not count the time before a job was tried again, nor the marker of older versions, and paused jobs wait too", async () => {
    const now = Date.now();
    await redis.ask([
      ["HSET", "bull:mails:meta", "paused", "1"],
      job("1", now - 900_000, { processedOn: String(now - 20_000), atm: "1" }),
      ["LPUSH", "bull:mails:paused", "1", "0:1"],
    ]);
    const { values = {} } = await read(mails);
    expect(values["queue delay"]).toBeGreaterThanOrEqual(20_000);
    expect(values["queue delay"]).toBeLessThan(29_000);
  });

  it("that is empty has no delay, and one that was never there is unknown", async () => {
    expect(await read(mails)).toEqual({ is: "unknown", saw: "there is no BullMQ queue at bull:mails" });
    await redis.must(["HSET", "bull:mails:meta", "version", "bullmq:5.81.5"]);
    expect(await read(mails)).toEqual({
      is: "pass",
      saw: "no job waits",
      values: { "queue depth": 0, "queue delay": 0, "queue failed": 0 },
    });
  });
});

describe("a plain list", () => {
  const list = { kind: "list", key: "jobs", oldest: "last", time: "at" } as const;

  it("tells its depth, and its delay by the time in its oldest job, in any clock's units", async () => {
    const now = Date.now();
    expect((await read(list)).values).toEqual({ "queue depth": 0, "queue delay": 0 });
    for (const at of [now - 60_000, (now - 60_000) / 1000, new Date(now - 60_000).toISOString()]) {
      await redis.ask([
        ["DEL", "jobs"],
        ["LPUSH", "jobs", JSON.stringify({ at }), JSON.stringify({ at: now })],
      ]);
      const { values = {} } = await read(list);
      expect(values["queue depth"]).toBe(2);
      expect(values["queue delay"]).toBeGreaterThanOrEqual(60_000);
      expect(values["queue delay"]).toBeLessThan(69_000);
    }
    // A producer whose clock goes ahead makes no negative delay.
    await redis.ask([
      ["DEL", "jobs"],
      ["LPUSH", "jobs", JSON.stringify({ at: now + 60_000 })],
    ]);
    expect((await read(list)).values).toMatchObject({ "queue delay": 0 });
  });

  it("without times has a depth alone, and one that is no list is unknown", async () => {
    await redis.ask([
      ["RPUSH", "jobs", "a", "b", "c"],
      ["SET", "text", "x"],
    ]);
    expect(await read({ ...list, time: null })).toEqual({
      is: "pass",
      saw: "3 jobs wait",
      values: { "queue depth": 3 },
    });
    expect(await read(list)).toMatchObject({
      is: "unknown",
      saw: 'the oldest job has no time at "at"',
      values: { "queue depth": 3 },
    });
    expect(await read({ ...list, key: "text" })).toMatchObject({
      is: "unknown",
      saw: expect.stringContaining("WRONGTYPE"),
    });
  });
});

describe("a stream", () => {
  const stream = { kind: "stream", key: "events", group: "workers" } as const;

  it("counts what a group has not read and what it has not finished", async () => {
    const now = Date.now();
    expect(await read(stream)).toMatchObject({ is: "unknown", saw: expect.stringContaining("no such key") });
    await redis.ask([["XGROUP", "CREATE", "events", "others", "0", "MKSTREAM"]]);
    expect(await read(stream)).toMatchObject({ is: "unknown", saw: "the stream events has no group workers" });
    await redis.ask([
      ["XGROUP", "CREATE", "events", "workers", "0"],
      ["XADD", "events", `${now - 50_000}-0`, "n", "1"],
      ["XADD", "events", `${now - 40_000}-0`, "n", "2"],
      ["XREADGROUP", "GROUP", "workers", "w1", "COUNT", "1", "STREAMS", "events", ">"],
    ]);
    const { values = {} } = await read(stream);
    expect(values["queue depth"]).toBe(2);
    expect(values["queue delay"]).toBeGreaterThanOrEqual(50_000);
    expect(values["queue delay"]).toBeLessThan(59_000);
    await redis.ask([["XACK", "events", "workers", `${now - 50_000}-0`]]);
    const later = (await read(stream)).values ?? {};
    expect(later["queue depth"]).toBe(1);
    expect(later["queue delay"]).toBeLessThan(49_000);
  });
});
