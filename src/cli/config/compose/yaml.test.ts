import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { composeYaml } from "./yaml.ts";

const value = (text: string) => {
  const documents = composeYaml(text);
  return "fault" in documents ? documents.fault : documents[0]?.value;
};

describe("the YAML of a Compose file", () => {
  it("has scalars as Compose reads them", () => {
    expect(value("[0777, 0x1f, 1_000, 1e3, yes, ~, 1.2.3, 12:30, 123456789012345678, '5', !!str 5]")).toEqual([
      ...[511, 31, 1000, 1000, "yes", null, "1.2.3", "12:30", 123456789012345678n, "5", "5"],
    ]);
  });

  it("merges, of which what the map says itself wins, then the first", () => {
    const text = "a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc: {z: 3, <<: [*a, *b]}\n";
    expect(value(text)).toMatchObject({ c: { x: 1, y: 1, z: 3 } });
  });

  it("knows the places that are reset or overridden, also by way of an anchor", () => {
    const documents = composeYaml(
      "s: {a: !reset [1], b: !override {c: 1}}\nt: &t {d: !reset null}\nu: *t\nv: {<<: *t, e: 1}\n",
    );
    expect(documents).toEqual([
      {
        value: { s: { b: { c: 1 } }, t: {}, u: {}, v: { e: 1 } },
        replaced: [
          ["s", "a"],
          ["s", "b"],
          ["t", "d"],
          ["u", "d"],
        ],
      },
    ]);
  });

  it("says line, column and why", () => {
    expect(value("a: 1\na: 2\n")).toBe('line 2:1: the key "a" is there twice');
    expect(value("a: *b\n")).toBe("line 1:4: *b stands for nothing before it");
    expect(value("a: &a [*a]\n")).toBe("line 1:8: *a stands for nothing before it");
    expect(value("a:\n\t- b\n")).toContain("line 2:");
    expect(value("true: 1\n")).toBe("line 1:1: the key true is no text; put it in quotes");
    expect(value("<<: 5\n")).toBe("line 1:1: << takes an object, or a list of them");
  });

  it("is bounded: bombs of aliases, of brackets, of indentation, of keys", () => {
    const levels = Array.from(
      { length: 9 },
      (_, index) => `l${index + 1}: &l${index + 1} [${`*l${index},`.repeat(10)}]`,
    );
    expect(value(`l0: &l0 [a]\n${levels.join("\n")}\n`)).toContain("more than 100000 values");
    expect(value("[".repeat(900_000))).toContain("nested");
    expect(value("{a: ".repeat(200_000))).toContain("nested");
    expect(value("- ".repeat(100_000))).toContain("nested");
    const indented = Array.from({ length: 1_200 }, (_, index) => `${" ".repeat(index)}a:`);
    expect(value(indented.join("\n"))).toContain("nested");
    expect(value(Array.from({ length: 60_000 }, (_, index) => `k${index}: 1`).join("\n"))).toContain(
      "more than 100000",
    );
    const anchored = Array.from({ length: 150 }, (_, index) => `a${index + 1}: &a${index + 1} [*a${index}]`);
    expect(value(`a0: &a0 [x]\n${anchored.join("\n")}\n`)).toContain("nested");
  });

  it("never throws", () => {
    const piece = fc.constantFrom(
      "a",
      ":",
      " ",
      "\n",
      "  ",
      "- ",
      "{",
      "}",
      "[",
      "]",
      "&a ",
      "*a",
      "<<: ",
      "!reset ",
      "!!int ",
      '"',
      "'",
      "|",
      ">",
      "#",
      "---\n",
      "...\n",
      "%YAML 1.1\n",
      "? ",
      "\t",
      "@",
      "`",
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(piece, fc.string()), { maxLength: 40 }), (pieces) => {
        composeYaml(pieces.join(""));
      }),
      { numRuns: 1_000 },
    );
  });
});
