import { appendFileSync, existsSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { dirname } from "node:path";
import { FlagServer } from "../api/flag-server.ts";
import { HookServer } from "../api/hook-server.ts";
import { apiServer } from "../api/server.ts";
import { isSlipwayError, reasonOf, SlipwayError, type WireError } from "../core/errors/error.ts";
import { compiledFile } from "../lib/entry.ts";
import { writeJsonFile } from "../lib/json-file.ts";
import { loadConfig } from "./config/load.ts";
import { jsonLog } from "./log.ts";
import { prepareStateDirectory, type Running, readToken, stateDirectory } from "./state-directory.ts";
import { slipwayVersion } from "./version.ts";
import { type WireOptions, wire } from "./wire.ts";

/**
 * The control plane as a program: `control-plane.js <state directory> <product>`. It tells the command that started it when
 * it is ready, or why it could not start, and from then on depends on nobody. SIGTERM closes it; the product goes on.
 */
export type ReadyMessage = { readonly ready: Running } | { readonly failed: WireError };

/** The log is turned over at start when it is larger than this; one old one is kept. */
const maxLogBytes = 16 * 1024 ** 2;

async function main(): Promise<void> {
  const [root, product] = process.argv.slice(2);
  if (root === undefined || product === undefined)
    throw new SlipwayError("USAGE", { message: "control-plane needs a state directory and a product" });
  const at = stateDirectory(root);
  prepareStateDirectory(at);
  turnLogOver(at.log);
  const log = jsonLog((line) => appendFileSync(at.log, line, { mode: 0o600 }));
  // A bug in one unit of work must not take the others down with it; it is logged with its stack and found in `doctor`.
  process.on("unhandledRejection", (error) =>
    log.error("bug.unhandled", { reason: reasonOf(error), stack: error instanceof Error ? error.stack : null }),
  );
  const readConfig: WireOptions["readConfig"] = async (source) => (await loadConfig(source)).config;
  const version = slipwayVersion();
  const wired = await wire({ directory: root, product, version, log, readConfig, ...crashPoint() });
  const startedAt = Date.now();
  let stopping = false;
  let everythingStops: ReturnType<typeof wired.stopEverything> | null = null;
  /** Before anybody loses the connection: a command that follows something would else have the next one started. */
  const sayStopping = (): Promise<void> =>
    writeJsonFile(at.running, { ...running, stopping: true } satisfies Running).catch((error: unknown) =>
      log.warn("control-plane.stops-unsaid", { reason: reasonOf(error) }),
    );
  const stopEverything = (): ReturnType<typeof wired.stopEverything> => {
    log.info("control-plane.stopping", { everything: true });
    everythingStops ??= sayStopping().then(() => wired.stopEverything());
    return everythingStops;
  };
  const stop = async (): Promise<void> => {
    if (stopping) return;
    stopping = true;
    log.info("control-plane.stopping", { everything: false });
    try {
      await sayStopping();
      await everythingStops?.catch(() => {}); // told to who asked for it
      await hooks.close();
      await flags.close();
      await server.close();
      await wired.close();
      rmSync(at.running, { force: true });
      log.info("control-plane.stopped");
    } catch (error) {
      // Whoever waits for its end must not wait for ever; the next one takes up what is left.
      log.error("control-plane.stopped", { reason: reasonOf(error) });
    }
    process.exit(0);
  };
  const alertToken = readToken({ token: at.alertToken });
  const hooks = new HookServer(wired.world, product, { alertToken, agents: wired.agents });
  const flags = new FlagServer(wired.world, product);
  flags.start();
  const server = apiServer(wired.world, {
    token: readToken(at),
    alertToken,
    agents: wired.agents,
    dashboard: { directory: dirname(compiledFile(import.meta.url, "../dashboard/index.html")), product },
    version,
    startedAt,
    stopEverything,
    onCommand: () => wired.hurry(),
    onTriggers: () => hooks.sync(),
    onStop: () => void stop(),
  });
  // A port that is taken must not keep the control plane from being asked about it.
  await hooks.sync().catch((error: unknown) => log.error("hooks.not-listening", { reason: reasonOf(error) }));
  await server.listen({ host: "127.0.0.1", port: 0 });
  const running: Running = { pid: process.pid, port: (server.server.address() as AddressInfo).port, version, product };
  writeFileSync(at.product, product, { mode: 0o600 });
  await writeJsonFile(at.running, running);
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => void stop());
  log.info("control-plane.ready", { ...running });
  tell({ ready: running });
}

/**
 * For the crash tests of deployments and of scaling: ends this process, as SIGKILL would, at the n-th boundary between record and
 * perform of the first of them that began after n was written to the file, and of what began after it; 0 is never. What began
 * earlier and was left to be finished does not count. `each <pattern>` is every verb of every workflow whose id fits, each once, and
 * `each point of <pattern>` before it, in it and after it: which they were is in a file beside it.
 */
function crashPoint(): Pick<WireOptions, "onBoundary"> {
  const file = process.env.SLIPWAY_TEST_CRASH_FILE;
  if (file === undefined) return {};
  let at = 0;
  let seen = 0;
  const begun = new Set<string>();
  const begin = (workflow: string): void => {
    const wanted = Number(readFileSync(file, "utf8"));
    if (wanted !== at && (wanted === 0 || /^(dep|scl)_/.test(workflow))) {
      begun.clear();
      at = wanted;
      seen = 0;
    }
    if (wanted === at) begun.add(workflow);
  };
  const passed = new Set(existsSync(`${file}.passed`) ? readFileSync(`${file}.passed`, "utf8").split("\n") : []);
  const dieOnce = (boundary: string): void => {
    if (passed.has(boundary)) return;
    appendFileSync(`${file}.passed`, `${boundary}\n`);
    process.kill(process.pid, "SIGKILL");
  };
  return {
    onBoundary: ({ workflowId, seq, at: point }) => {
      const [, points, pattern] = /^each (point of )?(.+)/.exec(readFileSync(file, "utf8")) ?? [];
      if (pattern !== undefined) {
        const verb = `${workflowId} ${seq}`;
        return new RegExp(pattern).test(workflowId) ? dieOnce(points ? `${verb} ${point}` : verb) : undefined;
      }
      if (seq === 0) begin(workflowId);
      if (!begun.has(workflowId)) return;
      seen += 1;
      if (seen === at) process.kill(process.pid, "SIGKILL");
    },
  };
}

function turnLogOver(file: string): void {
  try {
    if (statSync(file).size > maxLogBytes) renameSync(file, `${file}.1`);
  } catch {
    // There is none yet.
  }
}

function tell(message: ReadyMessage): void {
  process.send?.(message, undefined, undefined, () => process.disconnect?.());
}

main().catch((error: unknown) => {
  const known = isSlipwayError(error)
    ? error
    : new SlipwayError("INTERNAL", { message: reasonOf(error), cause: error });
  if (error instanceof Error && !isSlipwayError(error)) process.stderr.write(`${error.stack}\n`);
  if (process.send === undefined) process.stderr.write(`${known.code} ${known.message}\n`);
  process.exitCode = 1;
  if (process.send === undefined) return process.exit(1);
  process.send({ failed: known.toJSON() } satisfies ReadyMessage, undefined, undefined, () => process.exit(1));
});
