import fc from "fast-check";
import { expect, test } from "vitest";
import { instanceId, type ReleaseId, revisionId } from "../../../core/ids.ts";
import type { EdgeTarget } from "../../../ports/edge.ts";
import { modeOf, sharesOf, slotCount, slotsOf, spareCount } from "./slots.ts";

function targetOf(
  name: string,
  weight: number,
  changes: Partial<EdgeTarget> & { readonly instances?: never } = {},
  count = 1,
) {
  const revision = revisionId(`rev_${name}`);
  const instances = Array.from({ length: count }, (_, index) => ({
    id: instanceId(revision, index),
    address: `${name}:${index + 1}`,
  }));
  return { revision, release: `rel_${name}` as ReleaseId, weight, fallback: false, ...changes, instances };
}
const service = (...targets: readonly EdgeTarget[]) => ({ targets, sticky: null, mode: "live" as const });
const share = (slots: readonly string[], name: string) =>
  slots.filter((address) => address.startsWith(`${name}:`)).length / slots.length;

test("shares are off by half a percent at most, fill all slots, and what has a weight has one", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 10_000 }), { minLength: 1, maxLength: 4 }), (parts) => {
      const total = parts.reduce((sum, part) => sum + part, 0);
      fc.pre(total > 0);
      const weights = parts.map((part) => (part * 10_000) / total);
      const shares = sharesOf(weights.map((weight, index) => targetOf(`t${index}`, weight)));
      expect(shares.reduce((sum, one) => sum + one, 0)).toBe(slotCount);
      for (const [index, weight] of weights.entries()) {
        if (weight > 0) expect(shares[index]).toBeGreaterThan(0);
        else expect(shares[index]).toBe(0);
      }
      if (parts.length <= 2)
        for (const [index, weight] of weights.entries())
          expect(Math.abs((shares[index] ?? 0) / slotCount - weight / 10_000)).toBeLessThanOrEqual(0.005);
    }),
  );
});

test("a growing weight only adds to the candidate's slots, so who is on one of them stays", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 10_000 }), fc.integer({ min: 0, max: 10_000 }), (one, other) => {
      const at = (weight: number) => slotsOf(service(targetOf("new", weight), targetOf("old", 10_000 - weight))).first;
      const [less, more] = [at(Math.min(one, other)), at(Math.max(one, other))];
      for (const [slot, address] of less.entries()) if (address === "new:1") expect(more[slot]).toBe("new:1");
    }),
  );
});

test("short runs of requests are spread over the targets too", () => {
  const { first } = slotsOf(service(targetOf("new", 5_000), targetOf("old", 5_000)));
  for (let from = 0; from + 20 <= slotCount; from += 1)
    expect(Math.abs(share(first.slice(from, from + 20), "new") - 0.5)).toBeLessThanOrEqual(0.1);
});

test("instances share their revision's slots evenly", () => {
  const { first, spare, spareIs } = slotsOf(service(targetOf("web", 10_000, {}, 3)));
  for (const index of [1, 2, 3])
    expect(Math.abs(first.filter((address) => address === `web:${index}`).length - slotCount / 3)).toBeLessThan(1);
  expect([new Set(spare).size, spare.length, spareIs]).toEqual([3, spareCount, "neighbour"]);
});

test("a fallback has the spare slots, and all of them when nothing has a weight", () => {
  const fallback = targetOf("old", 0, { fallback: true });
  const beside = slotsOf(service(targetOf("new", 10_000), fallback));
  expect([share(beside.first, "new"), share(beside.spare, "old"), beside.spareIs]).toEqual([1, 1, "fallback"]);
  expect(share(slotsOf(service(targetOf("new", 0), fallback)).first, "old")).toBe(1);
});

test("a service without instances has none, and says so unless it is held or in maintenance", () => {
  const nobody = service(targetOf("web", 10_000, {}, 0));
  const slots = slotsOf(nobody);
  expect(slots.first).toEqual([]);
  expect(modeOf(nobody, slots, false)).toBe("empty");
  expect(modeOf(nobody, slots, true)).toBe("hold");
  expect(modeOf({ ...nobody, mode: "maintenance" }, slots, true)).toBe("maintenance");
});
