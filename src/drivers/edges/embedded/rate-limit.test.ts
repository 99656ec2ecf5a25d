import { expect, test } from "vitest";
import { RateLimiter } from "./rate-limit.ts";

test("a client gets its requests, then none until the window slides on", () => {
  const limiter = new RateLimiter(5, 10_000);
  const verdicts = Array.from({ length: 7 }, () => limiter.take("10.0.0.1", 2_000));
  expect(verdicts.map((verdict) => verdict.allowed)).toEqual([true, true, true, true, true, false, false]);
  expect(verdicts.map((verdict) => verdict.remaining)).toEqual([4, 3, 2, 1, 0, 0, 0]);
  expect(verdicts[5]?.resetS).toBe(8);
  expect(limiter.take("10.0.0.2", 2_000).allowed).toBe(true);
  // Half into the next window half of the last one still counts: 2.5 of 5 are left.
  const later = Array.from({ length: 4 }, () => limiter.take("10.0.0.1", 15_000).allowed);
  expect(later).toEqual([true, true, false, false]);
  expect(limiter.take("10.0.0.1", 40_000).remaining).toBe(4);
});

test("addresses of one IPv6 /64 are one client", () => {
  const limiter = new RateLimiter(1, 10_000);
  expect(limiter.take("2001:db8::1", 0).allowed).toBe(true);
  expect(limiter.take("2001:db8::2", 0).allowed).toBe(false);
  expect(limiter.take("2001:db8:0:1::2", 0).allowed).toBe(true);
});

test("what other workers counted counts", () => {
  const [here, there] = [new RateLimiter(10, 10_000), new RateLimiter(10, 10_000)];
  for (let index = 0; index < 9; index += 1) here.take("a", 0);
  there.heard(here.tell() ?? [], 0);
  expect(here.tell()).toBeNull();
  const allowed = Array.from({ length: 10 }, () => there.take("a", 0).allowed).filter(Boolean).length;
  // Only the first eighth of the limit, two requests here, is never told.
  expect(allowed).toBeLessThanOrEqual(3);
});

test("a flood of clients is forgotten oldest first, and new ones still get in", () => {
  const limiter = new RateLimiter(1, 10_000);
  let allowed = 0;
  for (let index = 0; index < 60_000; index += 1) if (limiter.take(`c${index}`, 0).allowed) allowed += 1;
  expect(allowed).toBe(60_000);
  expect(limiter.take("c59999", 0).allowed).toBe(false);
  expect(limiter.take("c0", 0).allowed).toBe(true);
});
