import { expect, test } from "vitest";
import { merged, type Sources } from "./merged.ts";

async function* counting(name: string, upTo: number): AsyncGenerator<string> {
  for (let i = 0; i < upTo; i++) yield `${name}${i}`;
}

const two: Sources<string, string> = {
  known: async () => ["a", "b"],
  more: () => () => {},
  streams: (source) => counting(source, 3),
  endless: false,
};
const never = new AbortController().signal;

test("gives every item of every stream, each stream's in its order, and ends with the last", async () => {
  const seen: string[] = [];
  for await (const { source, item } of merged(two, never)) {
    expect(item.startsWith(source)).toBe(true);
    seen.push(item);
  }
  expect(seen.filter((item) => item.startsWith("a"))).toEqual(["a0", "a1", "a2"]);
  expect(seen).toHaveLength(6);
});

test("a stream that is far ahead waits for the reader", async () => {
  let made = 0;
  const fast: Sources<string, number> = {
    ...two,
    known: async () => ["a"],
    streams: async function* () {
      for (; made < 1_000; made++) yield made;
    },
  };
  const items = merged(fast, never);
  await items.next();
  expect(made).toBeLessThan(100);
  let read = 1;
  for await (const _ of items) read += 1;
  expect(read).toBe(1_000);
});

test("fails with what one of them failed with", async () => {
  const broken: Sources<string, string> = {
    ...two,
    streams: async function* (source) {
      yield* counting(source, 1);
      if (source === "b") throw new Error("b broke");
    },
  };
  const read = async (): Promise<void> => {
    for await (const _ of merged(broken, never));
  };
  await expect(read()).rejects.toThrow("b broke");
});

test("takes up a source that comes later, and ends when it is aborted", async () => {
  const sources = ["a"];
  let tell = (): void => {};
  const stop = new AbortController();
  const growing: Sources<string, string> = {
    ...two,
    known: async () => [...sources],
    more: (heard) => {
      tell = heard;
      return () => {};
    },
    endless: true,
  };
  const seen: string[] = [];
  for await (const { item } of merged(growing, stop.signal)) {
    seen.push(item);
    if (item === "a2") {
      sources.push("b");
      tell();
    }
    if (item === "b2") stop.abort();
  }
  expect(seen).toEqual(["a0", "a1", "a2", "b0", "b1", "b2"]);
});
