import fc from "fast-check";
import { expect, test } from "vitest";
import type { InstanceId } from "../../../core/ids.ts";
import { FollowedLines } from "./followed-lines.ts";
import type { StampedLine } from "./log-lines.ts";

const line = (container: number, second: number): StampedLine => {
  const stamp = `2026-01-01T00:00:${String(second).padStart(2, "0")}.000000000Z`;
  return { stamp, at: Date.parse(stamp), instance: `i${container}` as InstanceId, text: `${second}` } as StampedLine;
};

/** As many as were added. */
async function read(lines: FollowedLines, count: number): Promise<string[]> {
  const stop = new AbortController();
  const seen: string[] = [];
  for await (const { stamp } of lines.lines(stop.signal)) {
    seen.push(stamp);
    if (seen.length === count) stop.abort();
  }
  return seen;
}

test("lines of many containers are read in order of time, whichever came first", async () => {
  // Each container's own lines come in their order; between them there is none.
  const containers = fc.array(fc.array(fc.integer({ min: 0, max: 59 }), { minLength: 1, maxLength: 5 }), {
    minLength: 1,
    maxLength: 5,
  });
  await fc.assert(
    fc.asyncProperty(containers, async (all) => {
      const lines = new FollowedLines(1);
      const sorted = all.map((seconds) => seconds.toSorted((one, other) => one - other));
      for (const [container, seconds] of sorted.entries()) for (const each of seconds) lines.add(line(container, each));
      const seen = await read(lines, all.flat().length);
      expect(seen).toEqual(seen.toSorted());
    }),
  );
});

test("one that comes when younger ones have been read is not lost", async () => {
  const lines = new FollowedLines(1);
  lines.add(line(1, 5));
  expect(await read(lines, 1)).toEqual([line(1, 5).stamp]);
  lines.add(line(2, 3));
  lines.add(line(1, 6));
  expect(await read(lines, 2)).toEqual([line(2, 3).stamp, line(1, 6).stamp]);
});
