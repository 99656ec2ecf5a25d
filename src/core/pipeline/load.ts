import { formatDuration, parseDuration, parsePercent } from "../product/units.ts";
import type { LoadReport, Quantile } from "../report/load.ts";

/** What a load test must show: `p95 < 800 ms`, `success > 99.9 %`, `rate > 100/s`. */
export type Expectation =
  | {
      readonly of: "latency";
      readonly quantile: number;
      readonly most: number;
      readonly or: boolean;
      readonly text: string;
    }
  | { readonly of: "success" | "rate"; readonly least: number; readonly or: boolean; readonly text: string };

/** Of an environment, and what it must show there. */
export type LoadPolicy = {
  readonly environment: string;
  readonly expect: readonly Expectation[];
  readonly minimum: number;
};

export type LoadVerdict = { readonly passed: boolean; readonly says: string };

export const expectationHelp = '"p95 < 800 ms", "success > 99.9 %" or "rate > 100/s"';

/** Null when it is none. */
export function parseExpectation(text: string): Expectation | null {
  const [, name = "", sign = "", said = ""] = /^\s*([a-z]+[\d.]*)\s*(<=?|>=?)\s*(.+?)\s*$/.exec(text) ?? [];
  const value = said.replace(/^([\d.]+)\s+/, "$1");
  const or = sign.endsWith("=");
  const quantile = /^p(\d{1,2}(?:\.\d{1,3})?)$/.exec(name)?.[1];
  if (quantile !== undefined) {
    const most = parseDuration(value);
    if (most === null || !sign.startsWith("<") || Number(quantile) <= 0) return null;
    return { of: "latency", quantile: Number(quantile), most, or, text: text.trim() };
  }
  if (!sign.startsWith(">")) return null;
  if (name === "success") {
    const least = parsePercent(value);
    return least === null ? null : { of: "success", least, or, text: text.trim() };
  }
  const rate = /^(\d+(?:\.\d+)?)\/s$/.exec(value)?.[1];
  return name !== "rate" || rate === undefined ? null : { of: "rate", least: Number(rate), or, text: text.trim() };
}

/** Whether the requests were answered as they must be. Too few of them, or a figure that the tool does not tell, is not well. */
export function judgeLoad(
  report: LoadReport,
  { expect, minimum }: Pick<LoadPolicy, "expect" | "minimum">,
): LoadVerdict {
  const { tool, requests } = report;
  const of = `${tool}, ${requests} requests`;
  if (requests < minimum)
    return { passed: false, says: `${of}: at least ${minimum} are asked of it, so nothing can be told` };
  const readings = expect.map((each) => readingOf(report, each));
  const missed = readings.filter(({ held }) => !held);
  const shown = missed.length > 0 ? missed : readings;
  return { passed: missed.length === 0, says: `${of}: ${shown.map(({ says }) => says).join(", ")}` };
}

function readingOf(report: LoadReport, expectation: Expectation): { readonly held: boolean; readonly says: string } {
  const { text } = expectation;
  if (expectation.of === "latency") {
    const { quantile, most, or } = expectation;
    const known = quantileAt(report.latency, quantile);
    if (known === null) return { held: false, says: `${text}, of which ${report.tool} tells nothing` };
    const held = or ? known.ms <= most : known.ms < most;
    // The next above it is at least as long: whoever passes by that passes by this.
    const by = known.percent === quantile ? `p${quantile}` : `p${known.percent}, the next that is told,`;
    return { held, says: `${by} ${formatDuration(Math.round(known.ms))} (${text})` };
  }
  const { of, least, or } = expectation;
  const seen = of === "success" ? report.succeeded / report.requests : report.perSecond;
  if (seen === null) return { held: false, says: `${text}, of which ${report.tool} tells nothing` };
  const held = or ? seen >= least : seen > least;
  return { held, says: `${of === "success" ? `success ${percentText(seen)}` : `rate ${seen.toFixed(1)}/s`} (${text})` };
}

function quantileAt(latency: readonly Quantile[], wanted: number): Quantile | null {
  return (
    latency
      .filter(({ percent }) => percent >= wanted)
      .toSorted((a, b) => a.percent - b.percent)
      .at(0) ?? null
  );
}

/** Cut, not rounded: 99.999 % is no 100 %. */
function percentText(ratio: number): string {
  return `${(Math.floor(ratio * 100_000 + 1e-6) / 1_000).toFixed(3).replace(/0$/, "")} %`;
}
