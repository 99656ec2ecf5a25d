import { boundedGet } from "../../../lib/http/bounded-get.ts";
import { type AwsCredentials, signedHeaders } from "../../../lib/sign/sigv4.ts";
import type { Gauge, Outcome } from "../../../ports/gauge.ts";

export type CloudWatchOptions = {
  readonly region: string;
  readonly namespace: string;
  readonly metric: string;
  readonly dimensions: Readonly<Record<string, string>>;
  /** `Average`, `Sum`, `Maximum`, `Minimum`, `SampleCount`, or a percentile such as `p95`. */
  readonly statistic: string;
  readonly periodMs: number;
  readonly credentials: AwsCredentials;
  /** In the place of AWS's own, for what speaks as it. */
  readonly endpoint?: URL;
};

const maxBytes = 1024 * 1024;
/** CloudWatch has a period's value some time after its end; one from before that is the newest there is. */
const lateMs = 10 * 60_000;

/**
 * The newest value of one metric: GetMetricData of the query API of 2010-08-01, signed by ourselves, since the SDK would be more
 * than all of the rest. A metric without a value in its last periods is unknown.
 */
export function cloudWatchMetric(options: CloudWatchOptions, now: () => number = Date.now): Gauge {
  return {
    read: async (signal) => {
      const url = options.endpoint ?? new URL(`https://monitoring.${options.region}.amazonaws.com/`);
      const at = now();
      const body = bodyOf(options, at);
      const request = {
        method: "POST" as const,
        url,
        headers: { "content-type": "application/x-www-form-urlencoded; charset=utf-8" },
        body,
        region: options.region,
        service: "monitoring",
        at: new Date(at),
      };
      const headers = signedHeaders(request, options.credentials);
      const answer = await boundedGet({ url, method: "POST", headers, body, signal, maxBytes });
      return newest(answer.status, answer.body);
    },
  };
}

function bodyOf({ namespace, metric, dimensions, statistic, periodMs }: CloudWatchOptions, at: number): string {
  const query = "MetricDataQueries.member.1";
  const stat = `${query}.MetricStat`;
  const form = new URLSearchParams({
    Action: "GetMetricData",
    Version: "2010-08-01",
    StartTime: new Date(at - lateMs - 2 * periodMs).toISOString(),
    EndTime: new Date(at).toISOString(),
    ScanBy: "TimestampDescending",
    [`${query}.Id`]: "value",
    [`${stat}.Metric.Namespace`]: namespace,
    [`${stat}.Metric.MetricName`]: metric,
    [`${stat}.Period`]: String(Math.max(1, Math.round(periodMs / 1000))),
    [`${stat}.Stat`]: statistic,
  });
  for (const [index, [name, value]] of Object.entries(dimensions).entries()) {
    form.set(`${stat}.Metric.Dimensions.member.${index + 1}.Name`, name);
    form.set(`${stat}.Metric.Dimensions.member.${index + 1}.Value`, value);
  }
  return form.toString();
}

function newest(status: number, xml: string): Outcome {
  if (status !== 200)
    return unknown(`it refuses (${status} ${within(xml, "Code") ?? ""}): ${within(xml, "Message") ?? ""}`);
  if (!xml.includes("<GetMetricDataResponse")) return unknown("it does not answer as CloudWatch");
  const text = within(within(xml, "Values") ?? "", "member");
  const value = text === null || text === "" ? Number.NaN : Number(text);
  if (!Number.isFinite(value)) return unknown("it has no value of the last periods");
  return {
    is: "pass",
    saw: `${text} at ${within(within(xml, "Timestamps") ?? "", "member") ?? "?"}`,
    values: { value },
  };
}

/** The text of the first element of that name; its answer has no attributes but on the outermost. */
function within(xml: string, element: string): string | null {
  const begin = xml.indexOf(`<${element}>`);
  const end = xml.indexOf(`</${element}>`, begin);
  return begin < 0 || end < 0
    ? null
    : xml
        .slice(begin + element.length + 2, end)
        .slice(0, 10_000)
        .trim();
}

const unknown = (saw: string): Outcome => ({ is: "unknown", saw: saw.slice(0, 300).trim() });
