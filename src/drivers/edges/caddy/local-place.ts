import { execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { linkSync, mkdirSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { mkdir, open, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { reasonOf, SlipwayError } from "../../../core/errors/error.ts";
import { ackFolder, pathsIn } from "./paths.ts";
import type { FileStep, Place } from "./place.ts";

/** Starts a command as a process that outlives this one, and keeps it up; does nothing when it already runs. */
export type Launch = (role: "caddy" | "companion", command: readonly string[]) => Promise<void>;

/** Caddy on this machine, run by us. */
export function localPlace(options: {
  readonly directory: string;
  readonly program: string;
  readonly launch: Launch;
}): Place {
  const paths = pathsIn(options.directory);
  return {
    paths,
    filesEveryMs,

    async version() {
      try {
        return (await promisify(execFile)(options.program, ["version"], { timeout: versionLimitMs })).stdout.trim();
      } catch (error) {
        const message = `Caddy could not be run: ${reasonOf(error)}`;
        const hint = "install Caddy 2.8 or newer (https://caddyserver.com/docs/install), or use the embedded edge";
        throw new SlipwayError("EDGE_UNREACHABLE", { message, hint, cause: error });
      }
    },

    async prepare() {
      for (const directory of [
        paths.directory,
        paths.slots,
        paths.data,
        paths.certificates,
        `${paths.slots}/${ackFolder}`,
      ])
        await mkdir(directory, { recursive: true, mode: 0o700 });
    },

    async read(path) {
      try {
        return await readFile(path, "utf8");
      } catch (error) {
        if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
        throw error;
      }
    },

    async write(path, content) {
      const draft = `${path}.${randomBytes(4).toString("hex")}.tmp`;
      const handle = await open(draft, "wx", 0o600);
      try {
        await handle.writeFile(content);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(draft, path);
    },

    async perform(steps) {
      // Two hundred tiny files: asynchronous calls would take five times as long as these do.
      performHere(paths.slots, steps);
    },

    socket: async (path) => path,
    dial: async (host, port) => ({ host: host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host, port }),
    launchCaddy: () => options.launch("caddy", [options.program, "run", "--config", paths.configFile]),
    close: async () => undefined,
  };
}

const versionLimitMs = 10_000;
const filesEveryMs = 2_000;

function performHere(directory: string, steps: readonly FileStep[]): void {
  // One file for each content of a folder, the others are hard links to it: a third of the time of writing.
  const written = new Map<string, string>();
  for (const step of steps) {
    switch (step.is) {
      case "folder":
        mkdirSync(join(directory, step.name), { recursive: true, mode: 0o700 });
        break;
      case "file": {
        const path = join(directory, step.name);
        const same = written.get(step.content);
        if (same !== undefined) linkSync(same, path);
        else writeFileSync(path, `${step.content}\n`, { mode: 0o600, flag: "wx" });
        written.set(step.content, same ?? path);
        break;
      }
      case "link": {
        const draft = join(directory, `${step.name}.${randomBytes(4).toString("hex")}.tmp`);
        symlinkSync(step.to, draft);
        renameSync(draft, join(directory, step.name));
        break;
      }
      case "keep":
        for (const name of readdirSync(join(directory, step.folder)))
          if (!step.names.includes(name)) rmSync(join(directory, step.folder, name), { recursive: true, force: true });
        break;
    }
  }
}

/** Starts a command without anyone to keep it up, outliving this process. For tests, benches and trials. */
export async function launchDetached([program = "", ...args]: readonly string[]): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const child = spawn(program, args, { detached: true, stdio: "ignore" });
    child.once("spawn", () => {
      child.unref();
      resolve();
    });
    child.once("error", reject);
  });
}
