import { type IncomingMessage, request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { reasonOf, SlipwayError } from "../../../core/errors/error.ts";
import { entryFile } from "../../../lib/entry.ts";
import { newestOf } from "../../../lib/newest-of.ts";
import type { EdgeSample, RouteTable } from "../../../ports/edge.ts";
import { askSocket } from "./admin.ts";

export type CompanionStatus = {
  readonly pid: number;
  /** Where it listens for Caddy's log, and what makes a line of it believed. */
  readonly port: number;
  readonly token: string;
  /** Folders of services that are held. */
  readonly held: readonly string[];
  readonly troubles: Readonly<Record<string, string>>;
  /** Lines of the log that were lost since it began; null where the system does not say. */
  readonly lostLines: number | null;
};

export type HoldOrder = {
  readonly folder: string;
  readonly until: { readonly maxMs: number; readonly maxQueued: number } | null;
};

/** What runs the companion of `directory`. Run twice, the second one ends at once. */
export function companionCommand(directory: string): string[] {
  return [process.execPath, entryFile(import.meta.url, "./companion.ts"), directory];
}

export async function askCompanion(
  socket: string,
  order: { readonly is: "status" } | { readonly is: "table"; readonly table: RouteTable },
): Promise<CompanionStatus> {
  const answer =
    order.is === "status"
      ? await askSocket(socket, "GET", "/status")
      : await askSocket(socket, "POST", "/table", JSON.stringify(order.table));
  return JSON.parse(answer.body) as CompanionStatus;
}

export async function orderHold(socket: string, order: HoldOrder): Promise<void> {
  await askSocket(socket, "POST", "/hold", JSON.stringify(order));
}

/** It does nothing else when it is told to end. */
const exitWithinMs = 5_000;

/** Not there is what was asked for. One that does not answer is left to who keeps it up. */
export async function endCompanion(socket: string): Promise<void> {
  const told = askSocket(socket, "POST", "/exit").catch(() => undefined);
  await Promise.race([told, sleep(exitWithinMs, undefined, { ref: false })]);
}

const reconnectMs = 250;

/** A companion that is restarted is found again; a slow reader gets the newest sample, not the ones it missed. */
export async function* companionSamples(socket: string, signal: AbortSignal): AsyncGenerator<EdgeSample> {
  while (!signal.aborted) {
    const stream = await open(socket, signal).catch(() => null);
    if (stream !== null) yield* newestOf<EdgeSample>(stream, signal);
    await sleep(reconnectMs, undefined, { signal }).catch(() => undefined);
  }
}

function open(socket: string, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath: socket, path: "/samples", agent: false, signal }, resolve);
    call.once("error", (cause) =>
      reject(new SlipwayError("EDGE_UNREACHABLE", { message: `The edge does not answer: ${reasonOf(cause)}`, cause })),
    );
    call.end();
  });
}
