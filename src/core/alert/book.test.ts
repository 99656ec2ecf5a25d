import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Alert, type AlertBook, mostAlerts, standingOf, take } from "./book.ts";
import { isMeant, matcherText, parseMatcher } from "./matcher.ts";

const here = { product: "shop", environment: "production" };
const matcher = { name: "Slow", labels: {} };
const alert = (more: Partial<Alert> = {}): Alert => ({
  fingerprint: "f1",
  status: "firing",
  labels: { alertname: "Slow", severity: "critical" },
  startsAt: 1_000,
  endsAt: null,
  ...more,
});
const bookOf = (alerts: readonly Alert[], now = 2_000): AlertBook =>
  alerts.reduce<AlertBook>((book, each) => take(book, each, now).next, new Map());
const standing = (alerts: readonly Alert[], now = 3_000) => standingOf(bookOf(alerts), matcher, here, now);

const messages = fc.array(
  fc.record({
    fingerprint: fc.constantFrom("f1", "f2"),
    status: fc.constantFrom("firing" as const, "resolved" as const),
    labels: fc.constantFrom(
      { alertname: "Slow" },
      { alertname: "Slow", environment: "staging" },
      { alertname: "Down" },
    ),
    startsAt: fc.integer({ min: 1, max: 5 }),
    endsAt: fc.oneof(fc.constant(null), fc.integer({ min: 6, max: 9_000 })),
  }),
  { maxLength: 20 },
);

describe("a book of alerts", () => {
  it("is the same, and nothing is news, when all messages come a second time, one by one", () => {
    fc.assert(
      fc.property(messages, (all) => {
        let once: AlertBook = new Map();
        for (const each of all) {
          const first = take(once, each, 10);
          const again = take(first.next, each, 10);
          expect(again.isNews).toBe(false);
          expect(again.next).toEqual(first.next);
          once = first.next;
        }
      }),
    );
  });

  it("never goes back to a firing that is over: what is late changes nothing", () => {
    const [old, fresh] = [alert({ startsAt: 1_000 }), alert({ startsAt: 5_000, status: "resolved" })];
    expect(take(bookOf([fresh]), old, 6_000)).toEqual({ next: bookOf([fresh]), isNews: false });
    expect(take(bookOf([old]), fresh, 6_000).isNews).toBe(true);
  });

  it("keeps a bounded number, and forgets what was heard of longest ago", () => {
    const many = Array.from({ length: mostAlerts + 5 }, (_, index) => alert({ fingerprint: `f${index}` }));
    const full = new Map(many.slice(0, mostAlerts).map((each) => [each.fingerprint, { alert: each, heardAt: 1 }]));
    let book: AlertBook = take(full, many[0] as Alert, 2).next;
    for (const each of many.slice(mostAlerts)) book = take(book, each, 3).next;
    expect([book.size, book.has("f0"), book.has("f1"), book.has(`f${mostAlerts + 4}`)]).toEqual([
      mostAlerts,
      true,
      false,
      true,
    ]);
  });
});

describe("how alerts stand", () => {
  it("is firing while one fires, quiet when all are resolved, and unknown before anything was told", () => {
    const resolved = alert({ status: "resolved", endsAt: 2_500 });
    expect(standing([])).toBe("unknown");
    expect(standing([alert()])).toBe("firing");
    expect(standing([resolved])).toBe("quiet");
    expect(standing([resolved, alert({ fingerprint: "f2" })])).toBe("firing");
  });

  it("is unknown for one that vanished: past its end without a word, or silent for a day", () => {
    expect(standing([alert({ endsAt: 3_001 })])).toBe("firing");
    expect(standing([alert({ endsAt: 3_000 })])).toBe("unknown");
    expect(standing([alert()], 2_000 + 86_400_000)).toBe("firing");
    expect(standing([alert()], 2_001 + 86_400_000)).toBe("unknown");
  });

  it("of another environment or product does not count, and one that names none does", () => {
    const labels = { alertname: "Slow" };
    expect(standing([alert({ labels: { ...labels, environment: "staging" } })])).toBe("unknown");
    expect(standing([alert({ labels: { ...labels, product: "bakery" } })])).toBe("unknown");
    expect(standing([alert({ labels: { ...labels, ...here } })])).toBe("firing");
  });
});

describe("which alerts are meant", () => {
  it("is a name and labels, and its text is read as itself", () => {
    const read = parseMatcher('Slow{ severity = critical, zone="eu, west" }');
    expect(read).toBeNull();
    const known = parseMatcher('Slow{ severity = critical, zone="eu west" }');
    expect(known).toEqual({ name: "Slow", labels: { severity: "critical", zone: "eu west" } });
    if (known === null) return;
    expect(parseMatcher(matcherText(known))).toEqual(known);
    expect(isMeant(known, { alertname: "Slow", severity: "critical", zone: "eu west", pod: "a" })).toBe(true);
    expect(isMeant(known, { alertname: "Slow", severity: "warning", zone: "eu west" })).toBe(false);
    expect(isMeant(known, { alertname: "Slow" })).toBe(false);
    for (const wrong of ["", "{a=b}", "two words", "Slow{a}", "Slow{a=b", "Slow{=b}"])
      expect(parseMatcher(wrong)).toBeNull();
  });
});
