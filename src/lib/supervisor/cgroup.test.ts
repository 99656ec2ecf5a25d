import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Cgroups, killCgroup, removeCgroup } from "./cgroup.ts";
import { hasProc } from "./procfs.ts";

// The kernel's files, as files: what is written where is what is tested. A directory stands for the mounted hierarchy.
let mount: string;
let own: string;

beforeEach(() => {
  mount = mkdtempSync(join(tmpdir(), "cgroup-"));
  const path = hasProc ? (/^0::(.*)$/m.exec(readFileSync("/proc/self/cgroup", "utf8"))?.[1] ?? "/") : "/";
  own = join(mount, path);
  mkdirSync(own, { recursive: true });
});

afterEach(() => rmSync(mount, { recursive: true, force: true }));

test.runIf(hasProc)("a system without cgroup v2 has no hard limits", () => {
  expect(Cgroups.open("test", mount)).toBeNull();
});

test.runIf(hasProc)("limits are written before the process is put in, and killing ends all of it", () => {
  writeFileSync(join(mount, "cgroup.controllers"), "cpu memory\n");
  mkdirSync(join(own, "test"));
  writeFileSync(join(own, "test", "cgroup.subtree_control"), "");
  const groups = Cgroups.open("test", mount);
  expect(groups).not.toBeNull();
  const group =
    groups?.enclose(4711, "web.0", { memoryBytes: 1_000_000, cpus: 0.5, niceness: 10, processes: 100 }) ?? "";
  expect(group).toBe(join(own, "test", "web.0"));
  expect(readFileSync(join(group, "cgroup.procs"), "utf8")).toBe("4711");
  // The kernel has all files of a group when it is made; here only those are there that were written.
  expect(readFileSync(join(group, "cpu.weight.nice"), "utf8")).toBe("10");
  expect(readFileSync(join(group, "pids.max"), "utf8")).toBe("100");
  killCgroup(group);
  expect(readFileSync(join(group, "cgroup.kill"), "utf8")).toBe("1");
  removeCgroup(group);
  expect(existsSync(group)).toBe(true); // not empty here, as while something in it still dies
});
