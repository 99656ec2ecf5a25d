import { SlipwayError } from "../../core/errors/error.ts";
import type { Edge, EdgeCan, EdgeConfig, RouteTable } from "../../ports/edge.ts";
import type { Gateway } from "./gateway.ts";
import { type Life, never } from "./life.ts";
import { sleepersOf, type Timeline } from "./timeline.ts";

/**
 * What an edge does to whoever steers it; it goes on routing meanwhile. `away`: every call fails, the samples end. `deaf`: a table
 * is put in force, but the acknowledgement is lost. `slow`: a table takes seconds. `mute`: no samples come.
 */
export type EdgeTrouble = "away" | "deaf" | "slow" | "mute" | null;

export type SimGate = {
  readonly gateway: Gateway;
  readonly timeline: Timeline;
  config: EdgeConfig | null;
  trouble: EdgeTrouble;
  /** Told of every table that comes into force. */
  readonly onTable: (table: RouteTable) => void;
};

const can: EdgeCan = {
  hold: true,
  exactDrain: true,
  sticky: false,
  ipRateLimit: false,
  chunkedBodyLimit: false,
  connectErrors: true,
  acme: false,
  http2: false,
  http3: false,
};

const roundTripMs = 1;
const slowMs = 3_000;
const sampleMs = 250;
const allTraffic = 10_000;

/** The edge driver of one control plane in the world. */
export function simEdge(gate: SimGate, life: Life): Edge {
  const { gateway, timeline } = gate;
  const call = <T>(work: () => T | Promise<T>): Promise<T> =>
    life.call(async () => {
      await timeline.wait(roundTripMs);
      if (gate.trouble === "away") throw unreachable();
      return work();
    });
  return {
    name: "simulated",
    can,
    start: (config) =>
      call(() => {
        gate.config = config;
      }),
    apply: (table) =>
      call(async () => {
        refuseBad(table, gate);
        const { restarts } = gateway;
        if (gate.trouble === "slow") await timeline.wait(slowMs);
        if (gateway.restarts !== restarts) throw unreachable();
        // Meanwhile a newer one may have come.
        refuseBad(table, gate);
        gateway.put(table);
        gate.onTable(table);
        await timeline.wait(roundTripMs);
        if (gate.trouble === "deaf") throw unreachable();
      }),
    current: () => call(() => gateway.table),
    hold: (service, until) => call(() => gateway.hold(service, until)),
    drain: (revision, { timeoutMs }) =>
      call(async () => {
        const endMs = timeline.nowMs + timeoutMs;
        for (;;) {
          const idleMs = gateway.idleFromMs(revision);
          if (idleMs <= timeline.nowMs) return { inflight: 0 };
          if (timeline.nowMs >= endMs) return { inflight: 1 };
          await timeline.wait(Math.min(idleMs, endMs) - timeline.nowMs);
        }
      }),
    async *samples(signal) {
      for (;;) {
        if (signal.aborted) return;
        if (gate.trouble === "away") throw unreachable();
        if (gate.trouble !== "mute") yield gateway.sample();
        await pause(timeline, sampleMs, signal);
        if (!life.touch()) await never();
      }
    },
    certificates: async () => [],
    stop: async () => {},
  };
}

function pause(timeline: Timeline, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const sleepers = sleepersOf(signal);
    const abort = (): void => {
      due.off = true;
      resolve();
    };
    const due = timeline.after(ms, () => {
      sleepers.delete(abort);
      resolve();
    });
    sleepers.add(abort);
  });
}

function refuseBad(table: RouteTable, { gateway, config }: SimGate): void {
  const problem = problemOf(table, gateway.table, config);
  if (problem !== null)
    throw new SlipwayError("EDGE_REFUSED_TABLE", { message: `table ${table.generation}: ${problem}` });
}

function problemOf(table: RouteTable, before: RouteTable | null, config: EdgeConfig | null): string | null {
  if (before !== null && table.generation < before.generation) return "a newer one is in force";
  if (before !== null && table.generation === before.generation && JSON.stringify(table) !== JSON.stringify(before))
    return "another one of this generation is in force";
  for (const { service, listener } of table.routes) {
    if (table.services[service] === undefined) return `there is no service ${service}`;
    if (config !== null && !config.listeners.some(({ name }) => name === listener))
      return `there is no listener ${listener}`;
  }
  for (const [name, { targets }] of Object.entries(table.services)) {
    const sum = targets.reduce((total, { weight }) => total + weight, 0);
    if (sum !== 0 && sum !== allTraffic) return `the weights of ${name} sum to ${sum}`;
  }
  return null;
}

function unreachable(): SlipwayError {
  return new SlipwayError("EDGE_UNREACHABLE", { message: "the simulated edge does not answer" });
}
