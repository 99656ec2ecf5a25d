import { expect, test } from "vitest";
import { environmentOf, hasProc, isAlive, pageSize, parseStat, readStat } from "./procfs.ts";

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
