import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type ReleaseId, releaseId } from "../ids.ts";
import { type Arrival, livedMs, liveSpans, type RuleTurn, type Span, troubleSpans } from "./life.ts";
import { readBaked, readWait } from "./time.ts";

const [one, two] = ["rel_1", "rel_2"].map(releaseId) as [ReleaseId, ReleaseId];
const came = (release: ReleaseId, liveAt: number, more: Partial<Arrival> = {}): Arrival => ({
  release,
  stable: null,
  phase: "succeeded",
  liveAt,
  restoredAt: null,
  endedAt: liveAt + 10,
  ...more,
});

describe("the life of a release in an environment", () => {
  it("begins when its bake has passed, ends when another has the traffic, and goes on when that one is taken back", () => {
    const bad = came(two, 200, { stable: one, phase: "rolled-back", restoredAt: 250, endedAt: 260 });
    expect(liveSpans(one, [came(one, 100)])).toEqual([{ from: 110, to: null }]);
    expect(liveSpans(one, [came(two, 200), came(one, 100), came(one, 300)])).toEqual([
      { from: 110, to: 200 },
      { from: 310, to: null },
    ]);
    expect(liveSpans(one, [came(one, 100), bad])).toEqual([
      { from: 110, to: 200 },
      { from: 250, to: null },
    ]);
    expect(liveSpans(two, [came(one, 100), bad])).toEqual([]);
  });

  it("is troubled while a rule fires; one whose end nobody saw lasts until the rule is known to be well", () => {
    const turns: RuleTurn[] = [
      { at: 10, rule: "errors", is: "fired" },
      { at: 20, rule: "slow", is: "fired" },
      { at: 30, rule: "errors", is: "resolved" },
    ];
    expect(troubleSpans(turns, () => false)).toEqual([
      { from: 10, to: 30 },
      { from: 20, to: null },
    ]);
    expect(troubleSpans(turns, (rule) => rule === "slow")).toContainEqual({ from: 20, to: 20 });
  });

  it("is counted second by second: those in which it was live, after the last trouble", () => {
    const span = fc.tuple(fc.nat(50), fc.nat(50)).map(([from, length]): Span => ({ from, to: from + length }));
    const spans = fc.array(span, { maxLength: 4 });
    fc.assert(
      fc.property(spans, spans, fc.nat(120), (all, troubles, now) => {
        // Live times do not overlap.
        const live = all
          .toSorted((a, b) => a.from - b.from)
          .filter((each, i, list) => list.slice(0, i).every(({ to }) => (to ?? 0) <= each.from));
        let counted = 0;
        for (let second = 0; second < now; second += 1) {
          const isLive = live.some(({ from, to }) => from <= second && second < (to ?? now));
          if (isLive && troubles.every(({ to }) => (to ?? now) <= second)) counted += 1;
        }
        expect(livedMs({ live, troubles }, now)).toBe(counted);
      }),
    );
    expect(livedMs({ live: [{ from: 0, to: null }], troubles: [{ from: 3, to: null }] }, 9)).toBeNull();
  });
});

describe("the time that a release must have lived before", () => {
  const hour = 3_600_000;
  const baked = (live: readonly Span[], troubles: readonly Span[], now: number) =>
    readBaked(4 * hour, { environment: "staging", life: { live, troubles } }, now);

  it("says how long it has, and when it will be enough", () => {
    expect(baked([{ from: 0, to: null }], [], hour)).toEqual({
      gate: "baked",
      open: false,
      opensAt: 4 * hour,
      says: "1h of 4h in staging without a rule that fired; opens Thu 1970-01-01 04:00 UTC",
    });
    expect(baked([{ from: 0, to: null }], [], 4 * hour)).toMatchObject({
      open: true,
      says: "4h in staging without a rule that fired",
    });
  });

  it("begins anew with a rule that fires, and has no end while it does", () => {
    expect(baked([{ from: 0, to: null }], [{ from: hour, to: 2 * hour }], 5 * hour)).toMatchObject({
      open: false,
      opensAt: 6 * hour,
      says: expect.stringContaining("3h of 4h in staging since the last rule that fired"),
    });
    expect(baked([{ from: 0, to: null }], [{ from: hour, to: null }], 9 * hour)).toMatchObject({
      open: false,
      opensAt: null,
    });
  });

  it("does not pass by itself where the release is not live any more, or never was", () => {
    expect(baked([{ from: 0, to: hour }], [], 9 * hour).says).toBe(
      "1h of 4h in staging without a rule that fired, and it is not live there now",
    );
    expect(baked([], [], hour)).toMatchObject({ open: false, opensAt: null });
  });
});

it("a wait counts from when it was asked for", () => {
  const since = { at: 0, event: "it was asked for" };
  expect(readWait(60_000, since, 59_999)).toMatchObject({ open: false, opensAt: 60_000 });
  expect(readWait(60_000, since, 60_000)).toEqual({
    gate: "wait",
    open: true,
    opensAt: null,
    says: "1m after it was asked for",
  });
});
