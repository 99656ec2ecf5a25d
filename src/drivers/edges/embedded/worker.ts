import type { EdgeConfig } from "../../../ports/edge.ts";
import { Workshop } from "./compile.ts";
import { Holds } from "./holds.ts";
import { farewellMs, Listener } from "./listener.ts";
import type { FromWorker, ListenProblem, ToWorker } from "./messages.ts";
import { Traffic } from "./traffic.ts";

/**
 * One of the processes that carry traffic. It is told everything by the primary, in order, and answers each call; it ends
 * with the primary (node:cluster exits a worker whose channel closes), because a port must have one owner.
 */
const countsEveryMs = 100;
const retireCheckMs = 100;

const send = (message: FromWorker): void => {
  if (process.connected) process.send?.(message);
};

type Worker = {
  readonly traffic: Traffic;
  readonly workshop: Workshop;
  listeners: Listener[];
  connectionsElsewhere: number;
  /** By which TLS sessions go on at another worker than they began. */
  ticketKey: Buffer;
};

let worker: Worker | null = null;
let lastCounts = "";

// A connection broken at an unlucky moment is a failed request, not the end of all others.
process.on("uncaughtException", (error) => console.error("edge.fault", error));
process.on("unhandledRejection", (error) => console.error("edge.fault", error));
// The primary decides when workers end; a signal to the whole group (Ctrl-C) must not stop them under its feet.
process.on("SIGINT", () => undefined).on("SIGTERM", () => undefined);
process.on("message", (message: ToWorker) => void hear(message));
setInterval(tellCounts, countsEveryMs);
send({ is: "up" });

async function hear(message: ToWorker): Promise<void> {
  if (message.is === "boot") return boot(message);
  if (worker === null) return;
  const { traffic, workshop } = worker;
  switch (message.is) {
    case "config": {
      const problem = await configure(worker, message.config);
      return send({ is: "done", call: message.call, ...(problem === null ? {} : { problem }) });
    }
    case "table":
      traffic.table = workshop.compile(message.table);
      traffic.sleepers.wake(traffic.table);
      return send({ is: "done", call: message.call });
    case "hold":
      traffic.holds.start(message.hold, Date.now());
      return send({ is: "done", call: message.call });
    case "release":
      traffic.holds.release(message.service);
      return send({ is: "done", call: message.call });
    case "drain": {
      const revision = workshop.revision(message.revision);
      revision.cutStreams(message.streamLimitMs);
      return send({ is: "done", call: message.call, inflight: await revision.idle(message.timeoutMs) });
    }
    case "challenges":
      traffic.challenges = message.open.length === 0 ? null : new Map(message.open);
      return send({ is: "done", call: message.call });
    case "read-certificates":
      await Promise.all(worker.listeners.map((listener) => listener.readCertificates()));
      return send({ is: "done", call: message.call });
    case "certificates": {
      const certificates = worker.listeners.flatMap((listener) => listener.certificates());
      return send({ is: "done", call: message.call, certificates });
    }
    case "ticket-key":
      worker.ticketKey = Buffer.from(message.key, "base64");
      for (const listener of worker.listeners) listener.useTicketKey(worker.ticketKey);
      return;
    case "hold-full":
      return traffic.holds.refuseNewest(message.hold, message.refused);
    case "connections":
      worker.connectionsElsewhere = message.elsewhere;
      return;
    case "rates":
      return workshop.hearRates(message.told, Date.now());
    case "reopen-log":
      return traffic.log?.reopen();
    case "retire":
      return retire(worker, message.limitMs);
  }
}

async function boot({ config, table, holds, challenges, ticketKey }: Extract<ToWorker, { is: "boot" }>): Promise<void> {
  const traffic = new Traffic(config, new Holds((hold, change) => send({ is: "waiting", hold, change })));
  const workshop = new Workshop(config.limits);
  // The table comes before the first listener: no request is ever answered by a worker that knows nothing.
  if (table !== null) traffic.table = workshop.compile(table);
  for (const hold of holds) traffic.holds.start(hold, Date.now());
  if (challenges.length > 0) traffic.challenges = new Map(challenges);
  worker = { traffic, workshop, listeners: [], connectionsElsewhere: 0, ticketKey: Buffer.from(ticketKey, "base64") };
  const problem = await openListeners(worker, config);
  send(problem === null ? { is: "listening" } : { is: "not-listening", problem });
}

