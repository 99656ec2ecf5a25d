import { judgeAnswer } from "../../../core/judge/probe.ts";
import type { JsonShape } from "../../../core/product/spec.ts";
import { boundedGet } from "../../../lib/http/bounded-get.ts";
import type { Gauge } from "../../../ports/gauge.ts";

export type EndpointOptions = {
  readonly url: URL;
  readonly method: "GET" | "HEAD";
  readonly headers: Readonly<Record<string, string>>;
  /** Null: any 2xx. */
  readonly status: readonly number[] | null;
  readonly body: string | JsonShape | null;
  /** The answer must begin by then. */
  readonly withinMs: number | null;
};

const maxBytes = 64 * 1024;

/** Asks a URL as a user would, certificate included, on a connection of its own. Redirects are answers. */
export function endpointProbe({ url, method, headers, status, body, withinMs }: EndpointOptions): Gauge {
  return {
    read: async (signal) => {
      const answer = await boundedGet({ url, method, headers, signal, maxBytes });
      const tookMs = Math.round(answer.firstByteMs);
      const seen = { is: "answer" as const, at: 0, tookMs, status: answer.status, body: answer.body };
      const { healthy, saw } = judgeAnswer({ status, body }, seen);
      if (!healthy) return { is: "fail", saw };
      if (withinMs === null || tookMs <= withinMs) return { is: "pass", saw: `${saw} after ${tookMs} ms` };
      return { is: "fail", saw: `${saw} after ${tookMs} ms; within ${withinMs} ms was wanted` };
    },
  };
}
