import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { FreezeSpec, WindowSpec } from "../product/gates-spec.ts";
import { whyNoCron } from "./cron.ts";
import { opensAt, openUntil, readCalendar, timeText } from "./window.ts";

const minute = 60_000;
const hour = 60 * minute;
const berlin = "Europe/Berlin";
const at = (text: string) => Date.parse(text);
const window = (cron: string, hours: number, timeZone = berlin): WindowSpec => ({
  cron,
  durationMs: hours * hour,
  timeZone,
});
const freeze = (cron: string, hours: number, reason: string | null = null): FreezeSpec => ({
  ...window(cron, hours),
  reason,
});

/** Both changes of the clocks of 2026 lie in it: 29 March, 02:00 → 03:00; 25 October, 03:00 → 02:00. */
const instants = fc
  .integer({ min: at("2026-03-20T00:00Z") / minute, max: at("2026-11-05T00:00Z") / minute })
  .map((minutes) => minutes * minute);
const zones = fc.constantFrom(berlin, "UTC", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe");

const clocks = new Map<string, Intl.DateTimeFormat>();

/** By looking at the wall clock minute by minute: nothing of ours, nothing of the library's. */
function localTime(instant: number, timeZone: string): string {
  const known = clocks.get(timeZone);
  const clock =
    known ?? new Intl.DateTimeFormat("en-GB", { timeZone, hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  clocks.set(timeZone, clock);
  return clock.format(instant);
}

describe("a window", () => {
  it("begins at its time and ends after its duration, the end not included", () => {
    const office = window("0 9 * * mon-thu", 8);
    const inside = ["2026-11-26T08:00:00Z", "2026-11-26T15:59:59.999Z"];
    const outside = ["2026-11-26T07:59:59.999Z", "2026-11-26T16:00:00Z", "2026-11-27T10:00:00Z"];
    expect(inside.map((text) => openUntil(office, at(text)))).toEqual(Array(2).fill(at("2026-11-26T16:00:00Z")));
    expect(outside.map((text) => openUntil(office, at(text)))).toEqual([null, null, null]);
  });

  it("is open exactly for its duration after the wall clock has shown its time, whatever the zone", () => {
    // Outside the hours that the clocks jump over or show twice; those are below.
    const hours = fc.integer({ min: 4, max: 23 });
    const minutes = fc.integer({ min: 0, max: 59 });
    fc.assert(
      fc.property(instants, zones, hours, minutes, fc.integer({ min: 1, max: 300 }), (now, zone, h, m, length) => {
        const spec = { cron: `${m} ${h} * * *`, durationMs: length * minute, timeZone: zone };
        const shown = `${String(h).padStart(2, "0")}:${String(m).padStart(2, "0")}`;
        let since = 0;
        while (since < length && localTime(now - since * minute, zone) !== shown) since += 1;
        expect(openUntil(spec, now)).toBe(since < length ? now + (length - since) * minute : null);
      }),
      { numRuns: 150 },
    );
  });

  it("opens once a day, also when its time is jumped over or comes twice, and lasts as long as on any other day", () => {
    const night = window("30 2 * * *", 1);
    const opened = (from: string, to: string): number[] => {
      const begins: number[] = [];
      for (let now = at(from); now < at(to); now += minute)
        if (openUntil(night, now) !== null && openUntil(night, now - minute) === null) begins.push(now);
      return begins;
    };
    expect(opened("2026-03-28T23:00Z", "2026-03-29T22:00Z")).toEqual([at("2026-03-29T01:00Z")]);
    expect(opened("2026-10-24T22:00Z", "2026-10-25T23:00Z")).toEqual([at("2026-10-25T00:30Z")]);
    expect(openUntil(night, at("2026-03-29T01:30Z"))).toBe(at("2026-03-29T02:00Z"));
    // Eight hours of real time: over the change, from 22:00 to 07:00 of the wall clock.
    expect(openUntil(window("0 22 * * *", 8), at("2026-03-28T23:00Z"))).toBe(at("2026-03-29T05:00Z"));
  });

  it("joins those that follow it without a gap", () => {
    expect(openUntil(window("0 * * * *", 1, "UTC"), at("2026-11-26T08:30Z"))).toBeGreaterThan(at("2026-11-27T08:30Z"));
  });
});

describe("deployments", () => {
  it("may begin in a window and in no freeze: a freeze beats a window", () => {
    const calendar = {
      windows: [window("0 9 * * mon-thu", 8)],
      freezes: [freeze("2026-11-26T12:00", 48, "Black Friday")],
    };
    expect(readCalendar(calendar, at("2026-11-26T10:59Z"))).toEqual([
      { gate: "window", open: true, opensAt: null, says: "open until Thu 2026-11-26 17:00 Europe/Berlin" },
    ]);
    expect(readCalendar(calendar, at("2026-11-26T11:00Z"))).toEqual([
      { gate: "window", open: true, opensAt: null, says: "open until Thu 2026-11-26 17:00 Europe/Berlin" },
      {
        gate: "freeze",
        open: false,
        opensAt: at("2026-11-30T08:00Z"),
        says: "frozen until Sat 2026-11-28 12:00 Europe/Berlin: Black Friday; opens Mon 2026-11-30 09:00 Europe/Berlin",
      },
    ]);
  });

  it("may never begin where a freeze has no end, and that is said", () => {
    const calendar = { windows: [], freezes: [{ ...window("0 0 * * *", 24, "UTC"), reason: null }] };
    expect(opensAt(calendar, at("2026-11-26T11:00Z"))).toBeNull();
    expect(readCalendar(calendar, at("2026-11-26T11:00Z"))[0]?.says).toContain("does not open within a year");
  });

  it("open at the very first instant at which they may: then they may, and never before", () => {
    const days = fc.constantFrom("*", "mon-fri", "tue,thu", "6");
    const spec = fc
      .tuple(fc.integer({ min: 0, max: 23 }), days, fc.integer({ min: 1, max: 30 }), zones)
      .map(([h, day, hours, zone]) => window(`0 ${h} * * ${day}`, hours, zone));
    const many = (max: number) => fc.array(spec, { maxLength: max });
    fc.assert(
      fc.property(instants, many(2), many(2), fc.nat(1_000), (now, windows, denied, somewhere) => {
        const freezes = denied.map((each) => ({ ...each, reason: null }));
        const calendar = { windows, freezes };
        const mayBegin = (when: number) =>
          (windows.length === 0 || windows.some((each) => openUntil(each, when) !== null)) &&
          freezes.every((each) => openUntil(each, when) === null);
        const opens = opensAt(calendar, now);
        if (opens === null) return;
        expect(mayBegin(opens)).toBe(true);
        expect(opens).toBeGreaterThanOrEqual(now);
        const before = now + ((opens - now) * somewhere) / 1_000;
        if (before < opens) expect(mayBegin(before)).toBe(false);
        expect(opens === now).toBe(readCalendar(calendar, now).every(({ open }) => open));
      }),
      { numRuns: 150 },
    );
  });
});

describe("a cron", () => {
  it("has five fields or is one local time, and comes at least once", () => {
    expect(["0 9 * * mon-thu", "2026-12-20T00:00", "0 9 L * *"].map(whyNoCron)).toEqual([null, null, null]);
    expect(whyNoCron("0 0 30 2 *")).toBe("it never comes");
    expect(["0 0 9 * * *", "noon", "2026-13-01T00:00"].every((text) => whyNoCron(text) !== null)).toBe(true);
  });
});

it("a time is told with its day and zone", () => {
  expect(timeText(at("2026-11-27T08:00Z"), berlin)).toBe("Fri 2026-11-27 09:00 Europe/Berlin");
});
