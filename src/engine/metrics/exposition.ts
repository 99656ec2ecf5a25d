import { GaugeSeries } from "../../core/metric/gauge-series.ts";
import { type Labels, labelNames } from "../../core/metric/labels.ts";
import { latencyBoundsMs } from "../../core/metric/latency.ts";
import { TallySeries } from "../../core/metric/tally-series.ts";
import { firstBucket, trafficColumns } from "../../core/metric/traffic.ts";
import type { Metrics } from "./metrics.ts";

type Family = { readonly name: string; readonly type: "gauge" | "counter" | "histogram"; readonly help: string };

/** As Prometheus names things: base units, counters with `_total` (prometheus.io/docs/practices/naming). */
const gauges: Readonly<Record<string, Family & { readonly scale?: number }>> = {
  "in flight": { name: "slipway_requests_in_flight", type: "gauge", help: "Requests without a whole answer." },
  cpu: {
    name: "slipway_instance_cpu_ratio",
    type: "gauge",
    help: "Processor time, as a share of what the instance may use.",
  },
  memory: { name: "slipway_instance_memory_bytes", type: "gauge", help: "Memory in use." },
  "memory share": {
    name: "slipway_instance_memory_ratio",
    type: "gauge",
    help: "Memory in use, as a share of the limit.",
  },
  health: { name: "slipway_instance_healthy", type: "gauge", help: "1 when healthy, 0 when not; absent when unknown." },
  uptime: { name: "slipway_service_up", type: "gauge", help: "1 when up, 0 when down; absent when unknown." },
  probe: {
    name: "slipway_probe_success",
    type: "gauge",
    help: "1 when the probe passed, 0 when it failed; absent when unknown.",
  },
  "response time": {
    name: "slipway_probe_duration_seconds",
    type: "gauge",
    help: "How long the probe took.",
    scale: 1e-3,
  },
  "certificate days": {
    name: "slipway_probe_certificate_expiry_seconds",
    type: "gauge",
    help: "Time until the certificate ends.",
    scale: 86_400,
  },
  "queue delay": {
    name: "slipway_queue_delay_seconds",
    type: "gauge",
    help: "Age of the oldest job that waits.",
    scale: 1e-3,
  },
  "queue depth": { name: "slipway_queue_depth", type: "gauge", help: "Jobs that wait." },
  "queue failed": { name: "slipway_queue_failed", type: "gauge", help: "Jobs that failed for good." },
};
const declared: Family = {
  name: "slipway_declared_value",
  type: "gauge",
  help: "A metric of the config; its name is the label probe.",
};
const counters: readonly (Family & { readonly column: number })[] = [
  {
    name: "slipway_requests_total",
    type: "counter",
    help: "Requests, failed attempts included.",
    column: trafficColumns.requests,
  },
  {
    name: "slipway_request_errors_total",
    type: "counter",
    help: "5xx answers and failed attempts.",
    column: trafficColumns.errors,
  },
  {
    name: "slipway_client_aborts_total",
    type: "counter",
    help: "Requests whose client went away.",
    column: trafficColumns.clientAborts,
  },
];
const restarts: Family = {
  name: "slipway_instance_restarts_total",
  type: "counter",
  help: "Starts after the first one.",
};
const latency: Family = {
  name: "slipway_request_first_byte_seconds",
  type: "histogram",
  help: "Time to the first byte of the answer.",
};

/** What is known now, in Prometheus's text format 0.0.4. What is unknown is left out. */
export function exposition(metrics: Metrics): string {
  const lines = new Map<Family, string[]>();
  const add = (family: Family, line: string): void => {
    lines.set(family, [...(lines.get(family) ?? []), line]);
  };
  const now = metrics.time.now();
  for (const { metric, labels, series } of metrics.memory.each()) {
    if (series instanceof GaugeSeries) {
      const last = series.last(now);
      if (last === null) continue;
      const family = gauges[metric] ?? declared;
      add(family, `${family.name}${labelText(labels)} ${last.value * (gauges[metric]?.scale ?? 1)}`);
    } else if (series instanceof TallySeries && now - (series.newestAt ?? 0) <= series.holdMs) {
      const read = series.read ?? [];
      if (metric === "restarts") add(restarts, `${restarts.name}${labelText(labels)} ${read[0] ?? 0}`);
      if (metric !== "traffic") continue;
      for (const family of counters) add(family, `${family.name}${labelText(labels)} ${read[family.column] ?? 0}`);
      for (const line of histogram(labels, read)) add(latency, line);
    }
  }
  return [...lines]
    .map(([{ name, type, help }, all]) => `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${all.join("\n")}\n`)
    .join("");
}

/** Without a sum: an edge counts by the bucket and adds nothing up. */
function histogram(labels: Labels, read: readonly number[]): string[] {
  let total = 0;
  const buckets = [...latencyBoundsMs.map((ms) => String(ms / 1000)), "+Inf"].map((le, index) => {
    total += read[firstBucket + index] ?? 0;
    return `${latency.name}_bucket${labelText(labels, le)} ${total}`;
  });
  return [...buckets, `${latency.name}_count${labelText(labels)} ${total}`];
}

function labelText(labels: Labels, le?: string): string {
  const pairs = labelNames.flatMap((name) =>
    labels[name] === undefined ? [] : [`${name}="${escaped(labels[name])}"`],
  );
  if (le !== undefined) pairs.push(`le="${le}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

const escaped = (text: string): string => text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
