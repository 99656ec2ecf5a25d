import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { EdgeUnderTest } from "../../../testing/conformance/edge.ts";
import { call } from "./control-client.ts";
import { embeddedEdge } from "./index.ts";
import { controlSocket } from "./launch.ts";

export type EdgeStatus = { readonly pid: number; readonly workers: readonly number[]; readonly serving: number };

export type EmbeddedUnderTest = EdgeUnderTest & {
  readonly directory: string;
  status(): Promise<EdgeStatus>;
  /** Starts the primary anew, as its supervisor would. */
  relaunch(): Promise<void>;
};

/** An embedded edge in a directory of its own, ended with everything it started. */
export async function makeEmbeddedEdge(options: { readonly workers?: number } = {}): Promise<EmbeddedUnderTest> {
  const directory = await mkdtemp(join(tmpdir(), "edge-test-"));
  const pids = new Set<number>();
  const primaries: ChildProcess[] = [];
  let command: readonly string[] = [];
  const launch = async ([program = "", ...args]: readonly string[]): Promise<void> => {
    const child = spawn(program, args, { detached: true, stdio: "ignore" });
    primaries.push(child);
    await once(child, "spawn");
  };
  const again = () =>
    embeddedEdge({
      directory,
      ...options,
      launch: (wanted) => {
        command = wanted;
        return launch(wanted);
      },
    });
  const edge = again();
  const status = async (): Promise<EdgeStatus> => {
    const seen = await call<EdgeStatus>(controlSocket(directory), "GET", "/status");
    for (const pid of [seen.pid, ...seen.workers]) pids.add(pid);
    return seen;
  };
  return {
    edge,
    again,
    directory,
    status,
    relaunch: () => launch(command),
    async dispose() {
      await status().catch(() => undefined);
      await edge.stop(0);
      await rm(directory, { recursive: true, force: true });
      // One that was launched in vain may still be finding out.
      await Promise.all(primaries.map((child) => child.exitCode ?? child.signalCode ?? once(child, "exit")));
      // Nothing may outlive its test; a process that does is ended here and reported.
      const left = [...pids].filter(isAlive);
      const deadline = performance.now() + 3000;
      while (left.some(isAlive) && performance.now() < deadline) await new Promise((resolve) => setImmediate(resolve));
      const stuck = left.filter(isAlive);
      for (const pid of stuck) process.kill(pid, "SIGKILL");
      if (stuck.length > 0) throw new Error(`processes of the edge outlived it: ${stuck.join(", ")}`);
    },
  };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
