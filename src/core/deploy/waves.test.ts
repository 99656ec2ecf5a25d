import fc from "fast-check";
import { expect, it } from "vitest";
import { serviceName } from "../ids.ts";
import { waves } from "./waves.ts";

const service = (name: string, ...needs: string[]) => ({ name: serviceName(name), needs: needs.map(serviceName) });

it("what needs nothing comes first, the others after all that they need", () => {
  expect(waves([service("web", "api", "db"), service("api", "db"), service("db"), service("mail")])).toEqual([
    ["db", "mail"],
    ["api"],
    ["web"],
  ]);
});

it("a need that is not deployed holds nothing up", () => {
  expect(waves([service("web", "elsewhere")])).toEqual([["web"]]);
});

it("no services are no waves", () => {
  expect(waves([])).toEqual([]);
});

it("services that need each other are a bug of whoever let them in", () => {
  expect(() => waves([service("a", "b"), service("b", "a"), service("c")])).toThrow("services need each other: a, b");
  expect(() => waves([service("a", "a")])).toThrow("services need each other: a");
});

/** Each may need some of those before it, so there are no cycles; then they are shuffled. */
const acyclic = fc
  .array(fc.array(fc.nat({ max: 9 }), { maxLength: 4 }), { maxLength: 10 })
  .map((list) =>
    list.map((needs, index) => service(`s${index}`, ...needs.filter((need) => need < index).map((need) => `s${need}`))),
  )
  .chain((services) => fc.shuffledSubarray(services, { minLength: services.length }));

it("whatever they need: each service is in one wave, after its needs, and no later than it must be", () => {
  fc.assert(
    fc.property(acyclic, (services) => {
      const result = waves(services);
      const waveOf = new Map(result.flatMap((names, index) => names.map((name) => [name, index] as const)));
      expect(result.flat().sort()).toEqual(services.map((each) => each.name).sort());
      for (const { name, needs } of services) {
        const after = Math.max(-1, ...needs.map((need) => waveOf.get(need) ?? -1));
        expect(waveOf.get(name)).toBe(after + 1);
      }
    }),
  );
});
