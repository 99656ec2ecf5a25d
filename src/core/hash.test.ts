import { expect, it } from "vitest";
import { murmur32, shortDigest } from "./hash.ts";

// Vectors: https://en.wikipedia.org/wiki/MurmurHash#Algorithm and the smhasher test of the reference implementation.
it("is the hash that others compute", () => {
  expect(murmur32("")).toBe(0);
  expect(murmur32("", 1)).toBe(0x514e28b7);
  expect(murmur32("test")).toBe(0xba6bd213);
  expect(murmur32("test", 0x9747b28c)).toBe(0x704b81dc);
  expect(murmur32("Hello, world!")).toBe(0xc0363e43);
  expect(murmur32("Hello, world!", 0x9747b28c)).toBe(0x24884cba);
  expect(murmur32("The quick brown fox jumps over the lazy dog", 0x9747b28c)).toBe(0x2fa826cd);
  expect(shortDigest("")).toMatch(/^[0-9a-f]{16}$/);
});
