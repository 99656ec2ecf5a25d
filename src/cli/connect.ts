import { spawn } from "node:child_process";
import { closeSync, existsSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { Client } from "../api/client.ts";
import { type Evidence, fromWire, isSlipwayError, SlipwayError } from "../core/errors/error.ts";
import { formatDuration } from "../core/product/units.ts";
import { entryFile } from "../lib/entry.ts";
import { isAlive } from "../lib/supervisor/procfs.ts";
import { configIn, findConfig } from "./config/find.ts";
import type { ReadyMessage } from "./control-plane.ts";
import {
  mayBeRead,
  openLog,
  prepareStateDirectory,
  type Running,
  readRunning,
  readToken,
  type StateDirectory,
  stateDirectory,
  stateDirectoryName,
} from "./state-directory.ts";

export type Connection = {
  readonly client: Client;
  readonly product: string;
  readonly at: StateDirectory;
  readonly started: boolean;
};

export type ConnectOptions = {
  readonly stateDir?: string | undefined;
  /** Start a control plane when none runs, or only where the last one was killed and not told to stop. Default true. */
  readonly start?: boolean | "when-killed";
  /** How long one that runs may take for its first word. Default 30 s: on a machine that has no time for it. */
  readonly patienceMs?: number;
};

/** How long a control plane may take to be ready: opening, upgrading and resuming a large state included. */
const readyMs = 60_000;
const answerMs = 30_000;
const otherLookMs = 50;
const shownLines = 8;

/** Finds the control plane of this product, starting it when it does not run. Errors: CONFIG_NOT_FOUND, STATE_UNUSABLE, TIMED_OUT, UNAUTHORIZED, CONTROL_PLANE_*. */
export async function connect(options: ConnectOptions): Promise<Connection> {
  const at = whereIsState(options.stateDir);
  const { patienceMs = answerMs, start = true } = options;
  const found = await findRunning(at, patienceMs);
  if (found !== null) return found;
  const last = readRunning(at);
  const wasKilled = last !== null && last.stopping !== true;
  if (start === false || (start === "when-killed" && !wasKilled)) {
    throw new SlipwayError("CONTROL_PLANE_DOWN", {
      message: `no control plane runs for ${at.root}`,
      ...(existsSync(at.product)
        ? {}
        : { hint: "nothing has been deployed from here yet; run: slipway deploy --env <environment>" }),
    });
  }
  try {
    const fresh = await startControlPlane(at);
    return {
      client: new Client({ port: fresh.port, token: readToken(at) }),
      product: fresh.product,
      at,
      started: true,
    };
  } catch (error) {
    // Another command was a moment faster: the one it has started will be ready soon.
    if (!isSlipwayError(error) || error.code !== "STORE_LOCKED") throw error;
    return otherStarted(at, error, patienceMs);
  }
}

async function otherStarted(at: StateDirectory, error: SlipwayError, patienceMs: number): Promise<Connection> {
  for (const until = Date.now() + readyMs; Date.now() < until; ) {
    const found = await findRunning(at, patienceMs);
    if (found !== null) return found;
    await new Promise((resolve) => setTimeout(resolve, otherLookMs));
  }
  throw error;
}

async function findRunning(at: StateDirectory, patienceMs: number): Promise<Connection | null> {
  const running = readRunning(at);
  if (running === null) return null;
  // Without its token it still says that it lives. One started beside it would make a new token, which locks everybody out of it.
  const hasToken = existsSync(at.token);
  const client = new Client({ port: running.port, token: hasToken ? readToken(at) : "" });
  const isThere = await answers(client, running, at, patienceMs);
  if (isThere && hasToken) return { client, product: running.product, at, started: false };
  client.close();
  if (isThere) throw lockedOut(at, "its token is gone");
  return null;
}

/** The control plane lives and does not know the token that is here, if any: the same for whoever asks, until it is started anew. */
export function lockedOut(at: StateDirectory, why: string): SlipwayError {
  const pid = readRunning(at)?.pid;
  return new SlipwayError("UNAUTHORIZED", {
    message: `the control plane (pid ${pid ?? "unknown"}) runs, and ${why}`,
    evidence: [["token", at.token]],
    hint: `put the file back as it was; or run: kill ${pid ?? "<pid>"}, and then: slipway up. What is deployed goes on meanwhile`,
  });
}

/** `--state-dir`, else SLIPWAY_STATE_DIR, else `.slipway` beside the config. Errors: CONFIG_NOT_FOUND, STATE_UNUSABLE. */
export function whereIsState(stateDir: string | undefined): StateDirectory {
  const given = stateDir ?? process.env.SLIPWAY_STATE_DIR;
  const isGiven = given !== undefined && given !== "";
  const at = stateDirectory(isGiven ? resolve(given) : join(dirname(findConfig(process.cwd())), stateDirectoryName));
  mayBeRead(at);
  return at;
}

/** Errors: TIMED_OUT when it lives and says nothing: another one cannot be started beside it. */
async function answers(client: Client, running: Running, at: StateDirectory, patienceMs: number): Promise<boolean> {
  try {
    const alive = await client.get<{ pid: number }>("/v1/alive", AbortSignal.timeout(patienceMs));
    return alive.pid === running.pid;
  } catch (error) {
    if (isSlipwayError(error) || !isAlive(running.pid, null)) return false;
    throw new SlipwayError("TIMED_OUT", {
      message: `the control plane (pid ${running.pid}) runs and has not answered within ${formatDuration(patienceMs)}`,
      evidence: [["log", at.log]],
      hint: `if it hangs, end it: kill -9 ${running.pid}; then run: slipway up. What is deployed goes on meanwhile`,
      cause: error,
    });
  }
}

/**
 * It is idle nearly all the time on machines that have other things to do with their memory. A young generation of 1 MB and one
 * arena of the C library instead of eight: 104 MB where it was 138, with three services as processes (2026-11-26). Its old generation is
 * tidied at 40 MB, and then whenever it has grown by a fifth, not first at 80 and then when it has doubled or more: 37 MB of it live
 * with twenty services on three hosts, and the rest was garbage, up to 145 MB of it. What streams through is told of by
 * lib/stream-garbage.ts, which needs the collector's name.
 */
const thrift = {
  flags: ["--max-semi-space-size=1", "--initial-old-space-size=40", "--heap-growing-percent=20", "--expose-gc"],
  env: { MALLOC_ARENA_MAX: "1" },
} as const;

async function startControlPlane(at: StateDirectory): Promise<Running> {
  const product = await productName(at);
  prepareStateDirectory(at);
  const log = openLog(at);
  const program = entryFile(import.meta.url, "./control-plane.ts");
  const child = spawn(process.execPath, [...thrift.flags, program, at.root, product], {
    cwd: at.root,
    env: { ...process.env, ...thrift.env },
    detached: true,
    stdio: ["ignore", log, log, "ipc"],
  });
  try {
    return await new Promise<Running>((settle, reject) => {
      const tooLong = (): void => {
        const hint = `it still starts, as pid ${child.pid}: run the command again in a while; or end it: kill ${child.pid}`;
        reject(didNotStart(at, `it was not ready within ${readyMs / 1000} s`, hint));
      };
      const timer = setTimeout(tooLong, readyMs);
      child.once("message", (message: ReadyMessage) => {
        clearTimeout(timer);
        if ("ready" in message) settle(message.ready);
        else reject(fromWire(message.failed));
      });
      child.once("exit", (code, signal) => {
        clearTimeout(timer);
        // Its last word may still be on its way.
        setImmediate(() =>
          reject(didNotStart(at, signal === null ? `it ended with exit code ${code}` : `it was killed by ${signal}`)),
        );
      });
      child.once("error", (error) => reject(didNotStart(at, error.message)));
    });
  } finally {
    closeSync(log);
    if (child.connected) child.disconnect();
    child.unref();
  }
}

async function productName(at: StateDirectory): Promise<string> {
  if (existsSync(at.product)) return readFileSync(at.product, "utf8").trim();
  // Loaded only here: a command that finds a control plane running does not read the config.
  const { loadConfig } = await import("./config/load.ts");
  const beside = dirname(at.root);
  const directory = existsSync(beside) && configIn(beside) !== null ? beside : dirname(findConfig(process.cwd()));
  return (await loadConfig({ directory })).config.name;
}

function didNotStart(at: StateDirectory, why: string, hint?: string): SlipwayError {
  const lines = readFileSync(at.log, "utf8").trimEnd().split("\n").slice(-shownLines);
  return new SlipwayError("CONTROL_PLANE_START", {
    message: `the control plane did not start: ${why}`,
    evidence: [["log", at.log], ...lines.map((line): Evidence => ["", line])],
    ...(hint === undefined ? {} : { hint }),
  });
}
