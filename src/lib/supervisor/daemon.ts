import { realpathSync } from "node:fs";
import { socketPath } from "../socket-path.ts";
import { type DaemonReport, protocolVersion, type Request, type Selector, socketName } from "./contract.ts";
import { giveUpOwnership, isOwner, takeOwnership } from "./lock.ts";
import { followLogs } from "./log-stream.ts";
import { defaultLogOptions } from "./logs.ts";
import { CallServer, type Send } from "./server.ts";
import { Units, type UnitsOptions } from "./units.ts";

/**
 * The program that keeps commands running for one state directory: `daemon.js <directory> <options as JSON>`. Its own death
 * disturbs none of them; the next one finds them again. It does not end because of a bug in one call.
 */
const selfCheckMs = 1_000;

async function main(): Promise<void> {
  const directory = realpathSync(process.argv[2] ?? ".");
  const given = JSON.parse(process.argv[3] ?? "{}") as Partial<UnitsOptions>;
  process.on("uncaughtException", complain);
  process.on("unhandledRejection", complain);
  process.on("SIGHUP", () => undefined); // the terminal it was started from may close

  let units: Units | null = null;
  // Calls that come while the units are still being taken up wait for them.
  let opened: (units: Units) => void = () => undefined;
  const ready = new Promise<Units>((resolve) => {
    opened = resolve;
  });
  const server = new CallServer(socketPath(directory, socketName), async (request, send, signal) =>
    answer(await ready, request, send, signal),
  );

  const owned = await takeOwnership(directory, () => server.listen());
  if (!owned) process.exit(0);
  const options = { directory, ports: given.ports ?? null, logs: given.logs ?? defaultLogOptions };
  units = await Units.open(options);
  opened(units);

  const check = setInterval(() => {
    if (!isOwner(directory)) return leave(); // another daemon took over: two must not watch the same processes
    if (!server.isReachable()) server.listen().catch(complain);
  }, selfCheckMs);
  process.on("SIGTERM", leave);
  process.on("SIGINT", leave);

  async function answer(all: Units, request: Request, send: Send, signal: AbortSignal): Promise<unknown> {
    switch (request.call) {
      case "hello":
        return { pid: process.pid, protocol: protocolVersion, limits: all.limits } satisfies DaemonReport;
      case "ensure":
        return all.ensure(request.spec, request.instances);
      case "observe":
        return all.observe(request.selector);
      case "remove":
        return all.remove(request.key);
      case "watch":
        return watch(all, request.selector, send, signal);
      case "restart":
        await all.restart(request.instance, request.startedAt);
        return null;
      case "logs":
        return followLogs(all.logs, request, send, signal);
      case "leave":
        setImmediate(leave);
        return null;
      case "shutdown":
        await all.shutdown();
        setImmediate(leave);
        return null;
    }
  }

  function leave(): void {
    clearInterval(check);
    server.close();
    void units?.leave().finally(() => {
      giveUpOwnership(directory);
      process.exit(0);
    });
  }
}

/** Sends the selected units now and after every change; changes while the client reads slowly come as one. */
async function watch(all: Units, selector: Selector, send: Send, signal: AbortSignal): Promise<void> {
  let wake: () => void = () => undefined;
  let dirty = true;
  const unwatch = all.watch(() => {
    dirty = true;
    wake();
  });
  signal.addEventListener("abort", () => wake());
  let last = "";
  while (!signal.aborted) {
    if (dirty) {
      dirty = false;
      const reports = all.observe(selector);
      const now = JSON.stringify(reports, withoutUsage);
      if (now !== last) await send(reports);
      last = now;
    } else {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  }
  unwatch();
}

/** Samples come with every report, but are no change that is worth one. */
function withoutUsage(key: string, value: unknown): unknown {
  return key === "cpu" || key === "memoryBytes" ? undefined : value;
}

function complain(error: unknown): void {
  const words = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stderr.write(`${new Date().toISOString()} ${words}\n`);
}

await main();