/** Opens what is new first; when that fails nothing has changed. */
async function configure(to: Worker, config: EdgeConfig): Promise<ListenProblem | null> {
  // The same port cannot be listened on twice: one that changes between plain and TLS is let go first.
  for (const other of to.listeners.filter((listener) => changesSide(listener.address, config))) sayFarewell(other);
  to.listeners = to.listeners.filter((listener) => !changesSide(listener.address, config));
  // One that is leaving hears of new limits and opens nothing.
  const problem = to.traffic.leaving ? null : await openListeners(to, config);
  if (problem !== null) return problem;
  const kept = to.listeners.filter((listener) => config.listeners.some((wanted) => same(wanted, listener.address)));
  for (const gone of to.listeners.filter((listener) => !kept.includes(listener))) sayFarewell(gone);
  to.listeners = kept;
  to.traffic.configure(config);
  to.workshop.limit(config.limits);
  for (const listener of kept) {
    listener.limit(config.limits);
    const now = config.listeners.find((wanted) => same(wanted, listener.address));
    if (now !== undefined) await listener.change(now);
  }
  return null;
}

async function openListeners(to: Worker, config: EdgeConfig): Promise<ListenProblem | null> {
  const opened: Listener[] = [];
  for (const address of config.listeners) {
    if (to.listeners.some((listener) => same(listener.address, address))) continue;
    const mayConnect = (): boolean => {
      const here = to.listeners.reduce((sum, one) => sum + one.connections, 0);
      return here + to.connectionsElsewhere < to.traffic.limits.maxConnections;
    };
    const listener = new Listener(address, to.traffic, { mayConnect, ticketKey: to.ticketKey });
    try {
      await listener.open();
      opened.push(listener);
    } catch (error) {
      for (const done of opened) done.stopListening();
      const code = (error as NodeJS.ErrnoException).code ?? "UNKNOWN";
      return { address: `${address.host}:${address.port}`, code };
    }
  }
  to.listeners = [...to.listeners, ...opened];
  return null;
}

function same(left: EdgeConfig["listeners"][number], right: EdgeConfig["listeners"][number]): boolean {
  return isSamePlace(left, right) && (left.tls === null) === (right.tls === null);
}

function changesSide(address: EdgeConfig["listeners"][number], { listeners }: EdgeConfig): boolean {
  return listeners.some((wanted) => isSamePlace(wanted, address) && !same(wanted, address));
}

function isSamePlace(left: EdgeConfig["listeners"][number], right: EdgeConfig["listeners"][number]): boolean {
  return left.name === right.name && left.host === right.host && left.port === right.port;
}

function sayFarewell(listener: Listener): void {
  listener.stopListening();
  const closing = setInterval(() => {
    listener.closeIdle();
    if (listener.connections === 0) clearInterval(closing);
  }, farewellMs);
}

/** No new connections; `Connection: close` for a while; then idle connections go, then the rest as it ends, then this process. */
function retire(from: Worker, limitMs: number): void {
  from.traffic.leaving = true;
  for (const listener of from.listeners) listener.stopListening();
  const began = performance.now();
  const check = setInterval(() => {
    const forMs = performance.now() - began;
    if (forMs > Math.min(farewellMs, limitMs)) for (const listener of from.listeners) listener.closeIdle();
    const open = from.listeners.reduce((sum, listener) => sum + listener.connections, 0);
    if (open > 0 && forMs < limitMs) return;
    clearInterval(check);
    void end(from);
  }, retireCheckMs);
}

async function end(from: Worker): Promise<void> {
  await from.traffic.log?.flush();
  tellCounts();
  // The last message must be out before the channel goes.
  if (process.connected) process.send?.({ is: "up" }, () => process.exit(0));
  else process.exit(0);
}

function tellCounts(): void {
  if (worker === null) return;
  const { traffic, workshop, listeners } = worker;
  const told = workshop.tellRates();
  if (told !== null) send({ is: "rates", told });
  const counts = {
    revisions: workshop.counts(),
    unrouted: traffic.unrouted,
    connections: listeners.reduce((sum, listener) => sum + listener.connections, 0),
    logBytes: traffic.log?.writtenBytes ?? 0,
    asked: traffic.sleepers.asked,
  };
  const text = JSON.stringify(counts);
  if (text === lastCounts) return;
  lastCounts = text;
  send({ is: "counts", counts });
}
