import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decideLostHost, type HostSeen, type LostHostPolicy } from "./lost-host.ts";

const minute = 60_000;
const replace: LostHostPolicy = { act: "replace", afterMs: 2 * minute };
type More = Parameters<typeof decideLostHost>[2];
const calm: More = { policy: replace, held: null, knownLost: false };
const seen = (...away: readonly (number | null)[]): readonly HostSeen[] =>
  away.map((awayForMs, index) => ({ name: `vm${index + 1}`, awayForMs }));
const first = (hosts: readonly HostSeen[], more: Partial<More> = {}) => {
  const [host] = hosts;
  if (host === undefined) throw new Error("there is a host");
  return decideLostHost(host, hosts, { ...calm, ...more });
};

describe("a host that does not answer", () => {
  it("is given up after its patience, with the reason that is told", () => {
    expect(first(seen(119_999, null))).toEqual({
      do: "wait",
      reason: "host vm1 has not answered for 1m59s; its instances start elsewhere after 2m",
    });
    expect(first(seen(120_000, null))).toEqual({
      do: "give-up",
      reason: "host vm1 has not answered for 2m; its instances start on other hosts",
    });
    // Given up before a restart, and not heard of since: nobody waits a second time.
    expect(first(seen(1_000, null), { knownLost: true }).do).toBe("give-up");
  });

  it("is waited for where the policy says so, and where something is under way", () => {
    expect(first(seen(9 * minute, null), { policy: { ...replace, act: "wait" } }).do).toBe("wait");
    const held = first(seen(9 * minute, null), { held: "dep_1 is under way" });
    expect(held).toMatchObject({ do: "wait", reason: expect.stringContaining("dep_1 is under way") });
  });

  it("is never given up when most hosts are away, for then we may be the one who is cut off", () => {
    expect(first(seen(9 * minute, 9 * minute, null)).do).toBe("wait");
    expect(first(seen(9 * minute)).do).toBe("wait");
    fc.assert(
      fc.property(
        fc.array(fc.option(fc.integer({ min: 0, max: 20 * minute }), { nil: null }), { minLength: 1, maxLength: 9 }),
        fc.boolean(),
        (away, knownLost) => {
          const hosts = seen(...away);
          const given = hosts.filter((host) => decideLostHost(host, hosts, { ...calm, knownLost }).do === "give-up");
          const answering = hosts.filter(({ awayForMs }) => awayForMs === null).length;
          // As many as may be lost at once, never one that answers, and never before its time.
          expect(given.length === 0 || answering >= given.length).toBe(true);
          for (const { awayForMs } of given) expect(awayForMs).not.toBeNull();
          if (!knownLost) for (const { awayForMs } of given) expect(awayForMs).toBeGreaterThanOrEqual(2 * minute);
        },
      ),
    );
  });
});
