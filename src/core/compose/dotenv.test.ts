import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseEnvFile } from "./dotenv.ts";
import { newBudget } from "./interpolate.ts";

const nothing = () => undefined;
const values = (text: string) => parseEnvFile(text, nothing).values;

describe("an env file", () => {
  it("has bare, quoted, exported and yaml-like lines, and comments", () => {
    const text = "# c\nA=1 # one\nexport B = two \nC: 3\nD='$A # x'\nE=\"l1\\n$A\nl2\"\nF=\r\nG=a#b\n";
    expect(values(text)).toEqual({ A: "1", B: "two", C: "3", D: "$A # x", E: "l1\n1\nl2", F: "", G: "a#b" });
  });

  it("looks outside first, then at known values and the lines above", () => {
    const outside = (name: string) => (name === "A" ? "outside" : undefined);
    const { values: found } = parseEnvFile("A=line\nB=$A\nC=$K\nA\nD\n", outside, { known: { K: "known" } });
    expect(found).toEqual({ K: "known", A: "outside", B: "outside", C: "known" });
  });

  it("is taken as it is when it is raw", () => {
    expect(parseEnvFile('A="x" # $B\n#c\n\n  B=\n', nothing, { format: "raw" }).values).toEqual({
      A: '"x" # $B',
      B: "",
    });
  });

  it("says the line of a fault, and never a value", () => {
    const fault = parseEnvFile('A=1\nB="secret\n', nothing).fault;
    expect(fault).toBe("line 2: a quote is opened and not closed");
    expect(parseEnvFile("A!=secret", nothing).fault).toBe(
      'line 1: "!" cannot be in the name of a variable; write NAME=value',
    );
  });

  it("ends: lines that double each other, a long blank file", () => {
    const doubling = `A0=${"x".repeat(1000)}\n${Array.from({ length: 40 }, (_, i) => `A${i + 1}=$A${i}$A${i}`).join("\n")}`;
    expect(parseEnvFile(doubling, nothing, { budget: newBudget() }).fault).toContain("more text than can be read");
    expect(parseEnvFile(" \n".repeat(500_000), nothing)).toEqual({ values: {}, fault: null });
    expect(parseEnvFile("#\n".repeat(500_000), nothing)).toEqual({ values: {}, fault: null });
  });

  it("never throws", () => {
    const piece = fc.constantFrom("A", "=", '"', "'", "\\", "\n", "#", " ", "$", "${", "}", "export ", ":", "\0", "\r");
    fc.assert(
      fc.property(fc.array(fc.oneof(piece, fc.string()), { maxLength: 60 }), fc.boolean(), (pieces, raw) => {
        parseEnvFile(pieces.join(""), nothing, { format: raw ? "raw" : "dotenv" });
      }),
    );
  });
});
