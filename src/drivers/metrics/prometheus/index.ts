import { cut, oneLine } from "../../../core/forge/report.ts";
import { formatDuration } from "../../../core/product/units.ts";
import { boundedGet } from "../../../lib/http/bounded-get.ts";
import type { Gauge, Outcome } from "../../../ports/gauge.ts";

export type PrometheusOptions = {
  /** Of the server, without `/api/v1`. */
  readonly url: URL;
  readonly query: string;
  readonly headers: Readonly<Record<string, string>>;
};

const maxBytes = 1024 * 1024;
/**
 * An answer of an older moment comes out of somebody's cache, and says nothing about now. One of a moment that far ahead has the time of a
 * clock that is wrong, by which nobody can tell how old it is.
 */
const maxAgeMs = 2 * 60_000;
/** Of an answer that is something else, what a person is shown. */
const shownChars = 60;

/**
 * The number that a query gives at this moment (HTTP API, `/api/v1/query`; prometheus.io/docs/prometheus/latest/querying/api).
 * A query that gives nothing, NaN, or more than one number leaves the metric unknown.
 */
export function prometheusMetric({ url, query, headers }: PrometheusOptions, now: () => number = Date.now): Gauge {
  return {
    read: async (signal) => {
      const at = new URL(url);
      at.pathname = `${at.pathname.replace(/\/+$/, "")}/api/v1/query`;
      at.searchParams.set("query", query);
      const answer = await boundedGet({
        url: at,
        headers: { accept: "application/json", ...headers },
        signal,
        maxBytes,
      });
      if (answer.cut) return unknown(`its answer is larger than ${maxBytes} bytes`);
      const parsed = parse(answer.body);
      if (parsed === null)
        return unknown(`it answered ${answer.status}, and not as a Prometheus: ${shown(answer.body)}`);
      if (parsed.status !== "success")
        return unknown(`it refuses: ${String(parsed.error ?? answer.status).slice(0, 200)}`);
      if (answer.status !== 200) return unknown(`it answered ${answer.status}`);
      return readingOf(parsed.data, now());
    },
  };
}

type Parsed = { readonly status?: unknown; readonly error?: unknown; readonly data?: unknown };

function parse(body: string): Parsed | null {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}

function readingOf(data: unknown, now: number): Outcome {
  const { resultType, result } = (typeof data === "object" && data !== null ? data : {}) as Record<string, unknown>;
  if (!Array.isArray(result)) return unknown("its answer has no result");
  if (resultType === "scalar") return numberOf(result, now);
  if (resultType !== "vector") return unknown(`the query gives a ${String(resultType)}; one number is needed`);
  if (result.length === 0) return unknown("the query gives nothing");
  if (result.length > 1)
    return unknown(`the query gives ${result.length} series; one is needed, such as by sum() or max()`);
  return numberOf((result[0] as { value?: unknown } | null)?.value, now);
}

/** `[time in seconds, "text of the number"]`. */
function numberOf(pair: unknown, now: number): Outcome {
  const [seconds, text] = Array.isArray(pair) ? pair : [];
  const value = typeof text === "string" && text !== "" ? Number(text) : Number.NaN;
  if (!Number.isFinite(value)) return unknown(`the query gives ${String(text).slice(0, 40)}`);
  if (typeof seconds !== "number") return unknown("its answer has no time");
  const ageMs = now - seconds * 1000;
  const ago = formatDuration(Math.round(Math.abs(ageMs) / 1000) * 1000);
  if (ageMs > maxAgeMs) return unknown(`the query gives ${text}, of ${ago} ago`);
  if (ageMs < -maxAgeMs) return unknown(`the query gives ${text}, of ${ago} from now: its clock is wrong, or ours`);
  return { is: "pass", saw: String(text), values: { value } };
}

function shown(body: string): string {
  const text = oneLine(body);
  return text === "" ? "(empty)" : cut(text, shownChars);
}

const unknown = (saw: string): Outcome => ({ is: "unknown", saw });
