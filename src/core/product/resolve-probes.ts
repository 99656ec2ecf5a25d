import { serviceName } from "../ids.ts";
import { parseHostPort } from "./endpoints.ts";
import type { MetricInput, ProbeInput, QueueInput } from "./input.ts";
import type { CheckSpec, HostPort, MeasuredSpec, MetricSpec, PlaceSpec, ProbeSpec, QueueSpec } from "./probe-spec.ts";
import { probeDefaults } from "./probes.ts";
import { ms, valid } from "./resolve-values.ts";

// What is declared to be measured, with every default applied.

export function resolveProbe(name: string, input: ProbeInput): ProbeSpec {
  const check = probeCheck(input);
  const uptime = check.kind === "queue" ? false : (input.uptime ?? probeDefaults.uptime);
  return { ...measured(name, input, check), uptime };
}

export function resolveMetric(name: string, input: MetricInput): MetricSpec {
  return { ...measured(name, input, metricCheck(input)), unit: input.unit ?? "none" };
}

function measured(name: string, input: ProbeInput | MetricInput, check: CheckSpec): MeasuredSpec {
  const everyMs = ms(input.every ?? probeDefaults.every);
  return {
    name,
    service: input.service === undefined ? null : serviceName(input.service),
    everyMs,
    timeoutMs: Math.min(everyMs, ms(input.timeout ?? probeDefaults.timeout)),
    check,
  };
}

/** Takes what `checkProbes` has let through: exactly one kind. */
function probeCheck({ http, tcp, dns, tls, postgres, mysql, mongodb, redis, queue, ...rest }: ProbeInput): CheckSpec {
  if (http !== undefined) {
    const { url, method = probeDefaults.method, headers = {}, headersFrom = {}, status, body = null, within } = http;
    const statuses = status === undefined ? null : typeof status === "number" ? [status] : status;
    const withinMs = within === undefined ? null : ms(within);
    return { kind: "http", url, method, headers, headersFrom, status: statuses, body, withinMs };
  }
  if (tcp !== undefined) return { kind: "tcp", address: addressOf(tcp) };
  if (dns !== undefined) {
    const { name, type = probeDefaults.recordType, server = null, answer = null } = dns;
    return { kind: "dns", name, type, server, answer };
  }
  if (tls !== undefined) {
    const address = addressOf(tls.address);
    return { kind: "tls", address, servername: tls.servername ?? address.host, days: tls.days ?? probeDefaults.days };
  }
  if (postgres !== undefined) return { kind: "postgres", place: placeOf(postgres) };
  if (mysql !== undefined) return { kind: "mysql", place: placeOf(mysql) };
  if (mongodb !== undefined) return { kind: "mongodb", place: placeOf(mongodb) };
  if (redis !== undefined) return { kind: "redis", place: placeOf(redis) };
  if (queue !== undefined) return { kind: "queue", place: placeOf(queue), queue: queueOf(queue) };
  return commandCheck(rest);
}

function metricCheck({ prometheus, cloudwatch, json, ...rest }: MetricInput): CheckSpec {
  if (prometheus !== undefined) {
    const { url, query, headersFrom = {} } = prometheus;
    return { kind: "prometheus", url, query, headersFrom };
  }
  if (cloudwatch !== undefined) {
    const { region, namespace, metric, dimensions = {}, statistic = probeDefaults.statistic, period } = cloudwatch;
    return {
      kind: "cloudwatch",
      region,
      namespace,
      metric,
      dimensions,
      statistic,
      periodMs: ms(period ?? probeDefaults.period),
    };
  }
  if (json !== undefined) {
    const { url, path, headers = {}, headersFrom = {} } = json;
    return { kind: "json", url, path, headers, headersFrom };
  }
  return commandCheck(rest);
}

function commandCheck({ command = [], variables = [] }: Pick<ProbeInput, "command" | "variables">): CheckSpec {
  return { kind: "command", command, variables };
}

function placeOf({
  url,
  urlFrom,
}: {
  readonly url?: string | undefined;
  readonly urlFrom?: string | undefined;
}): PlaceSpec {
  return urlFrom === undefined ? { url: url ?? "" } : { from: urlFrom };
}

function queueOf({ bullmq, prefix, list, oldest, time, stream, group }: QueueInput): QueueSpec {
  if (bullmq !== undefined) return { kind: "bullmq", name: bullmq, prefix: prefix ?? probeDefaults.prefix };
  if (list !== undefined)
    return { kind: "list", key: list, oldest: oldest ?? probeDefaults.oldest, time: time ?? null };
  return { kind: "stream", key: stream ?? "", group: group ?? "" };
}

function addressOf(text: string): HostPort {
  return valid(parseHostPort(text), text);
}
