import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import type { StepOutcome } from "../outcome.ts";
import { StepCache } from "./store.ts";

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "slipway-cache-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  mkdirSync(join(directory, "work", "dist"), { recursive: true });
  writeFileSync(join(directory, "log"), "said\n");
});

const outcome: StepOutcome = { phase: "passed", reason: "", attempt: 1, lines: ["said"], key: null, reports: null };
const key = (digit: number): string => String(digit).repeat(64);

async function keep(cache: StepCache, digit: number, bytes: number): Promise<void> {
  writeFileSync(join(directory, "work", "dist", "big"), Buffer.alloc(bytes, digit));
  const from = { directory: join(directory, "work"), patterns: ["dist"], log: join(directory, "log") };
  await cache.keep(key(digit), { run: "run_1", tookMs: 1, outcome }, from);
}

test("what was used longest ago goes first when there is no room", async () => {
  const cache = new StepCache(join(directory, "cache"), { maxBytes: 350_000 });
  for (const digit of [1, 2, 3]) await keep(cache, digit, 100_000);
  expect(await cache.find(key(1))).not.toBeNull();
  await keep(cache, 4, 100_000);
  const found = await Promise.all([1, 2, 3, 4].map((digit) => cache.find(key(digit))));
  expect(found.map((kept) => kept !== null)).toEqual([true, false, true, true]);
});

test("what is restored is exactly what was kept: what was there of it before is gone, the rest stays", async () => {
  const cache = new StepCache(join(directory, "cache"));
  writeFileSync(join(directory, "work", "beside"), "not an output");
  await keep(cache, 1, 3);
  const to = join(directory, "to");
  mkdirSync(join(to, "dist"), { recursive: true });
  writeFileSync(join(to, "dist", "old"), "x");
  writeFileSync(join(to, "mine"), "y");
  const kept = await cache.find(key(1));
  if (kept === null) throw new Error("it was not kept");
  const log = join(directory, "restored-log");
  expect(await cache.restore(key(1), kept, { directory: to, patterns: ["dist"], log, room: directory })).toBe(true);
  expect(readFileSync(join(to, "dist", "big"))).toEqual(Buffer.alloc(3, 1));
  expect(readFileSync(log, "utf8")).toBe("said\n");
  expect(() => readFileSync(join(to, "dist", "old"))).toThrow("ENOENT");
  expect(() => readFileSync(join(to, "beside"))).toThrow("ENOENT");
  expect(readFileSync(join(to, "mine"), "utf8")).toBe("y");
});

test("an output that leads outside is not kept", async () => {
  const cache = new StepCache(join(directory, "cache"));
  symlinkSync("/etc/passwd", join(directory, "work", "dist", "link"));
  await expect(keep(cache, 1, 3)).rejects.toMatchObject({ code: "UNSAFE" });
  expect(await cache.find(key(1))).toBeNull();
});
