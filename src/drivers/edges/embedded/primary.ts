import { existsSync, readFileSync, rmSync, statSync } from "node:fs";
import { chmod, rm } from "node:fs/promises";
import type { Server } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { reasonOf, SlipwayError } from "../../../core/errors/error.ts";
import { readJsonFile, writeJsonFile } from "../../../lib/json-file.ts";
import type { CertificateStatus, EdgeConfig, RouteTable } from "../../../ports/edge.ts";
import type { CertificateKeeper } from "./acme/keeper.ts";
import { wantedCertificates, withAcmeFiles } from "./acme/wanted.ts";
import { checkTable, sameJson } from "./check-table.ts";
import { type Control, controlServer } from "./control-server.ts";
import { Fleet } from "./fleet.ts";
import { controlSocket } from "./launch.ts";
import { rotateAccessLog } from "./log-rotation.ts";

/**
 * The edge's first process: `primary.js <directory> <workers>`. Carries no traffic; it owns the ports, keeps the workers,
 * remembers config and route table in `edge.json`, and takes orders on a socket that only its user may open.
 */
type Kept = { readonly config: EdgeConfig | null; readonly table: RouteTable | null };

const [directory = ".", workersText = "2"] = process.argv.slice(2);
const file = join(directory, "edge.json");
const socketFile = controlSocket(directory);
/** After a kill the old workers need a moment to let go of the ports. Orders are taken after that, listening or not. */
const restoreWithinMs = 4000;
const restorePauseMs = 250;
const restoreAgainMs = 2000;
const signalGraceMs = 10_000;
const ownerCheckMs = 1000;

process.umask(0o077);
// The one who gives orders makes the directory. Without it there is no edge to be: it was removed while this one started.
if (!existsSync(directory) || (await answers(socketFile))) process.exit(0);

let kept: Kept = (await readJsonFile<Kept>(file).catch(setAside)) ?? { config: null, table: null };
let inForce = kept.table;
let listening = false;
let keeper: CertificateKeeper | null = null;
let stopping: Promise<void> | null = null;
let turn: Promise<unknown> = Promise.resolve();
const fleet = new Fleet(Math.max(1, Number(workersText) || 2));

const control: Control = {
  status: () => ({
    pid: process.pid,
    workers: fleet.pids,
    serving: fleet.serving,
    generation: inForce?.generation ?? null,
    config: kept.config,
  }),
  start: (config, fresh) => inTurn(() => start(config, fresh)),
  apply: (table) => inTurn(() => apply(table)),
  current: () => inForce,
  hold: (service, until) => fleet.hold(service, until),
  drain: (revision, limits) => fleet.drain(revision, limits),
  certificates,
  sample: () => fleet.totals.sample(Date.now(), inForce?.generation ?? 0),
  stop,
};

// Restored first: whoever finds the socket finds the routes that were in force.
await inTurn(() => restore(restoreWithinMs));
let server = await takeOrders();
let { ino } = statSync(socketFile);
setInterval(() => void keepSocket(), ownerCheckMs);
setInterval(() => void inTurn(() => restore(0)), restoreAgainMs);
rotateAccessLog(fleet, () => kept.config);
for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => void stop(signalGraceMs).then(leave));

/** Changes of config and table happen one after the other. */
function inTurn<T>(change: () => Promise<T>): Promise<T> {
  const done = turn.then(change);
  turn = done.catch(() => undefined);
  return done;
}

async function restore(withinMs: number): Promise<void> {
  const until = performance.now() + withinMs;
  while (!listening && kept.config !== null && stopping === null) {
    try {
      if (kept.table !== null) await fleet.apply(kept.table);
      await fleet.configure(withAcmeFiles(kept.config, directory));
      listening = true;
      await keepCertificates(kept.config, { insist: false });
    } catch (error) {
      console.error("edge.not-restored", reasonOf(error));
      if (performance.now() > until) return;
      await sleep(restorePauseMs);
    }
  }
}

async function start(config: EdgeConfig, fresh: boolean): Promise<void> {
  refuseWhenStopping();
  if (!listening || !sameJson(config, kept.config)) {
    await fleet.configure(withAcmeFiles(config, directory));
    listening = true;
    await keep({ ...kept, config });
  } else await fleet.readCertificates();
  if (fresh) await fleet.refresh();
  await keepCertificates(config, { insist: fresh });
}

/** ACME is loaded when the first config asks for it: most edges never need it. */
async function keepCertificates(config: EdgeConfig, options: { readonly insist: boolean }): Promise<void> {
  const wanted = wantedCertificates(config, directory);
  if (keeper === null && wanted.length > 0) {
    const { CertificateKeeper } = await import("./acme/keeper.ts");
    keeper = new CertificateKeeper(directory, {
      challenge: (open) => fleet.challenge(open),
      renewed: () => fleet.readCertificates(),
    });
  }
  await keeper?.want(wanted, options);
}

async function certificates(): Promise<readonly CertificateStatus[]> {
  const served = await fleet.certificates();
  return served.map((one) => {
    const trouble = one.hosts.length === 1 ? keeper?.trouble(one.hosts[0] ?? "", one.notAfter === 0) : null;
    return { ...one, trouble: trouble ?? one.trouble };
  });
}

async function apply(table: RouteTable): Promise<void> {
  refuseWhenStopping();
  checkTable(table, inForce, kept.config);
  if (sameJson(table, inForce)) return;
  // Side by side: should this process end between the two, the call was not answered, and is repeated.
  await Promise.all([fleet.apply(table), keep({ ...kept, table })]);
  inForce = table;
  fleet.totals.forget(
    new Set(Object.values(table.services).flatMap((service) => service.targets.map((t) => t.revision))),
  );
}

async function keep(next: Kept): Promise<void> {
  kept = next;
  // Not forced to disk: after a loss of power the control plane says again what is in force.
  await writeJsonFile(file, kept, { durable: false });
}

function stop(graceMs: number): Promise<void> {
  stopping ??= Promise.all([fleet.stop(graceMs), keeper?.stop()]).then(() => {
    // After the answer to the one who asked.
    setTimeout(leave, 100);
  });
  return stopping;
}

function refuseWhenStopping(): void {
  if (stopping !== null) throw new SlipwayError("EDGE_UNREACHABLE", { message: "The edge is stopping" });
}

function leave(): void {
  if (ownSocket() === "ours") rmSync(socketFile, { force: true });
  process.exit(0);
}

async function takeOrders(): Promise<Server> {
  await rm(socketFile, { force: true });
  const taking = controlServer(control);
  await new Promise<void>((resolve, reject) => taking.once("error", reject).listen(socketFile, resolve));
  await chmod(socketFile, 0o600);
  return taking;
}

/** Another primary has taken the directory over, or it is gone: this one ends. Only the socket is gone: it is made again. */
async function keepSocket(): Promise<void> {
  const whose = ownSocket();
  if (whose === "ours" || stopping !== null) return;
  if (whose === "other" || !existsSync(directory)) return stop(0);
  server.close();
  server = await takeOrders();
  ino = statSync(socketFile).ino;
}

function ownSocket(): "ours" | "other" | "nobody" {
  try {
    return statSync(socketFile).ino === ino ? "ours" : "other";
  } catch {
    return "nobody";
  }
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

/** A state that cannot be read is kept for a person to look at; the edge begins empty and is told its routes again. */
async function setAside(error: unknown): Promise<null> {
  console.error("edge.state-unreadable", reasonOf(error));
  await writeJsonFile(`${file}.unreadable`, readFileSync(file, "utf8"));
  return null;
}
