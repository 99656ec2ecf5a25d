import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, test } from "vitest";
import {
  allPids,
  environmentOf,
  hasProc,
  isAlive,
  pageSize,
  parseStat,
  pidsBefore,
  pidsSince,
  readStat,
} from "./procfs.ts";

test("a process whose name holds spaces and parentheses is read right", () => {
  const text =
    "4711 (a) S (b c) S 1 4700 4690 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 7 0 987654 1000000 2500 18446744073709551615 1 1";
  expect(parseStat(4711, text)).toEqual({
    pid: 4711,
    state: "S",
    group: 4700,
    cpuTicks: 300,
    startTicks: 987_654,
    residentPages: 2_500,
  });
  expect(parseStat(1, "nonsense")).toBeNull();
});

test.runIf(hasProc)("a process is the same only with the same start", () => {
  const start = readStat(process.pid)?.startTicks ?? 0;
  expect(isAlive(process.pid, start)).toBe(true);
  expect(isAlive(process.pid, start + 1)).toBe(false);
  expect(isAlive(2 ** 30, null)).toBe(false);
});

test.runIf(hasProc)("the environment a process was started with is found by name, whole names only", () => {
  const [name, value] = Object.entries(process.env).find(([key]) => key === "PATH") ?? [];
  expect(environmentOf(process.pid, name ?? "")).toBe(value);
  expect(environmentOf(process.pid, "ATH")).toBeNull();
  expect([4096, 16_384, 65_536]).toContain(pageSize());
});

test.runIf(hasProc)(
  "what was started after a process is among the pids since it; where that is not known, all are",
  async () => {
    const older = process.ppid;
    const before = pidsBefore();
    const first = spawn("sleep", ["60"]);
    const later = spawn("sh", ["-c", "sleep 60 & echo $!; wait"], { detached: true });
    const [said] = (await once(later.stdout, "data")) as [Buffer];
    const forked = Number(said.toString());
    const pid = first.pid ?? 0;
    try {
      const since = pidsSince(before, pid);
      expect(since).toEqual(expect.arrayContaining([pid, later.pid, forked]));
      // Pids begin anew now and then: then nothing is told by them.
      if (forked > pid) expect(since).not.toContain(older < pid ? older : 0);
      expect(pidsSince(null, pid)).toEqual(expect.arrayContaining([older, pid]));
      // A kernel that does not count, and one that may have been once round.
      expect(pidsSince({ begun: Number.MAX_SAFE_INTEGER }, pid)).toContain(older);
      expect(pidsSince({ begun: (before?.begun ?? 0) - 10_000_000 }, pid)).toContain(older);
      expect(allPids()).toEqual(expect.arrayContaining([older, pid]));
    } finally {
      first.kill("SIGKILL");
      process.kill(-(later.pid ?? 0), "SIGKILL");
    }
  },
);
