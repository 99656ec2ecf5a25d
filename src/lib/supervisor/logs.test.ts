import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { LogFile, LogSnapshot } from "./log-file.ts";
import { Logs, recordOf } from "./logs.ts";

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "logs-"));
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

test("a log file is rotated by size, keeps so many, and its newest lines are read over the seams", () => {
  const file = join(directory, "a.log");
  const log = new LogFile(file, { maxBytes: 1_000, keep: 2 });
  for (let i = 0; i < 500; i++) log.append([`line ${i} ${"x".repeat(50)}`]);
  log.close();
  expect(readdirSync(directory).sort()).toEqual(["a.log", "a.log.1", "a.log.2"]);
  for (const name of readdirSync(directory)) expect(statSync(join(directory, name)).size).toBeLessThanOrEqual(1_000);
  const snapshot = new LogSnapshot(file, 2);
  const numbers = (lines: readonly string[]) => lines.map((line) => Number(line.split(" ")[1]));
  expect(numbers(snapshot.tail(30))).toEqual(Array.from({ length: 30 }, (_, i) => 470 + i));
  const all = numbers([...snapshot.all()].flat());
  expect(all).toEqual(numbers(snapshot.tail(10_000)));
  expect(all.at(-1)).toBe(499);
  snapshot.close();
});

test("lines longer than what is read at once are read whole, from either end", () => {
  const file = join(directory, "a.log");
  const log = new LogFile(file, { maxBytes: 10_000_000, keep: 1 });
  const lines = ["ü".repeat(100_000), "short", "漢".repeat(90_000)];
  log.append(lines);
  log.close();
  const snapshot = new LogSnapshot(file, 1);
  expect(snapshot.tail(3)).toEqual(lines);
  expect(snapshot.tail(2)).toEqual(lines.slice(1));
  expect([...snapshot.all()].flat()).toEqual(lines);
  snapshot.close();
});

test("a snapshot is not disturbed by what is written and rotated after it", () => {
  const file = join(directory, "a.log");
  const log = new LogFile(file, { maxBytes: 100, keep: 3 });
  log.append(["before"]);
  const snapshot = new LogSnapshot(file, 3);
  for (let i = 0; i < 20; i++) log.append([`after ${i} ${"x".repeat(60)}`]);
  expect([...snapshot.all()].flat()).toEqual(["before"]);
  snapshot.close();
  log.close();
});

test("units are merged by time, chosen by label, and stay readable when removed, the newest fifty of them", () => {
  const logs = new Logs(directory, { maxBytes: 1_000_000, keep: 1 });
  const unit = (key: string, service: string) => ({ key, labels: { service } });
  const say = (key: string, service: string, at: number) =>
    logs.write(unit(key, service), [{ at, stream: "stdout", instance: `${key}.0`, text: `${key} at ${at}` }]);
  for (let at = 1; at <= 6; at++) say(at % 2 === 0 ? "even" : "odd", at % 2 === 0 ? "web" : "api", at);
  const read = (selector: Parameters<Logs["read"]>[0], tail: number | null) =>
    [...logs.read(selector, tail)].flat().map((line) => recordOf(line).at);
  expect(read({}, null)).toEqual([1, 2, 3, 4, 5, 6]);
  expect(read({}, 3)).toEqual([4, 5, 6]);
  expect(read({}, 0)).toEqual([]);
  logs.retire("odd", new Set(["even"]));
  expect(read({ labels: { service: "api" } }, null)).toEqual([1, 3, 5]);
  expect(read({ key: "even" }, 1)).toEqual([6]);
  for (let i = 0; i < 60; i++) {
    say(`gone${i}`, "job", 100 + i);
    logs.retire(`gone${i}`, new Set(["even"]));
  }
  expect(readdirSync(directory)).toHaveLength(51);
  expect(read({ key: "even" }, 1)).toEqual([6]);
  logs.close();
});
