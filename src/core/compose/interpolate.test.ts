import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { newBudget, substitute } from "./interpolate.ts";

const variables: Readonly<Record<string, string>> = { SET: "set", EMPTY: "", B: "b" };
const lookup = (name: string) => variables[name];
const filled = (text: string) => substitute(text, lookup).text;

describe("variables in a Compose file", () => {
  it.each([
    ["$SET ${SET} $$SET $${SET}", "set set $SET ${SET}"],
    ["${SET}${SET}", "setset"],
    ["$$$$", "$$"],
    ["${EMPTY:-x}|${EMPTY-x}|${NONE:-x}|${NONE-x}", "x||x|x"],
    ["${SET:+y}|${EMPTY:+y}|${EMPTY+y}|${NONE+y}", "y||y|"],
    ["${SET:?no}|${EMPTY?no}", "set|"],
    ["${NONE:-${EMPTY:-${SET}}}/${NONE:-b}", "set/b"],
    ['${NONE:-{"a": 1}}', '{"a": 1}'],
    ["$1 $ 5$ $%", "$1 $ 5$ $%"],
    ["${NONE:-http://x?y=z-}", "http://x?y=z-"],
  ])("%s is %s", (text, want) => expect(filled(text)).toBe(want));

  it("says which are not set, and which must be", () => {
    expect(substitute("$NONE${NONE}", lookup).unset).toEqual(["NONE", "NONE"]);
    expect(substitute("${EMPTY:?give it}", lookup).fault).toBe("the variable EMPTY must be set: give it");
    expect(substitute("${NONE?}", lookup).fault).toBe("the variable NONE must be set");
    for (const text of ["${", "${}", "${1}", "${A B}", "${A", "${A:-b\n}"])
      expect(substitute(text, lookup).fault).toContain("begins no variable");
  });

  it("makes no gigabytes of a small file, and does not descend for ever", () => {
    const long = (name: string) => (name === "A" ? "x".repeat(100_000) : undefined);
    expect(substitute("$A".repeat(10_000), long).fault).toContain("more text than can be read");
    expect(substitute("${N:-".repeat(2_000) + "}".repeat(2_000), lookup).fault).toContain("nested");
  });

  it("never throws, and leaves a text without dollars alone", () => {
    const piece = fc.constantFrom("$", "{", "}", "SET", "NONE", ":-", "-", ":?", "?", ":+", "${", "$$", "\n", "é", " ");
    fc.assert(
      fc.property(fc.array(fc.oneof(piece, fc.string()), { maxLength: 40 }), (pieces) => {
        const text = pieces.join("");
        const result = substitute(text, lookup, newBudget());
        if (!text.includes("$")) expect(result).toEqual({ text, unset: [], fault: null });
      }),
    );
  });
});
