import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decideLease, type Lease, type LeaseEvent, leaseMs } from "./lease.ts";

const id = fc.constantFrom("a", "b");
const event: fc.Arbitrary<LeaseEvent> = fc.oneof(
  fc.record({ is: fc.constant("take" as const), agent: fc.constantFrom("one", "two"), id }),
  fc.record({ is: fc.constantFrom("beat" as const, "end" as const), id }),
  fc.record({ is: fc.constant("anew" as const), agent: fc.constantFrom("one", "two") }),
  fc.record({ is: fc.constant("revoke" as const), agent: fc.constantFrom("one", "two"), why: fc.constant("sold") }),
  fc.record({ is: fc.constantFrom("call-off" as const, "look" as const, "found-again" as const) }),
);
const story = fc.array(fc.record({ event, afterMs: fc.nat(leaseMs * 2) }), { maxLength: 40 });

describe("a lease", () => {
  it("has one holder, ends once, and what is over is never taken again", () => {
    fc.assert(
      fc.property(story, (turns) => {
        let lease: Lease = { is: "waiting", since: 0 };
        let now = 0;
        let taken = 0;
        for (const turn of turns) {
          now += turn.afterMs;
          const { next, isRefused } = decideLease(lease, turn.event, now);
          if (turn.event.is === "take" && !isRefused) taken += 1;
          // Who is refused has changed nothing, but that what was late is lost.
          if (isRefused && next !== lease) expect(next.is).toBe("lost");
          if (lease.is !== "waiting" && lease.is !== "held") expect(next).toBe(lease);
          if (next.is === "ended" && lease.is === "held") expect(next.id).toBe(lease.id);
          if (lease.is === "held" && now >= lease.until && turn.event.is !== "found-again")
            expect(next.is).toBe("lost");
          lease = next;
        }
        expect(taken).toBeLessThanOrEqual(1);
      }),
    );
  });

  it("tells an end again without harm, and refuses another's", () => {
    const held = decideLease({ is: "waiting", since: 0 }, { is: "take", agent: "one", id: "a" }, 0).next;
    const ended = decideLease(held, { is: "end", id: "a" }, 10);
    expect(ended).toMatchObject({ next: { is: "ended", agent: "one" }, isRefused: false });
    expect(decideLease(ended.next, { is: "end", id: "a" }, leaseMs * 9).isRefused).toBe(false);
    expect(decideLease(ended.next, { is: "end", id: "b" }, 20).isRefused).toBe(true);
  });

  it("is lost at once when its agent's token is taken back, and not by another's", () => {
    const held = decideLease({ is: "waiting", since: 0 }, { is: "take", agent: "one", id: "a" }, 0).next;
    expect(decideLease(held, { is: "revoke", agent: "two", why: "sold" }, 1).next).toBe(held);
    const lost = decideLease(held, { is: "revoke", agent: "one", why: "sold" }, 1);
    expect(lost).toMatchObject({ next: { is: "lost", agent: "one" }, reason: "sold" });
    expect(decideLease(lost.next, { is: "end", id: "a" }, 2).isRefused).toBe(true);
  });

  it("is lost when its agent is late by a millisecond, with words, and the late agent is refused", () => {
    const held = decideLease({ is: "waiting", since: 0 }, { is: "take", agent: "one", id: "a" }, 0).next;
    expect(decideLease(held, { is: "beat", id: "a" }, leaseMs - 1).isRefused).toBe(false);
    const late = decideLease(held, { is: "end", id: "a" }, leaseMs);
    expect(late).toMatchObject({ next: { is: "lost" }, isRefused: true, reason: "one was not heard of for 30 s" });
    expect(decideLease(held, { is: "found-again" }, leaseMs * 5).next).toMatchObject({ is: "held" });
  });
});
