import { fieldOf, isObject, parseReport } from "./json.ts";
import { UnreadableReport } from "./xml.ts";

export type Quantile = { readonly percent: number; readonly ms: number };

/** What a load test has measured. */
export type LoadReport = {
  readonly tool: string;
  /** Those that were answered, and those that were not. */
  readonly requests: number;
  /** Answered with 2xx or 3xx, and as the test expected. */
  readonly succeeded: number;
  /** Answered in a second; null where the tool does not tell. */
  readonly perSecond: number | null;
  /** Of what was answered. */
  readonly latency: readonly Quantile[];
};

/**
 * The JSON of `autocannon --json`, or of `artillery run --output`. Their fields: https://github.com/mcollina/autocannon#api ("The
 * results object"), https://www.artillery.io/docs/reference/reported-metrics. Errors: UnreadableReport.
 */
export function readLoad(text: string): LoadReport {
  const report = parseReport(text);
  if (isObject(fieldOf(report, "latency")) && isObject(fieldOf(report, "requests"))) return autocannon(report);
  if (isObject(fieldOf(report, "aggregate"))) return artillery(fieldOf(report, "aggregate"));
  throw new UnreadableReport("it is neither autocannon's (--json) nor Artillery's (--output)");
}

/** Of several workers or files: what all have seen, and the worst of their times. */
export function addLoads(a: LoadReport, b: LoadReport): LoadReport {
  return {
    tool: a.tool === b.tool ? a.tool : `${a.tool} and ${b.tool}`,
    requests: a.requests + b.requests,
    succeeded: a.succeeded + b.succeeded,
    perSecond: a.perSecond === null || b.perSecond === null ? null : a.perSecond + b.perSecond,
    latency: a.latency.flatMap(({ percent, ms }) => {
      const other = b.latency.find((one) => one.percent === percent);
      return other === undefined ? [] : [{ percent, ms: Math.max(ms, other.ms) }];
    }),
  };
}

function autocannon(report: unknown): LoadReport {
  const answered = countOf(report, "requests", "total");
  const seconds = countOf(report, "duration");
  // Timeouts are among the errors.
  const failed = countOf(report, "errors");
  const good = countOf(report, "2xx") + countOf(report, "3xx") - countOf(report, "mismatches");
  return {
    tool: "autocannon",
    requests: answered + failed,
    succeeded: Math.max(0, good),
    perSecond: seconds > 0 ? answered / seconds : null,
    latency: quantilesOf(fieldOf(report, "latency"), (name) =>
      /^p\d+(_\d+)?$/.test(name) ? Number(name.slice(1).replace("_", ".")) : null,
    ),
  };
}

function artillery(aggregate: unknown): LoadReport {
  const counters = fieldOf(aggregate, "counters");
  if (fieldOf(aggregate, "scenariosCreated") !== undefined)
    throw new UnreadableReport("it is of an Artillery before 2, which counts otherwise");
  if (!isObject(counters)) throw new UnreadableReport("it has no counters");
  const codes = Object.keys(counters).flatMap((name) => /^http\.codes\.([1-5]\d\d)$/.exec(name)?.[1] ?? []);
  const answered = codes.reduce((sum, code) => sum + countOf(counters, `http.codes.${code}`), 0);
  const good = codes
    .filter((code) => code.startsWith("2") || code.startsWith("3"))
    .reduce((sum, code) => sum + countOf(counters, `http.codes.${code}`), 0);
  const requests = Math.max(countOf(counters, "http.requests"), answered);
  // A visitor fails who got no answer, or nothing in it that was to be captured. Expectations that fail are counted by themselves, each: an
  // answer that fails two counts twice, for what is not known must not make it look better.
  const lost = Math.max(0, countOf(counters, "vusers.failed") - (requests - answered));
  const wrong = lost + countOf(counters, "plugins.expect.failed");
  const rate = fieldOf(aggregate, "rates", "http.request_rate");
  const names: Readonly<Record<string, number>> = { p50: 50, p75: 75, p90: 90, p95: 95, p99: 99, p999: 99.9 };
  return {
    tool: "Artillery",
    requests,
    succeeded: Math.max(0, good - wrong),
    // Its own rate is of what was asked.
    perSecond: typeof rate === "number" && rate >= 0 && requests > 0 ? (rate * answered) / requests : null,
    latency: quantilesOf(fieldOf(aggregate, "summaries", "http.response_time"), (name) => names[name] ?? null),
  };
}

function quantilesOf(times: unknown, percentOf: (name: string) => number | null): readonly Quantile[] {
  return Object.entries(isObject(times) ? times : {}).flatMap(([name, ms]) => {
    const percent = percentOf(name);
    return percent === null || typeof ms !== "number" || !(ms >= 0) ? [] : [{ percent, ms }];
  });
}

/** 0 where it is not there: what is not counted has not happened. */
function countOf(value: unknown, ...names: readonly string[]): number {
  const count = fieldOf(value, ...names);
  if (count === undefined) return 0;
  if (typeof count === "number" && Number.isFinite(count) && count >= 0) return count;
  throw new UnreadableReport(`${names.join(".")} is no count`);
}
