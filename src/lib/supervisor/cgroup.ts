import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Limits } from "./contract.ts";

/** One control group of cgroup v2, as a directory: https://docs.kernel.org/admin-guide/cgroup-v2.html */
const mountPoint = "/sys/fs/cgroup";
/** Length of the window that `cpu.max` shares out, in µs; the kernel's default. */
const cpuPeriodUs = 100_000;

export type CgroupRequest = {
  readonly memoryBytes: number | null;
  readonly cpus: number | null;
  /** Between groups only their weights count, and not how nice the processes in them are. */
  readonly niceness?: number;
  readonly processes?: number;
};

/**
 * Limits by the kernel, and a kill that no fork escapes. Only where the system has cgroup v2 and lets us make groups below
 * our own (root, or a unit with `Delegate=yes`); elsewhere `open` gives null and the supervisor does without.
 */
export class Cgroups {
  readonly limits: Limits;
  readonly #directory: string;

  private constructor(directory: string, controllers: ReadonlySet<string>) {
    this.#directory = directory;
    this.limits = {
      memory: controllers.has("memory") ? "hard" : "watched",
      cpu: controllers.has("cpu") ? "hard" : "none",
    };
  }

  static open(name: string, mount: string = mountPoint): Cgroups | null {
    try {
      if (!existsSync(join(mount, "cgroup.controllers"))) return null; // not v2, or a hybrid whose limits are v1's
      const own = /^0::(.*)$/m.exec(readFileSync("/proc/self/cgroup", "utf8"))?.[1] ?? "/";
      const parent = join(mount, own);
      const directory = join(parent, name);
      mkdirSync(directory, { recursive: true });
      // Refused where the parent holds processes itself and is not the root: then there is the kill, without limits.
      tryWrite(join(parent, "cgroup.subtree_control"), "+memory +cpu");
      tryWrite(join(directory, "cgroup.subtree_control"), "+memory +cpu");
      // By itself: a controller that is not there would take the others along.
      for (const each of [parent, directory]) tryWrite(join(each, "cgroup.subtree_control"), "+pids");
      const enabled = readFileSync(join(directory, "cgroup.subtree_control"), "utf8").trim().split(/\s+/);
      return new Cgroups(directory, new Set(enabled));
    } catch {
      return null;
    }
  }

  /** Puts a process, and all it will fork, into a group of its own. Null when that is refused. */
  enclose(pid: number, id: string, request: CgroupRequest): string | null {
    const group = join(this.#directory, id);
    try {
      mkdirSync(group, { recursive: true });
      if (this.limits.memory === "hard") tryWrite(join(group, "memory.max"), String(request.memoryBytes ?? "max"));
      const quota = request.cpus === null ? "max" : Math.max(1_000, Math.round(request.cpus * cpuPeriodUs));
      if (this.limits.cpu === "hard") tryWrite(join(group, "cpu.max"), `${quota} ${cpuPeriodUs}`);
      if (request.processes !== undefined) tryWrite(join(group, "pids.max"), String(request.processes));
      // There is no such file where the kernel does not share out processor time between groups.
      if (request.niceness !== undefined) tryWrite(join(group, "cpu.weight.nice"), String(request.niceness));
      writeFileSync(join(group, "cgroup.procs"), String(pid));
      return group;
    } catch {
      return null;
    }
  }
}

/** SIGKILL to everything in the group (Linux 5.14). */
export function killCgroup(group: string): void {
  tryWrite(join(group, "cgroup.kill"), "1");
}

/** Fails silently while something in it still dies; the group is used again by the next start. */
export function removeCgroup(group: string): void {
  try {
    rmdirSync(group);
  } catch {}
}

function tryWrite(file: string, text: string): void {
  try {
    writeFileSync(file, text);
  } catch {}
}
