import type { MetricsView } from "../../../src/api/contract.ts";
import { Plot, type PlotProps } from "./plot.tsx";

type Chart = { readonly metric: string; readonly label: string; readonly tone: (now: number) => PlotProps["tone"] };

const busy = (): "busy" => "busy";
const charts: Readonly<Record<"traffic" | "use", readonly Chart[]>> = {
  traffic: [
    { metric: "requests", label: "Traffic", tone: busy },
    {
      metric: "error ratio",
      label: "Errors",
      tone: (value) => (value > 0.01 ? "bad" : value > 0 ? "warn" : "good"),
    },
    { metric: "latency p95", label: "Latency p95", tone: busy },
  ],
  use: [
    { metric: "cpu", label: "CPU", tone: busy },
    { metric: "memory", label: "Memory", tone: busy },
    { metric: "restarts", label: "Restarts", tone: (value) => (value > 0 ? "warn" : "good") },
  ],
};

type MeasuredProps = {
  readonly metrics: MetricsView | undefined;
  readonly environment: string;
  readonly service: string;
  /** Traffic, errors and latency where it takes requests; else what it uses. */
  readonly of: "traffic" | "use";
};

/** What is measured of one service, of the time that was asked for. */
export function Measured({ metrics, environment, service, of }: MeasuredProps) {
  if (metrics === undefined) return <div className="plots" aria-busy="true" />;
  const readings = charts[of].flatMap((chart) => {
    const reading = metrics.metrics.find(
      (each) => each.environment === environment && each.service === service && each.metric === chart.metric,
    );
    return reading === undefined ? [] : [{ ...chart, reading }];
  });
  if (readings.length === 0) return <p className="quiet small">Nothing is measured of it yet.</p>;
  return (
    <div className="plots">
      {readings.map(({ label, tone, reading }) => (
        <Plot
          key={label}
          label={label}
          points={reading.points}
          stepMs={reading.stepMs}
          at={metrics.at}
          now={reading.now.is === "known" ? valueText(reading.now.value, reading.unit) : "not known"}
          format={(value) => valueText(value, reading.unit)}
          tone={tone(reading.now.is === "known" ? reading.now.value : 0)}
        />
      ))}
    </div>
  );
}

export function valueText(value: number, unit: MetricsView["metrics"][number]["unit"]): string {
  switch (unit) {
    case "ratio":
    case "share of time":
      return `${figures(value * 100)} %`;
    case "ms":
      return value >= 1_000 ? `${figures(value / 1_000)} s` : `${figures(value)} ms`;
    case "per second":
      return `${figures(value)} / s`;
    case "bytes":
      return value >= 1e9 ? `${figures(value / 1e9)} GB` : `${figures(value / 1e6)} MB`;
    default:
      return figures(value);
  }
}

/** Three figures are what a person reads at a glance. */
const figures = (value: number): string =>
  value === 0 ? "0" : value >= 100 ? String(Math.round(value)) : String(Number(value.toPrecision(value < 1 ? 2 : 3)));
