import { Redis, RedisError } from "../../../lib/wire/redis.ts";
import type { Gauge, Outcome } from "../../../ports/gauge.ts";

/** Passes when it answers PING. One that is still loading its data, or has lost its master's, is not there yet. */
export function redisProbe({ url }: { readonly url: URL }): Gauge {
  return {
    read: async (signal) => {
      let redis: Redis | null = null;
      try {
        redis = await Redis.open(url, signal);
        await redis.must(["PING"]);
        return { is: "pass", saw: "PONG" };
      } catch (error) {
        if (error instanceof RedisError) return refused(error);
        throw error;
      } finally {
        redis?.close();
      }
    },
  };
}

/** That we may not look says nothing about how it is. */
function refused({ message }: RedisError): Outcome {
  const mayNot = /^(WRONGPASS|NOAUTH|NOPERM|ERR AUTH|ERR invalid password)/i.test(message);
  return { is: mayNot ? "unknown" : "fail", saw: message };
}
