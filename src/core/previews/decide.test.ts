import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { environmentName } from "../ids.ts";
import { resolvePreviews } from "../product/resolve-previews.ts";
import { byMonth, capReached, costOf } from "./cost.ts";
import { admit, lastUse, overAge, type Preview, shouldSleep } from "./decide.ts";

const hour = 3_600_000;
const policy = resolvePreviews({ limit: 2, ttl: "1d" });
const nothing = { instanceMs: 0 };

const preview = (own: string, more: Partial<Preview> = {}): Preview => ({
  name: environmentName(`preview/${own}`),
  ref: `refs/heads/${own}`,
  phase: "awake",
  madeAt: 0,
  pushedAt: 0,
  askedAt: null,
  ...more,
});
const wanted = (own: string) => ({ name: environmentName(`preview/${own}`), ref: `refs/heads/${own}` });

describe("one more preview", () => {
  it("is made as long as there is room; then the one that was used longest ago goes for it", () => {
    expect(admit(wanted("b"), [preview("a")], policy, nothing)).toMatchObject({ is: "make", remove: [] });
    const all = [preview("a", { pushedAt: 1, askedAt: 9 }), preview("b", { pushedAt: 5 })];
    expect(admit(wanted("c"), all, policy, nothing)).toMatchObject({ is: "make", remove: ["preview/b"] });
    expect(admit(wanted("c"), all, { ...policy, whenFull: "refuse" }, nothing)).toMatchObject({ is: "refuse" });
    expect(admit(wanted("b"), all, { ...policy, whenFull: "refuse" }, nothing)).toEqual({ is: "there" });
  });

  it("waits for what it was before, and is nobody else's", () => {
    expect(admit(wanted("a"), [preview("a", { phase: "removing" })], policy, nothing)).toMatchObject({ is: "wait" });
    const theirs = preview("a", { ref: "pull-request/1" });
    expect(admit(wanted("a"), [theirs], policy, nothing)).toMatchObject({ is: "refuse" });
  });

  it("is refused when the money of the month is spent, and so is a push to one that is there", () => {
    const costly = { ...policy, cost: { instanceHour: 2, perMonth: 10 } };
    const spent = { instanceMs: 5 * hour };
    for (const all of [[], [preview("a")]])
      expect(admit(wanted("a"), all, costly, spent)).toEqual({
        is: "refuse",
        reason: "previews have cost 10.00 of 10.00 in this month",
      });
    expect(capReached(costly, { instanceMs: 5 * hour - 1 })).toBeNull();
    expect(costOf(hour, policy)).toBeNull();
  });
});

test("whatever is pushed in whatever order, there are never more than the limit, and nobody in use goes before one that is not", () => {
  const push = fc.record({ own: fc.constantFrom(..."abcdefgh"), asked: fc.option(fc.nat(50)), ends: fc.boolean() });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 4 }), fc.array(push, { maxLength: 60 }), (limit, pushes) => {
      let all: Preview[] = [];
      for (const [at, { own, asked, ends }] of pushes.entries()) {
        const admission = admit(wanted(own), all, { ...policy, limit }, nothing);
        if (admission.is === "make") {
          const kept = all.filter(({ name, phase }) => phase !== "removing" && !admission.remove.includes(name));
          for (const gone of all.filter(({ name }) => admission.remove.includes(name)))
            for (const stays of kept) expect(lastUse(gone)).toBeLessThanOrEqual(lastUse(stays));
          all = all.map((each) => (admission.remove.includes(each.name) ? { ...each, phase: "removing" } : each));
          all.push(preview(own, { pushedAt: at, askedAt: asked }));
        } else if (admission.is === "there")
          all = all.map((each) => (each.name === wanted(own).name ? { ...each, pushedAt: at } : each));
        else expect(admission.is).toBe("wait");
        expect(all.filter(({ phase }) => phase !== "removing").length).toBeLessThanOrEqual(limit);
        // Some removals come to their end.
        if (ends) all = all.filter(({ phase }) => phase !== "removing");
      }
    }),
  );
});

test("one goes when nothing was pushed for its time, and not a moment before", () => {
  fc.assert(
    fc.property(fc.nat(), fc.integer({ min: 60_000, max: 1e9 }), fc.nat(), (pushedAt, ttlMs, later) => {
      const isOver = overAge(preview("a", { pushedAt }), { ...policy, ttlMs }, pushedAt + later) !== null;
      expect(isOver).toBe(later >= ttlMs);
    }),
  );
  expect(overAge(preview("a", { phase: "removing" }), policy, 1e12)).toBeNull();
});

test("what ran is charged once, to the month in which it ran", () => {
  const start = Date.UTC(2026, 10, 30, 23);
  expect([...byMonth(2, start, start + 3 * hour)]).toEqual([
    ["2026-11", 2 * hour],
    ["2026-12", 4 * hour],
  ]);
  fc.assert(
    fc.property(fc.nat(1e12), fc.nat(1e10), fc.nat(20), (from, ms, instances) => {
      const sum = [...byMonth(instances, from, from + ms).values()].reduce((total, each) => total + each, 0);
      expect(sum).toBe(ms * instances);
    }),
  );
});

test("one sleeps when nobody has asked for its time and nothing is in flight, or the money is spent, and never for less", () => {
  const resting = { ...policy, sleepMs: 60_000 };
  const use = fc.option(fc.record({ lastUse: fc.nat(200_000), inFlight: fc.nat(2) }));
  const phase = fc.constantFrom("awake", "asleep", "waking", "removing" as const);
  fc.assert(
    fc.property(use, phase, fc.integer({ min: 200_000, max: 400_000 }), fc.boolean(), (seen, is, now, isSpent) => {
      const cost = isSpent ? { instanceHour: 1, perMonth: 0 } : null;
      const reason = shouldSleep({ phase: is }, { ...resting, cost }, { use: seen, spent: nothing, now });
      const isIdle = seen !== null && seen.inFlight === 0 && now - seen.lastUse >= 60_000;
      expect(reason !== null).toBe(is === "awake" && (isSpent || isIdle));
    }),
  );
  expect(
    shouldSleep({ phase: "awake" }, policy, { use: { lastUse: 0, inFlight: 0 }, spent: nothing, now: 1e12 }),
  ).toBeNull();
});
