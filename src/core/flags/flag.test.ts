import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { evaluateFlag, type FlagInForce, flagText, parseSetting, settingText, shareOf } from "./flag.ts";

const flag = (more: Partial<FlagInForce> = {}): FlagInForce => ({
  off: false,
  on: true,
  ratio: 0,
  rules: [],
  setting: null,
  ...more,
});
const value = (more: Partial<FlagInForce>, key: string | null = "ada", attributes: object = {}) => {
  const answer = evaluateFlag("checkout", flag(more), { key, attributes: { ...attributes } });
  return answer.is === "value" ? answer.value : answer.is;
};
const ratio = fc.double({ min: 0, max: 1, noNaN: true });

describe("a flag", () => {
  it("is the same for the same person at every look, and a share that grows takes nobody out", () => {
    fc.assert(
      fc.property(fc.string(), ratio, ratio, (key, a, b) => {
        const [less, more] = a < b ? [a, b] : [b, a];
        expect(value({ ratio: less }, key)).toBe(value({ ratio: less }, key));
        if (value({ ratio: less }, key) === true) expect(value({ ratio: more }, key)).toBe(true);
        // By hand and in a rule it is the same share.
        expect(value({ setting: { is: "share", ratio: less } }, key)).toBe(value({ ratio: less }, key));
        expect(value({ rules: [{ when: { plan: ["pro"] }, ratio: less }] }, key, { plan: "pro" })).toBe(
          value({ ratio: less }, key),
        );
      }),
    );
  });

  it("is on for as many as its share says, and for others than another flag", () => {
    const keys = Array.from({ length: 20_000 }, (_, index) => `user-${index}`);
    for (const share of [0.01, 0.25, 0.5, 0.9]) {
      const on = keys.filter((key) => shareOf("checkout", key) < share).length / keys.length;
      // Four standard deviations.
      expect(Math.abs(on - share)).toBeLessThan(4 * Math.sqrt((share * (1 - share)) / keys.length));
    }
    const both = keys.filter((key) => shareOf("checkout", key) < 0.5 && shareOf("search", key) < 0.5).length;
    expect(Math.abs(both / keys.length - 0.25)).toBeLessThan(0.015);
  });

  it("asks nobody for a key whom it does not have to tell apart", () => {
    expect([value({ ratio: 0 }, null), value({ ratio: 1 }, null), value({ ratio: 0.5 }, null)]).toEqual([
      false,
      true,
      "no-key",
    ]);
  });

  it("is decided by the first rule that matches, all of whose attributes must", () => {
    const rules = [
      { when: { key: ["*@example.com"], country: ["DE", "AT"] }, ratio: 1 },
      { when: { country: ["DE"] }, ratio: 0 },
    ];
    const seen = (key: string, attributes: object) => value({ ratio: 1, rules }, key, attributes);
    expect(seen("ada@example.com", { country: "DE" })).toBe(true);
    expect(seen("ada@example.org", { country: "DE" })).toBe(false);
    expect(seen("ada@example.org", { country: "FR" })).toBe(true);
    expect(
      value({ rules: [{ when: { age: ["18"], beta: ["true"] }, ratio: 1 }] }, "ada", { age: 18, beta: true }),
    ).toBe(true);
    expect(value({ rules: [{ when: { constructor: ["*"] }, ratio: 1 }] })).toBe(false);
    expect(value({ rules: [{ when: { plan: ["*"] }, ratio: 1 }] }, "ada", { plan: { deep: 1 } })).toBe(false);
  });

  it("that is switched off by hand is off for everybody, whatever its rules say, and on likewise", () => {
    fc.assert(
      fc.property(fc.string(), ratio, (key, share) => {
        const rules = [{ when: {}, ratio: share }];
        expect(value({ ratio: share, rules, setting: { is: "off" } }, key)).toBe(false);
        expect(value({ ratio: share, rules, setting: { is: "on" } }, key)).toBe(true);
      }),
    );
    expect(value({ off: "blue", on: "green", setting: { is: "on" } })).toBe("green");
  });
});

it("what is set by hand is read as it is written", () => {
  for (const text of ["on", "off", "25%", "0.5%", "config"]) expect(settingText(parseSetting(text) ?? null)).toBe(text);
  for (const text of ["", "true", "25", "101%", "-1%"]) expect(parseSetting(text)).toBeUndefined();
  expect(flagText(flag({ ratio: 0.25, rules: [{ when: {}, ratio: 1 }] }))).toBe("25%, and 1 rule");
});
