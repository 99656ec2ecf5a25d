import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { AppendFile, rotateFile } from "./append-file.ts";

let directory = "";
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "append-"));
});
afterEach(async () => rm(directory, { recursive: true, force: true }));

test("lines of two writers are whole lines of one file", async () => {
  const file = join(directory, "log");
  const writers = [new AppendFile(file), new AppendFile(file)];
  for (let index = 0; index < 1000; index += 1) for (const writer of writers) writer.add(`line ${index}\n`);
  await Promise.all(writers.map((writer) => writer.reopen()));
  const lines = (await readFile(file, "utf8")).trimEnd().split("\n");
  expect(lines).toHaveLength(2000);
  expect(lines.every((line) => /^line \d+$/.test(line))).toBe(true);
});

test("rotation keeps so many old files, and no line is lost over it", async () => {
  const file = join(directory, "log");
  const writer = new AppendFile(file);
  for (let round = 0; round < 5; round += 1) {
    writer.add(`round ${round}\n`);
    await writer.flush();
    await rotateFile(file, 3);
    await writer.reopen();
  }
  writer.add("now\n");
  await writer.flush();
  expect((await readdir(directory)).sort()).toEqual(["log", "log.1", "log.2", "log.3"]);
  expect(await readFile(`${file}.1`, "utf8")).toBe("round 4\n");
  expect(await readFile(file, "utf8")).toBe("now\n");
  await writer.reopen();
});

test("a folder that cannot be written costs lines, which are counted, and nothing else", async () => {
  const writer = new AppendFile("/dev/null/log");
  writer.add("a\n");
  writer.add("b\n");
  await writer.flush();
  expect(writer.lostLines).toBe(2);
});
