import type { Ailment } from "../service.ts";

/** How a version degrades, and what hits both versions, in the ways in which real ones do. */
export type Scenario = {
  readonly name: string;
  /** A person would want it taken back. */
  readonly bad: boolean;
  readonly ailment: Ailment;
  /** A dependency of both sides fails in that share of the answers, between these moments after the switch. */
  readonly outage?: { readonly ratio: number; readonly fromMs: number; readonly toMs: number };
};

const well: Ailment = { is: "none" };

export const scenarios: readonly Scenario[] = [
  { name: "2 % errors", bad: true, ailment: { is: "errors", ratio: 0.02 } },
  { name: "10 % errors", bad: true, ailment: { is: "errors", ratio: 0.1 } },
  { name: "30 % errors", bad: true, ailment: { is: "errors", ratio: 0.3 } },
  { name: "all errors", bad: true, ailment: { is: "errors", ratio: 1 } },
  { name: "slow leak", bad: true, ailment: { is: "leak", ratio: 0.5, fullMs: 300_000 } },
  { name: "latency creep", bad: true, ailment: { is: "latency-creep", factor: 10, fullMs: 120_000 } },
  { name: "crash loop", bad: true, ailment: { is: "crash-loop", afterMs: 20_000 } },
  { name: "one bad host", bad: true, ailment: { is: "bad-host", ratio: 0.4, host: 1 } },
  { name: "sick later", bad: true, ailment: { is: "sick", afterMs: 60_000 } },
  { name: "nothing wrong", bad: false, ailment: well },
  { name: "cold cache", bad: false, ailment: { is: "cold-cache", ratio: 0.05, factor: 5, halfMs: 15_000 } },
  {
    name: "outage from before",
    bad: false,
    ailment: well,
    outage: { ratio: 0.3, fromMs: -100_000, toMs: 120_000 },
  },
  { name: "outage after", bad: false, ailment: well, outage: { ratio: 0.3, fromMs: 60_000, toMs: 180_000 } },
];

/** Requests a second, on average over a day. */
export const levels = [
  { name: "0.2/s", rate: 0.2 },
  { name: "5/s", rate: 5 },
  { name: "100/s", rate: 100 },
] as const;

const dayMs = 86_400_000;
/** A burst now and then: three times as much, for twenty seconds of every five minutes. */
const burst = { everyMs: 300_000, lastsMs: 20_000, factor: 3 };

/** Traffic with the shape of a day, from where in it the world begins, and with bursts. */
export function rateAt(rate: number, startsAtMs: number): (atMs: number) => number {
  return (atMs) => {
    const inDay = 1 - 0.8 * Math.cos((2 * Math.PI * (startsAtMs + atMs)) / dayMs);
    const inBurst = (startsAtMs + atMs) % burst.everyMs < burst.lastsMs ? burst.factor : 1;
    return rate * inDay * inBurst;
  };
}
