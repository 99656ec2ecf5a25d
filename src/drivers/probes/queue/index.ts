import { Redis, RedisError, type RedisValue } from "../../../lib/wire/redis.ts";
import type { Gauge, Outcome } from "../../../ports/gauge.ts";

export type QueueOptions = {
  readonly url: URL;
  readonly queue:
    | { readonly kind: "bullmq"; readonly name: string; readonly prefix: string }
    /** `oldest`: at which end of the list the next job is taken. `time`: key of the job's JSON that says when it was put there. */
    | { readonly kind: "list"; readonly key: string; readonly oldest: "first" | "last"; readonly time: string | null }
    | { readonly kind: "stream"; readonly key: string; readonly group: string };
};

/** How many jobs with a priority are looked through for the oldest. */
const lookedThrough = 100;

/**
 * How many jobs wait, and since when the oldest does, by the clock of the Redis: `queue depth` and `queue delay`. Passes when that
 * could be read; whether it is too much is for a rule to say. An empty queue has no delay: zero.
 */
export function queueProbe({ url, queue }: QueueOptions): Gauge {
  return {
    read: async (signal) => {
      const redis = await Redis.open(url, signal);
      try {
        const [time] = await redis.ask([["TIME"]]);
        const [seconds = 0, micros = 0] = Array.isArray(time) ? time.map(Number) : [];
        const now = seconds * 1000 + micros / 1000;
        switch (queue.kind) {
          case "bullmq":
            return await readBull(redis, `${queue.prefix}:${queue.name}`, now);
          case "list":
            return await readList(redis, queue, now);
          case "stream":
            return await readStream(redis, queue, now);
        }
      } catch (error) {
        if (error instanceof RedisError) return { is: "unknown", saw: error.message };
        throw error;
      } finally {
        redis.close();
      }
    },
  };
}

/**
 * BullMQ's keys (docs.bullmq.io, and its scripts): jobs that wait are in the list `wait`, oldest at its end, or by priority in the
 * set `prioritized`; in `paused` while the queue is. What is `delayed` does not wait yet.
 */
async function readBull(redis: Redis, base: string, now: number): Promise<Outcome> {
  const [meta, wait, prioritized, paused, failed, oldest, oldestPaused, byPriority] = await redis.ask([
    ["EXISTS", `${base}:meta`],
    ["LLEN", `${base}:wait`],
    ["ZCARD", `${base}:prioritized`],
    ["LLEN", `${base}:paused`],
    ["ZCARD", `${base}:failed`],
    ["LRANGE", `${base}:wait`, "-2", "-1"],
    ["LRANGE", `${base}:paused`, "-2", "-1"],
    ["ZRANGE", `${base}:prioritized`, "0", String(lookedThrough - 1)],
  ]);
  if (meta === 0) return { is: "unknown", saw: `there is no BullMQ queue at ${base}` };
  const depth = countOf(wait) + countOf(prioritized) + countOf(paused);
  const ids = [oldest, oldestPaused, byPriority].flatMap(textsOf).filter(isJob);
  const jobs = await redis.ask(ids.map((id) => ["HMGET", `${base}:${id}`, "timestamp", "delay", "processedOn"]));
  const since = jobs.map(waitsSince).filter((at) => at !== null);
  return outcome({ depth, oldestAt: since.length === 0 ? null : Math.min(...since), now, failed: countOf(failed) });
}

/** Older versions put markers among the jobs, to wake workers. */
const isJob = (id: string): boolean => !/^0:\d+$/.test(id);

/** One that is tried again has not waited since it was first put there. */
function waitsSince(fields: RedisValue): number | null {
  const [timestamp, delay, processedOn] = Array.isArray(fields) ? fields : [];
  if (typeof timestamp !== "string" || !Number.isFinite(Number(timestamp))) return null;
  return Math.max(Number(timestamp), Number(processedOn ?? 0) || 0) + (Number(delay ?? 0) || 0);
}

