import { expect, test } from "vitest";
import { bucketOf, buckets, nextBucket } from "./buckets.ts";

test("10,000 consecutive buckets are all buckets, and 1 % of 1,000 is 10 within one", () => {
  const seen = new Set<number>();
  let bucket = 1234;
  for (let index = 0; index < buckets; index += 1) {
    bucket = nextBucket(bucket);
    seen.add(bucket);
  }
  expect(seen.size).toBe(buckets);
  for (const start of [0, 17, 9999]) {
    let inShare = 0;
    let at = start;
    for (let index = 0; index < 1000; index += 1) {
      at = nextBucket(at);
      if (at < 100) inShare += 1;
    }
    expect(Math.abs(inShare - 10)).toBeLessThanOrEqual(1);
  }
});

test("keys spread evenly, also when they only differ in a counter", () => {
  for (const share of [100, 500, 2500, 5000]) {
    let inShare = 0;
    for (let user = 0; user < 100_000; user += 1) if (bucketOf(`user-${user}`) < share) inShare += 1;
    expect(Math.abs(inShare / 100_000 - share / buckets)).toBeLessThan(0.005);
  }
});

test("a key has one bucket", () => {
  expect(bucketOf("a")).toBe(bucketOf("a"));
  expect(bucketOf("")).toBeLessThan(buckets);
});
