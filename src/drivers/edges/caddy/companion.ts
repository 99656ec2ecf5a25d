import { randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";
import { chmodSync, rmSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { readJsonFile, writeJsonFile } from "../../../lib/json-file.ts";
import type { EdgeSample, RouteTable } from "../../../ports/edge.ts";
import { requestsUnderWay } from "./admin.ts";
import type { CompanionStatus, HoldOrder } from "./companion-client.ts";
import { LogCounts } from "./counts.ts";
import { Gate } from "./holds.ts";
import { pathsIn } from "./paths.ts";

/**
 * The process beside Caddy: it reads Caddy's log, so that counts outlive the control plane, and holds requests back. Caddy
 * serves on without it; what it logs meanwhile is not counted. Run twice, the second one ends at once.
 */
const maxBodyBytes = 32_000_000;
const sampleEveryMs = 100;
/** Asking Caddy what is under way takes longer the more services it has; no more than a twentieth of the time goes there. */
const shortestPollMs = 200;
const pollShare = 20;
/** Datagrams wait here while the process is busy: about 400 of them at the kernel's usual limit. */
const receiveBufferBytes = 4 * 1024 ** 2;

const [directory = ""] = process.argv.slice(2);
const paths = pathsIn(directory);
const counts = new LogCounts();
const gate = new Gate();
let underWay: ReadonlyMap<string | null, number> = new Map();

if (await isTaken(paths.companionSocket)) process.exit(0);
const table = await readTable();
if (table !== null) counts.routed(table);
const { port, token } = await listenForLogs();
await serve();
void watchUnderWay();

/** The port and the token stay the same over restarts: Caddy has them in its config. */
async function listenForLogs(): Promise<{ port: number; token: string }> {
  const file = join(directory, "companion.json");
  const before = await readJsonFile<{ port: number; token: string }>(file).catch(() => null);
  const said = before?.token ?? randomBytes(16).toString("hex");
  const bound = (await bindLogs(before?.port ?? 0, said)) ?? (await bindLogs(0, said));
  if (bound === null) throw new Error("no UDP port of 127.0.0.1 can be had");
  await writeJsonFile(file, { port: bound, token: said });
  return { port: bound, token: said };
}

/** Null when the port is taken. */
async function bindLogs(wanted: number, said: string): Promise<number | null> {
  const socket = createSocket("udp4");
  const mark = `"token":"${said}"`;
  // Any user of the machine may send to the port; only Caddy knows the token.
  socket.on("message", (bytes) => {
    const text = bytes.toString("utf8");
    if (text.includes(mark)) counts.line(text);
  });
  return new Promise((resolve) => {
    socket.once("error", () => {
      socket.close();
      resolve(null);
    });
    socket.bind(wanted, "127.0.0.1", () => {
      socket.removeAllListeners("error").on("error", () => undefined);
      socket.setRecvBufferSize(receiveBufferBytes);
      resolve(socket.address().port);
    });
  });
}

async function serve(): Promise<void> {
  rmSync(paths.companionSocket, { force: true });
  const server = createServer((req, res) => {
    answer(req, res).catch(() => res.destroy());
  });
  // A held request waits for as long as its hold says.
  server.requestTimeout = 0;
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(paths.companionSocket, resolve));
  chmodSync(paths.companionSocket, 0o600);
}

async function answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
  const url = req.url ?? "/";
  if (url.startsWith("/gate/")) return askGate(url.slice("/gate/".length), res);
  switch (`${req.method} ${url}`) {
    case "GET /status":
      return reply(res, await status());
    case "GET /samples":
      return streamSamples(res);
    case "POST /table":
      counts.routed((await bodyOf(req)) as RouteTable);
      return reply(res, await status());
    case "POST /hold": {
      const { folder, until } = (await bodyOf(req)) as HoldOrder;
      if (until === null) gate.release(folder);
      else gate.hold(folder, until);
      return reply(res, null);
    }
    case "POST /exit":
      res.once("close", () => process.exit(0));
      return reply(res, null);
    default:
      res.writeHead(404).end();
  }
}

function askGate(folder: string, res: ServerResponse): void {
  const leave = gate.ask(folder, (how) => {
    res.writeHead(how === "go" ? 204 : how === "full" ? 429 : 410).end();
  });
  res.on("close", leave);
}

async function status(): Promise<CompanionStatus> {
  return { pid: process.pid, port, token, held: gate.held, troubles: counts.troubles, lostLines: await lostLines() };
}

/** What the kernel threw away because we were too slow; null where it does not say (only Linux does). */
async function lostLines(): Promise<number | null> {
  const rows = await readFile("/proc/net/udp", "utf8").catch(() => "");
  const local = `0100007F:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const row = rows.split("\n").find((line) => line.includes(` ${local} `));
  const drops = Number(row?.trim().split(/\s+/).at(-1));
  return Number.isFinite(drops) ? drops : null;
}

/** A line a sample. A reader that does not read misses samples and slows nothing: only the newest is ever of use. */
function streamSamples(res: ServerResponse): void {
  res.writeHead(200, { "Content-Type": "application/x-ndjson" });
  const write = (): void => {
    if (!res.writableNeedDrain) res.write(`${JSON.stringify(sample())}\n`);
  };
  write();
  const timer = setInterval(write, sampleEveryMs);
  res.on("close", () => clearInterval(timer));
}

function sample(): EdgeSample {
  return counts.sample(Date.now(), underWay);
}

async function watchUnderWay(): Promise<void> {
  const began = performance.now();
  underWay = await requestsUnderWay(paths.adminSocket).catch(() => new Map<string | null, number>());
  setTimeout(() => void watchUnderWay(), Math.max(shortestPollMs, pollShare * (performance.now() - began)));
}

async function readTable(): Promise<RouteTable | null> {
  return readJsonFile<RouteTable>(`${paths.current}/table`).catch(() => null);
}

function reply(res: ServerResponse, value: unknown): void {
  res.writeHead(200, { "Content-Type": "application/json", Connection: "close" }).end(JSON.stringify(value));
}

async function bodyOf(req: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of req as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBodyBytes) throw new Error("the call is too large");
    chunks.push(chunk);
  }
  return JSON.parse(Buffer.concat(chunks).toString("utf8"));
}

function isTaken(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(socket);
    probe.once("connect", () => {
      probe.destroy();
      resolve(true);
    });
    probe.once("error", () => resolve(false));
  });
}
