import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { instanceId, revisionId } from "../../core/ids.ts";
import { KnownLives } from "./known-lives.ts";

const instance = instanceId(revisionId("rev_shop-production-web-r1"), 0);
const deadlineMs = 30_000;
const wallMs = 1_800_000_000_000;

describe("what is known of a life", () => {
  it("leaves it the time that its start has, less what it has lived", () => {
    const lives = new KnownLives();
    const life = { instance, startedAt: wallMs - 10_000 };
    expect(lives.startLeftMs(life, { deadlineMs, nowMs: 500 })).toBe(30_000);
    lives.see(life, { isWell: false, wallMs, nowMs: 500 });
    expect(lives.startLeftMs(life, { deadlineMs, nowMs: 500 })).toBe(20_000);
    expect(lives.startLeftMs(life, { deadlineMs, nowMs: 15_500 })).toBe(5_000);
    expect(lives.startLeftMs(life, { deadlineMs, nowMs: 60_500 })).toBe(0);
  });

  it("is that it needs no time for its start once it has been well, also when nobody looked at it for a while", () => {
    const lives = new KnownLives();
    const life = { instance, startedAt: wallMs };
    lives.see(life, { isWell: true, wallMs, nowMs: 0 });
    lives.forget(1_800_000);
    lives.see(life, { isWell: false, wallMs, nowMs: 1_800_000 });
    expect(lives.startLeftMs(life, { deadlineMs, nowMs: 1_800_000 })).toBe(0);
  });

  it("says nothing about the next life of the same instance, and is forgotten when it is not seen again", () => {
    const lives = new KnownLives();
    lives.see({ instance, startedAt: wallMs }, { isWell: true, wallMs, nowMs: 0 });
    expect(lives.startLeftMs({ instance, startedAt: wallMs + 5 }, { deadlineMs, nowMs: 5 })).toBe(deadlineMs);
    lives.forget(3_600_001);
    expect(lives.startLeftMs({ instance, startedAt: wallMs }, { deadlineMs, nowMs: 3_600_001 })).toBe(deadlineMs);
  });

  it("is the same however the wall clock is set after it was first seen", () => {
    const look = fc.record({ passedMs: fc.nat({ max: 20_000 }), setByMs: fc.integer({ min: -600_000, max: 600_000 }) });
    fc.assert(
      fc.property(fc.nat({ max: 40_000 }), fc.array(look, { maxLength: 10 }), (livedMs, looks) => {
        const lives = new KnownLives();
        const life = { instance, startedAt: wallMs - livedMs };
        lives.see(life, { isWell: false, wallMs, nowMs: 0 });
        let [nowMs, setMs] = [0, 0];
        for (const { passedMs, setByMs } of looks) {
          nowMs += passedMs;
          setMs += setByMs;
          lives.see(life, { isWell: false, wallMs: wallMs + nowMs + setMs, nowMs });
          expect(lives.startLeftMs(life, { deadlineMs, nowMs })).toBe(Math.max(0, deadlineMs - livedMs - nowMs));
        }
      }),
    );
  });
});
