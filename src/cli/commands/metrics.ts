import type { MetricsView, UptimeView } from "../../api/contract.ts";
import { formatDuration } from "../../core/product/units.ts";
import { type GlobalOptions, withRunning } from "../session.ts";
import { sign, style, table } from "../terminal/style.ts";

type Where = GlobalOptions & { readonly env?: string; readonly service?: string };

/** What is measured now, with a plot of the last minutes; with `follow` again every second. */
export function metrics(options: Where & { readonly window: string; readonly follow?: boolean }): Promise<number> {
  return withRunning(options, async ({ client, out }) => {
    const query = queryOf(options, { windowS: options.window });
    if (options.follow !== true) {
      const view = await client.get<MetricsView>(`/v1/metrics?${query}`);
      out.json(view);
      for (const line of metricLines(view)) out.line(line);
      return 0;
    }
    for await (const view of client.stream<MetricsView>(`/v1/metrics/follow?${query}`)) {
      out.json(view);
      // Drawn over what was there: one look, not a scroll.
      if (out.mode === "terminal") process.stdout.write("\u001b[H\u001b[2J");
      for (const line of metricLines(view)) out.line(line);
    }
    return 0;
  });
}

/** Uptime by the day, of each service and of each environment as a whole. */
export function uptime(options: Where & { readonly days: string }): Promise<number> {
  return withRunning(options, async ({ client, out }) => {
    const view = await client.get<UptimeView>(`/v1/uptime?${queryOf(options, { days: options.days })}`);
    out.json(view);
    for (const line of uptimeLines(view)) out.line(line);
    return 0;
  });
}

function queryOf({ env, service }: Where, more: Readonly<Record<string, string>>): URLSearchParams {
  return new URLSearchParams({
    ...more,
    ...(env !== undefined && { environment: env }),
    ...(service !== undefined && { service }),
  });
}

type Reading = MetricsView["metrics"][number];

export function metricLines({ metrics, probes }: MetricsView): string[] {
  const environments = new Set([...metrics, ...probes].map(({ environment }) => environment));
  if (environments.size === 0) return ["nothing has been measured yet; run: slipway deploy --env <environment>"];
  return [...environments].flatMap((environment) => [
    style.name(environment),
    ...table(
      metrics
        .filter((reading) => reading.environment === environment)
        .map((reading, index, all) => metricRow(reading, all[index - 1])),
      "  ",
    ),
    ...table(probes.filter((probe) => probe.environment === environment).map(probeRow), "  "),
  ]);
}

function metricRow(reading: Reading, before: Reading | undefined): string[] {
  const { now, points, metric, service, probe } = reading;
  const own = probe ?? service ?? "(all)";
  const isSame = before !== undefined && before.service === service && before.probe === probe;
  return [
    isSame ? "" : own,
    metric,
    plot(points),
    now.is === "known" ? valueText(now.value, reading) : style.quiet(`unknown: ${whyOf(now.why, metric)}`),
  ];
}

/** What it is of stands in front of it here. */
function whyOf(why: string, metric: string): string {
  const of = `${metric} could not be measured: `;
  return why.startsWith(of) ? why.slice(of.length) : why;
}

function probeRow({ name, kind, last, points }: MetricsView["probes"][number]): string[] {
  const [mark, saw] =
    last === null
      ? [style.quiet(sign.waiting), style.quiet("not looked yet")]
      : last.is === "pass"
        ? [style.good(sign.done), `${last.saw}  ${style.quiet(`${Math.round(last.tookMs)} ms`)}`]
        : last.is === "fail"
          ? [style.bad(sign.failed), style.bad(last.saw)]
          : [style.warn(sign.warn), style.warn(`unknown: ${last.saw}`)];
  return [`${mark} ${name}`, kind, plot(points, 1), saw];
}

const bars = "▁▂▃▄▅▆▇█";

/** What is unknown is a gap, not a low bar. */
export function plot(points: readonly (number | null)[], most?: number): string {
  const known = points.filter((point) => point !== null);
  const max = most ?? Math.max(...known, Number.MIN_VALUE);
  return points
    .map((point) =>
      point === null ? style.quiet("·") : (bars[Math.min(7, Math.max(0, Math.round((point / max) * 7)))] ?? ""),
    )
    .join("");
}

export function valueText(value: number, { unit }: Pick<Reading, "unit">): string {
  switch (unit) {
    case "ratio":
      return `${(value * 100).toFixed(1)} %`;
    case "share of time":
      return `${percentText(value)} of the time`;
    case "ms":
      return value < 10_000
        ? `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`
        : `${(value / 1000).toFixed(1)} s`;
    case "bytes":
      return sizeText(value);
    case "per second":
      return `${value < 10 ? value.toFixed(1) : Math.round(value)} /s`;
    case "days":
      return `${value.toFixed(1)} days`;
    default:
      return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(3)));
  }
}

/** To the tenth: what uses memory never stands still. */
function sizeText(bytes: number): string {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

/** Never rounded up to a whole: 99.999 % is not always. */
function percentText(ratio: number): string {
  if (ratio === 1) return "100 %";
  return `${(Math.floor(ratio * 100_000) / 1000).toFixed(3)} %`;
}

export function uptimeLines({ uptime, days }: UptimeView): string[] {
  if (uptime.length === 0) return ["nothing has been measured yet; run: slipway deploy --env <environment>"];
  return table(
    uptime.map(({ environment, service, up, known, days: each }) => [
      service === null ? style.name(environment) : `  ${service}`,
      up === null ? style.quiet("unknown") : up < 0.99 ? style.bad(percentText(up)) : percentText(up),
      each.map(dayMark).join(""),
      style.quiet(knownText(known, days)),
    ]),
  );
}

/** How much of it is known, in the largest unit that says something. */
function knownText(share: number, days: number): string {
  if (share === 0) return `nothing is known of ${days} days`;
  if (share >= 0.999) return `of ${days} days`;
  const ms = share * days * 86_400_000;
  const grain = ms >= 86_400_000 ? 3_600_000 : ms >= 3_600_000 ? 60_000 : 1_000;
  return `of the ${formatDuration(Math.max(grain, Math.round(ms / grain) * grain))} of ${days} days that are known`;
}

/** A day: up all the time, hardly ever down, down for a while; unknown. */
function dayMark({ up }: UptimeView["uptime"][number]["days"][number]): string {
  if (up === null) return style.quiet("·");
  if (up >= 0.9999) return style.good("█");
  return up >= 0.99 ? style.warn("▆") : style.bad("▃");
}
