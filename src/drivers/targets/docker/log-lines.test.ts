import { Readable } from "node:stream";
import { describe, expect, test } from "vitest";
import type { Identity } from "./labels.ts";
import { linesOf, merged, type StampedLine, sinceOf } from "./log-lines.ts";

const identity = { service: "web", release: "rel_1", revision: "rev_1", index: 0 } as Identity;

const frame = (stream: 1 | 2, text: string): Buffer => {
  const head = Buffer.alloc(8);
  head[0] = stream;
  head.writeUInt32BE(Buffer.byteLength(text), 4);
  return Buffer.concat([head, Buffer.from(text)]);
};

async function read(frames: readonly Buffer[]): Promise<StampedLine[]> {
  const lines: StampedLine[] = [];
  for await (const line of linesOf(Readable.from(frames), identity)) lines.push(line);
  return lines;
}

describe("lines of a container", () => {
  test("have their time, also when Go leaves out its zeros, and compare by it", async () => {
    const lines = await read([
      frame(1, "2026-01-01T00:00:00.3Z a b \n"),
      frame(2, "2026-01-01T00:00:00.307000001Z \n"),
      frame(1, "2026-01-01T00:00:01Z c\r\n"),
    ]);
    expect(lines.map(({ text, stream }) => [stream, text])).toEqual([
      ["stdout", "a b "],
      ["stderr", ""],
      ["stdout", "c"],
    ]);
    const stamps = lines.map(({ stamp }) => stamp);
    expect([...stamps].sort()).toEqual(stamps);
    expect(lines[0]).toMatchObject({ at: Date.parse("2026-01-01T00:00:00.300Z"), instance: "rev_1.0", service: "web" });
    expect(sinceOf(stamps[1] ?? "")).toBe(`${Date.parse("2026-01-01T00:00:00Z") / 1000}.307000001`);
  });

  test("that the engine cut into messages are whole again; the last one needs no end", async () => {
    const lines = await read([
      frame(1, `2026-01-01T00:00:00.1Z ${"x".repeat(16_384)}`),
      frame(2, "2026-01-01T00:00:00.2Z between\n"),
      frame(1, "2026-01-01T00:00:00.3Z yz\n"),
      frame(1, "2026-01-01T00:00:00.4Z no end"),
    ]);
    expect(lines.map(({ text }) => text)).toEqual(["between", `${"x".repeat(16_384)}yz`, "no end"]);
    expect(lines[1]?.stamp).toBe("2026-01-01T00:00:00.100000000Z");
  });

  test("have a longest length", async () => {
    const piece = frame(1, `2026-01-01T00:00:00.1Z ${"x".repeat(16_384)}`);
    const lines = await read([...Array.from({ length: 9 }, () => piece), frame(1, "2026-01-01T00:00:00.2Z \n")]);
    expect(lines.length).toBeGreaterThan(1);
    expect(lines.map(({ text }) => text).join("")).toHaveLength(9 * 16_384);
  });
});

test("lines of many containers come in order, one of each read ahead, and who stops early ends them all", async () => {
  const open = new Set<number>();
  async function* source(number: number, count: number): AsyncGenerator<StampedLine> {
    open.add(number);
    try {
      for (let i = 0; i < count; i++) {
        const stamp = `2026-01-01T00:00:00.${String(i * 3 + number).padStart(9, "0")}Z`;
        yield { ...identity, at: 0, stream: "stdout", text: `${i * 3 + number}`, instance: "rev_1.0", stamp } as never;
      }
    } finally {
      open.delete(number);
    }
  }
  const texts: string[] = [];
  for await (const { text } of merged([source(0, 5), source(1, 3), source(2, 0)])) texts.push(text);
  expect(texts).toEqual(["0", "1", "3", "4", "6", "7", "9", "12"]);
  for await (const { text } of merged([source(0, 1_000), source(1, 1_000)])) if (text === "7") break;
  expect([...open]).toEqual([]);
});