async function readList(
  redis: Redis,
  { key, oldest, time }: QueueOptions["queue"] & { kind: "list" },
  now: number,
): Promise<Outcome> {
  const index = oldest === "last" ? "-1" : "0";
  const [depth, job] = await redis.ask([
    ["LLEN", key],
    ["LINDEX", key, index],
  ]);
  if (depth instanceof RedisError) return { is: "unknown", saw: depth.message };
  const oldestAt = time === null || typeof job !== "string" ? null : timeIn(job, time);
  if (time !== null && typeof job === "string" && oldestAt === null)
    return { is: "unknown", saw: `the oldest job has no time at "${time}"`, values: { "queue depth": countOf(depth) } };
  return outcome({ depth: countOf(depth), oldestAt, now, hasTimes: time !== null });
}

async function readStream(
  redis: Redis,
  { key, group }: QueueOptions["queue"] & { kind: "stream" },
  now: number,
): Promise<Outcome> {
  const [groups] = await redis.ask([["XINFO", "GROUPS", key]]);
  if (groups instanceof RedisError) return { is: "unknown", saw: groups.message };
  const found = (Array.isArray(groups) ? groups : []).map(pairs).find((each) => each.name === group);
  if (found === undefined) return { is: "unknown", saw: `the stream ${key} has no group ${group}` };
  const lastSeen = String(found["last-delivered-id"] ?? "0-0");
  const [pending, next] = await redis.ask([
    ["XPENDING", key, group],
    ["XRANGE", key, `(${lastSeen}`, "+", "COUNT", "1"],
  ]);
  const [waiting, firstPending] = Array.isArray(pending) ? pending : [0, null];
  const entry = Array.isArray(next) && Array.isArray(next[0]) ? next[0][0] : null;
  const times = [firstPending, entry].map(streamTime).filter((at) => at !== null);
  if (typeof found.lag !== "number" && entry !== null)
    return { is: "unknown", saw: `${key} does not know how many entries the group ${group} has not read` };
  const depth = countOf(found.lag ?? 0) + countOf(waiting ?? 0);
  return outcome({ depth, oldestAt: times.length === 0 ? null : Math.min(...times), now });
}

type Seen = {
  readonly depth: number;
  readonly oldestAt: number | null;
  readonly now: number;
  readonly failed?: number;
  readonly hasTimes?: boolean;
};

function outcome({ depth, oldestAt, now, failed, hasTimes = true }: Seen): Outcome {
  // Whoever put it there may have a clock that goes ahead.
  const delayMs = oldestAt === null ? 0 : Math.max(0, now - oldestAt);
  const failures = failed === undefined ? {} : { "queue failed": failed };
  const values = { "queue depth": depth, ...failures };
  const jobs = depth === 1 ? "1 job waits" : `${depth} jobs wait`;
  if (depth > 0 && oldestAt === null) {
    // Between two reads the last one may have been taken.
    return hasTimes
      ? { is: "pass", saw: `${jobs}; when the oldest came is not known`, values }
      : { is: "pass", saw: jobs, values };
  }
  const saw = depth === 0 ? "no job waits" : `${jobs}, the oldest for ${(delayMs / 1000).toFixed(1)} s`;
  return { is: "pass", saw, values: hasTimes ? { ...values, "queue delay": delayMs } : values };
}

function timeIn(job: string, key: string): number | null {
  try {
    const value = (JSON.parse(job) as Record<string, unknown>)[key];
    const at = typeof value === "number" ? value : typeof value === "string" ? Date.parse(value) : Number.NaN;
    // Seconds since 1970 are told from milliseconds by their size.
    if (!Number.isFinite(at)) return null;
    return at < 1e11 ? at * 1000 : at;
  } catch {
    return null;
  }
}

const countOf = (value: RedisValue | undefined): number => (typeof value === "number" ? value : 0);
const textsOf = (value: RedisValue | undefined): readonly string[] =>
  Array.isArray(value) ? value.filter((each) => typeof each === "string") : [];

function pairs(value: RedisValue): Record<string, RedisValue> {
  const list = Array.isArray(value) ? value : [];
  const entries = list.flatMap((each, index) =>
    index % 2 === 0 ? [[String(each), list[index + 1] ?? null] as const] : [],
  );
  return Object.fromEntries(entries);
}

/** Entries are named by when they came: `<ms>-<number>`. */
function streamTime(id: RedisValue | undefined): number | null {
  const ms = typeof id === "string" ? Number(id.split("-")[0]) : Number.NaN;
  return Number.isFinite(ms) ? ms : null;
}
