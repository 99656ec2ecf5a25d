import type { ChildProcess } from "node:child_process";
import { createWriteStream } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { type Cell, onlyChild } from "./cell.ts";
import { newestEngine } from "./newest-engine.ts";
import { searchPath } from "./parts.ts";

/** `20.10` is what Debian 12 installs; `newest` is unpacked beside it. */
export type EngineVersion = "20.10" | "newest";

export type DaemonOptions = {
  readonly version: EngineVersion;
  /** Images in containerd's store instead of the engine's own (newest only). */
  readonly containerdStore?: boolean;
  /** Containers go on while the engine is away. */
  readonly liveRestore?: boolean;
  /** More of `daemon.json`. */
  readonly daemon?: Readonly<Record<string, unknown>>;
};

/** One dockerd in a cell. */
export type Daemon = {
  /** Ends it, gracefully or as a crash does, and starts it again; resolves when it answers. */
  restart(how: "stop" | "kill"): Promise<void>;
  stop(how: "stop" | "kill"): Promise<void>;
  start(): Promise<void>;
};

const startMs = 120_000;

export function makeDaemon(options: {
  /** The cell as it is now: a machine that was switched off and on has another. */
  readonly cell: () => Cell;
  readonly directory: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly engine: DaemonOptions;
}): Daemon {
  const { directory, engine } = options;
  const configFile = join(directory, "daemon.json");
  const config = {
    "cgroup-parent": "",
    "exec-opts": ["native.cgroupdriver=cgroupfs"],
    "insecure-registries": ["10.128.0.0/9", "127.0.0.0/8"],
    "live-restore": engine.liveRestore ?? false,
    // A crash of the fixture's machine loses nothing that matters: no test looks at what a power loss leaves of an image.
    ...(engine.version === "newest" ? { features: { "containerd-snapshotter": engine.containerdStore ?? false } } : {}),
    ...options.config,
    ...engine.daemon,
  };
  let child: ChildProcess | null = null;
  const start = async (): Promise<void> => {
    const unpacked = engine.version === "newest" ? await newestEngine() : null;
    await writeFile(configFile, JSON.stringify(config));
    // Left by one that was killed; its number may belong to another process by now.
    await rm(join(directory, "run", "docker.pid"), { force: true });
    const path = [...(unpacked?.path ?? []), searchPath].join(delimiter);
    const started = options.cell().start(["env", `PATH=${path}`, "dockerd", "--config-file", "/run/daemon.json"], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    child = started;
    await listening(started, join(directory, "dockerd.log"));
  };
  const stop = async (how: "stop" | "kill"): Promise<void> => {
    const running = child;
    if (running === null || running.exitCode !== null || running.signalCode !== null) return;
    const closed = new Promise<void>((resolve) => running.once("close", () => resolve()));
    process.kill(await onlyChild(running.pid ?? 0), how === "stop" ? "SIGTERM" : "SIGKILL");
    await closed;
    child = null;
  };
  return {
    start,
    stop,
    restart: async (how) => {
      await stop(how);
      await start();
    },
  };
}

/** Resolves when dockerd says that it listens; rejects with its last words when it ends or takes too long. */
function listening(child: ChildProcess, logFile: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const log = createWriteStream(logFile, { flags: "a" });
    let words = "";
    const fail = (why: string): void =>
      reject(new Error(`dockerd ${why}; its log is ${logFile}\n${words.trim().split("\n").slice(-8).join("\n")}`));
    const timer = setTimeout(() => fail(`did not listen within ${startMs} ms`), startMs);
    child.stderr?.on("data", (chunk: Buffer) => {
      log.write(chunk);
      words = (words + chunk.toString()).slice(-8_000);
      if (!words.includes("API listen on")) return;
      clearTimeout(timer);
      resolve();
    });
    child.once("error", reject);
    child.once("close", (code) => {
      log.end();
      clearTimeout(timer);
      fail(`ended with exit code ${code}`);
    });
  });
}
