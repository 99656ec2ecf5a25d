import { stripVTControlCharacters as plain } from "node:util";
import { expect, it } from "vitest";
import type { MetricsView, UptimeView } from "../../api/contract.ts";
import { environmentName, serviceName } from "../../core/ids.ts";
import { metricLines, plot, uptimeLines, valueText } from "./metrics.ts";

const environment = environmentName("production");
const service = serviceName("web");
const known = (value: number) => ({ is: "known" as const, value, count: 9, covered: 1, from: 0, to: 1 });

it("a plot shows what is unknown as a gap, never as a low bar", () => {
  expect(plain(plot([0, 1, null, 2, 4]))).toBe("▁▃·▅█");
  expect(plain(plot([null, null]))).toBe("··");
  expect(plain(plot([0, 0]))).toBe("▁▁");
  expect(plain(plot([1, 0, 1], 1))).toBe("█▁█");
});

it("values are told in the units of people, and hardly ever is not never", () => {
  const said = (value: number, unit: MetricsView["metrics"][number]["unit"]) => valueText(value, { unit });
  expect(said(0.0312, "ratio")).toBe("3.1 %");
  expect(said(0.999999, "share of time")).toBe("99.999 % of the time");
  expect(said(1, "share of time")).toBe("100 % of the time");
  expect(said(2.34, "ms")).toBe("2.3 ms");
  expect(said(25_100, "ms")).toBe("25.1 s");
  expect(said(41_234_567, "bytes")).toBe("41.2 MB");
  expect(said(12.4, "per second")).toBe("12 /s");
  expect(said(0.23456, "count")).toBe("0.235");
});

it("services, their metrics and their probes are listed, and what is unknown says why", () => {
  const at = { environment, service, probe: null, points: [1, null, 2], stepMs: 10_000 };
  const probe = { environment, service: null, kind: "postgres", points: [1, 1, 0], stepMs: 10_000 };
  const view: MetricsView = {
    at: 0,
    metrics: [
      { ...at, metric: "requests", unit: "per second", now: known(2.5) },
      { ...at, metric: "latency p95", unit: "ms", now: { is: "unknown", why: "nothing was answered in the last 1m" } },
    ],
    probes: [
      { ...probe, name: "database", last: { is: "fail", saw: "connection refused", tookMs: 1, at: 0 } },
      { ...probe, name: "stock", last: null },
    ],
  };
  expect(metricLines(view).map(plain)).toEqual([
    "production",
    "  web  requests     ▅·█  2.5 /s",
    "       latency p95  ▅·█  unknown: nothing was answered in the last 1m",
    "  ✖ database  postgres  ██▁  connection refused",
    "  ○ stock     postgres  ██▁  not looked yet",
  ]);
  expect(metricLines({ at: 0, metrics: [], probes: [] })).toEqual([
    "nothing has been measured yet; run: slipway deploy --env <environment>",
  ]);
});

it("uptime is of the known time, and says how much that is", () => {
  const days = [
    { up: null, known: 0 },
    { up: 1, known: 1 },
    { up: 0.995, known: 1 },
    { up: 0.5, known: 0.1 },
  ];
  const view: UptimeView = {
    at: 0,
    days: 4,
    uptime: [
      { environment, service: null, up: null, known: 0, days: days.map(() => ({ up: null, known: 0 })) },
      { environment, service, up: 0.9756, known: 0.525, days },
    ],
  };
  expect(uptimeLines(view).map(plain)).toEqual([
    "production  unknown   ····  nothing is known of 4 days",
    "  web       97.560 %  ·█▆▃  of the 2d2h of 4 days that are known",
  ]);
});
