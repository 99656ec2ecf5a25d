import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { openSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { caddyPart } from "../../../testing/caddy.ts";
import type { EdgeUnderTest } from "../../../testing/conformance/edge.ts";
import { caddyEdge } from "./index.ts";

type Role = "caddy" | "companion";

export type CaddyUnderTest = EdgeUnderTest & {
  readonly directory: string;
  /** The newest process of this role. */
  process(role: Role): ChildProcess;
  /** Starts it anew, as its supervisor would. */
  relaunch(role: Role): Promise<void>;
  /** What Caddy wrote to stderr. */
  log(): Promise<string>;
};

const endsWithinMs = 30_000;

/** A real Caddy in a directory of its own, ended with everything it started. */
export async function makeCaddyEdge(options: { readonly program?: string } = {}): Promise<CaddyUnderTest> {
  const directory = await mkdtemp(join(tmpdir(), "caddy-edge-"));
  const program = options.program ?? (await caddyPart("caddy"));
  const logFile = join(directory, "stderr.log");
  const commands = new Map<Role, readonly string[]>();
  const started: { role: Role; child: ChildProcess }[] = [];
  const launch = async (role: Role, command: readonly string[]): Promise<void> => {
    commands.set(role, command);
    const running = started.find(
      (each) => each.role === role && each.child.exitCode === null && each.child.signalCode === null,
    );
    if (running !== undefined) return;
    const [file = "", ...args] = command;
    const log = openSync(logFile, "a");
    const child = spawn(file, args, { stdio: ["ignore", log, log], env: { PATH: process.env.PATH, HOME: directory } });
    started.push({ role, child });
    await once(child, "spawn");
  };
  const again = () => caddyEdge({ directory: join(directory, "edge"), program, launch });
  const edge = again();
  return {
    edge,
    again,
    directory,
    process(role) {
      const child = started.findLast((each) => each.role === role)?.child;
      if (child === undefined) throw new Error(`no ${role} was started`);
      return child;
    },
    async relaunch(role) {
      await launch(role, commands.get(role) ?? []);
    },
    log: () => readFile(logFile, "utf8"),
    async dispose() {
      await edge.stop(0).catch(() => undefined);
      const stuck: string[] = [];
      for (const { role, child } of started) {
        if (child.exitCode !== null || child.signalCode !== null) continue;
        const killed = setTimeout(() => {
          stuck.push(role);
          child.kill("SIGKILL");
        }, endsWithinMs);
        await once(child, "exit");
        clearTimeout(killed);
      }
      await rm(directory, { recursive: true, force: true });
      if (stuck.length > 0) throw new Error(`processes of the edge outlived it: ${stuck.join(", ")}`);
    },
  };
}
