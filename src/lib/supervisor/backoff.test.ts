import { expect, test } from "vitest";
import { afterExit, noBackoff } from "./backoff.ts";

test("waits 100 ms first and twice as long each time, while exits are far enough apart to be no loop", () => {
  let backoff = noBackoff;
  const delays: number[] = [];
  for (let i = 0; i < 12; i++) {
    backoff = afterExit(backoff, 1_000, i * 20_000);
    delays.push(backoff.delayMs);
  }
  expect(delays).toEqual([100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000, 30_000]);
});

test("the fifth exit within a minute is a crash loop, tried every 30 s, until one life was long enough", () => {
  let backoff = noBackoff;
  for (let i = 0; i < 4; i++) backoff = afterExit(backoff, 50, i * 1_000);
  expect(backoff).toMatchObject({ delayMs: 800, looping: false });
  backoff = afterExit(backoff, 50, 5_000);
  expect(backoff).toMatchObject({ delayMs: 30_000, looping: true });
  backoff = afterExit(backoff, 9_999, 300_000);
  expect(backoff).toMatchObject({ delayMs: 30_000, looping: true });
  backoff = afterExit(backoff, 10_000, 400_000);
  expect(backoff).toMatchObject({ delayMs: 100, looping: false });
});

test("a program that ends every eleven seconds is a crash loop too", () => {
  let backoff = noBackoff;
  for (let i = 0; i < 5; i++) backoff = afterExit(backoff, 11_000, i * 11_100);
  expect(backoff.looping).toBe(true);
});
