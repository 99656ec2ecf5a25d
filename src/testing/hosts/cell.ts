import type { ChildProcess, StdioOptions } from "node:child_process";
import { readFile } from "node:fs/promises";
import { setTimeout as wait } from "node:timers/promises";
import type { ControlGroup } from "./control-groups.ts";
import { run, spawnTied } from "./parts.ts";

/** Namespaces with a first process of their own. Killing that one ends everything inside, mounts and links included. */
export type Cell = {
  /** Of its first process, as seen from outside. */
  readonly pid: number;
  /** Starts a program inside, in the cell's control group. It ends with the cell. */
  start(command: readonly string[], options: CellSpawn): ChildProcess;
  /** Runs a program inside to its end; gives its standard output. */
  run(command: readonly string[], options?: { readonly input?: string }): Promise<string>;
  /** Kills everything inside and waits until it is gone. Safe to repeat. */
  kill(): Promise<void>;
};

export type CellSpawn = { readonly env?: NodeJS.ProcessEnv; readonly stdio: StdioOptions };

/** Puts the shell itself into each of the first `$1` control groups, then becomes the rest of its arguments. */
const intoGroups = `n=$1; shift; while [ "$n" -gt 0 ]; do echo 0 > "$1/cgroup.procs"; shift; n=$((n - 1)); done; exec "$@"`;

/**
 * Makes namespaces (mount, process, name, IPC, and network when `network` is `own`) and runs `setUp`, a shell text that sees
 * `args` as `$1` and on, as their first process; it goes on as an init that reaps.
 */
export async function openCell(options: {
  readonly group: ControlGroup;
  readonly network: "own" | "shared";
  readonly setUp: string;
  readonly args: readonly string[];
}): Promise<Cell> {
  const { entrances } = options.group;
  const grouped = ["sh", "-euc", intoGroups, "sh", String(entrances.length), ...entrances];
  const namespaces = ["--mount", "--pid", "--uts", "--ipc", ...(options.network === "own" ? ["--net"] : [])];
  const init = `${options.setUp}\necho ready\nexec 1>&-\nexec tini -s -- sleep infinity`;
  const child = spawnTied(
    [...grouped, "unshare", ...namespaces, "--fork", "--kill-child=KILL", "sh", "-euc", init, "sh", ...options.args],
    { stdio: ["ignore", "pipe", "pipe"] },
  );
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  await readiness(child);
  const pid = await onlyChild(child.pid ?? 0);
  const inside = ["nsenter", "--target", String(pid), "--mount", "--pid", "--uts", "--ipc", "--net", "--"];
  return {
    pid,
    start: (command, { env, stdio }) =>
      spawnTied([...grouped, ...inside, ...command], { stdio, ...(env === undefined ? {} : { env }) }),
    run: (command, { input } = {}) => run([...grouped, ...inside, ...command], input === undefined ? {} : { input }),
    kill: async () => {
      child.kill("SIGKILL");
      await ended;
      await gone(pid);
    },
  };
}

/** Resolves when the first process says that the cell is set up; rejects with its last words when it ends before. */
function readiness(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let words = "";
    child.stderr?.on("data", (chunk: Buffer) => {
      words = (words + chunk.toString()).slice(-2_000);
    });
    child.stdout?.on("data", (chunk: Buffer) => {
      if (chunk.toString().includes("ready")) resolve();
    });
    child.once("error", reject);
    child.once("close", (code) =>
      reject(new Error(`the namespaces could not be made (exit ${code}): ${words.trim()}`)),
    );
  });
}

/** The process that a wrapper such as `unshare` or `nsenter` has started. */
export async function onlyChild(pid: number): Promise<number> {
  const children = (await readFile(`/proc/${pid}/task/${pid}/children`, "utf8")).trim().split(" ");
  const found = Number(children[0]);
  if (!Number.isInteger(found) || found === 0) throw new Error(`process ${pid} has no child`);
  return found;
}

/** A namespace's first process is gone only when everything in it is: the kernel waits for that. */
async function gone(pid: number): Promise<void> {
  for (let left = 1_000; left > 0; left--) {
    const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => null);
    if (stat === null || stat.slice(stat.lastIndexOf(")") + 2).startsWith("Z")) return;
    // It is not our child, so there is nothing to await.
    await wait(10);
  }
  throw new Error(`process ${pid} could not be killed`);
}
