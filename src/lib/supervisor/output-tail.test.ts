import { appendFileSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { OutputTail, outputLimits } from "./output-tail.ts";

let directory: string;
let file: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "tail-"));
  file = join(directory, "out");
  writeFileSync(file, "");
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

test("gives whole lines at once, and a line without its end after a delay or when flushed", () => {
  const tail = new OutputTail(file);
  appendFileSync(file, "one\r\ntwo\nthr");
  expect(tail.look(0).lines).toEqual(["one", "two"]);
  appendFileSync(file, "ee\nfour");
  expect(tail.look(100).lines).toEqual(["three"]);
  expect(tail.look(100 + outputLimits.partialMs - 1).lines).toEqual([]);
  expect(tail.look(100 + outputLimits.partialMs).lines).toEqual(["four"]);
  appendFileSync(file, "five");
  expect(tail.look(2_000, true).lines).toEqual(["five"]);
  tail.close();
});

test("a stream that always ends inside a line is never cut inside one", () => {
  const tail = new OutputTail(file);
  const seen: string[] = [];
  for (let i = 0; i < 20; i++) {
    appendFileSync(file, `${i === 0 ? "" : "end\n"}begin${i} `);
    seen.push(...tail.look(i * 200).lines);
  }
  expect(seen).toEqual(Array.from({ length: 19 }, (_, i) => `begin${i} end`));
  tail.close();
});

test("a line beyond the limit is cut between characters, also one that is still being written", () => {
  const tail = new OutputTail(file);
  appendFileSync(file, `${"ü".repeat(outputLimits.lineBytes)}\nnext\n`);
  const { lines } = tail.look(0);
  expect(lines[0]).toBe(`${"ü".repeat(outputLimits.lineBytes / 2)} …[cut]`);
  expect(lines[1]).toBe("next");
  appendFileSync(file, "x".repeat(outputLimits.lineBytes + 1));
  expect(tail.look(0).lines).toEqual([`${"x".repeat(outputLimits.lineBytes)} …[cut]`]);
  appendFileSync(file, `${"x".repeat(1_000)}\nafter\n`);
  expect(tail.look(0).lines).toEqual(["after"]);
  tail.close();
});

test("bytes that are no UTF-8 do no harm", () => {
  const tail = new OutputTail(file);
  appendFileSync(file, Buffer.from([0xff, 0xfe, 0x41, 0x00, 0x0a, 0xc3, 0x0a]));
  expect(tail.look(0).lines).toEqual(["\uFFFD\uFFFDA\0", "\uFFFD"]);
  tail.close();
});

test("the next reader goes on where the last one was, also when the file was emptied in between", () => {
  const first = new OutputTail(file);
  appendFileSync(file, "one\ntwo\n");
  expect(first.look(0).lines).toEqual(["one", "two"]);
  first.close();
  appendFileSync(file, "three\n");
  const second = new OutputTail(file);
  expect(second.look(0).lines).toEqual(["three"]);
  second.close();
  writeFileSync(file, "new\n");
  const third = new OutputTail(file);
  expect(third.look(0).lines).toEqual(["new"]);
  third.close();
});

test("the file is emptied behind the reader, and no line is lost by it", () => {
  const tail = new OutputTail(file);
  const line = `${"y".repeat(999)}\n`;
  let read = 0;
  for (let i = 0; i < 3_000; i++) {
    appendFileSync(file, line);
    if (i % 50 === 0) read += tail.look(i).lines.length;
  }
  for (let looks = 0; looks < 100; looks++) read += tail.look(looks).lines.length;
  expect(read).toBe(3_000);
  expect(statSync(file).size).toBeLessThan(outputLimits.truncateBytes);
  tail.close();
});

test("a flood is read in bounded looks; what is too much is dropped, counted, and off the disk", () => {
  const tail = new OutputTail(file);
  appendFileSync(file, "z\n".repeat(5_000_000));
  const look = tail.look(0);
  expect(look.lines).toHaveLength(outputLimits.linesPerLook);
  expect(look.droppedBytes).toBe(10_000_000 - 2 * outputLimits.linesPerLook);
  expect(statSync(file).size).toBe(0);
  appendFileSync(file, "rest of a line\nwhole\n");
  expect(tail.look(1).lines).toEqual(["whole"]);
  tail.close();
});
