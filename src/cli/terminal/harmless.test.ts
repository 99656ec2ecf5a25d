import fc from "fast-check";
import { expect, it, test } from "vitest";
import { HarmlessText, harmlessLine } from "./harmless.ts";

const esc = "\u001b";
const all = (...pieces: string[]): string => {
  const text = new HarmlessText();
  return pieces.map((piece) => text.take(piece)).join("");
};

it.each([
  ["plain text", "a\tb\r\nc", "a\tb\r\nc"],
  [
    "colours",
    `${esc}[1;31mred${esc}[0m ${esc}[38;2;1;2;3mx${esc}[m`,
    `${esc}[1;31mred${esc}[0m ${esc}[38;2;1;2;3mx${esc}[m`,
  ],
  ["moves of the cursor", `a${esc}[2Ab${esc}[10;1Hc${esc}7d${esc}8`, "abcd"],
  ["a cleared screen", `${esc}[2J${esc}[3J${esc}cdone`, "done"],
  ["the clipboard", `${esc}]52;c;cm0gLXJm${esc}\\ok`, "ok"],
  ["a title, ended by a bell", `${esc}]0;mine\u0007ok`, "ok"],
  ["questions to the terminal", `${esc}[6n${esc}P+q544e${esc}\\${esc}[cok`, "ok"],
  ["another screen and a hidden cursor", `${esc}[?1049h${esc}[?25lok`, "ok"],
  ["eight-bit signs, bells and backspaces", "a\u009b2Jb\u0007c\bd", "a2Jbcd"],
  ["a private use of m", `${esc}[>4;2mok`, "ok"],
])("of %s what is harmless is left", (_, given, left) => {
  expect(all(given)).toBe(left);
});

it("a sequence without an end takes nothing with it that comes after", () => {
  expect(all(`${esc}]0;`, "x".repeat(5_000), " and on\n")).toBe(`]0;${"x".repeat(5_000)} and on\n`);
});

it("a line keeps its colours to itself, and stays where it is", () => {
  expect(harmlessLine("plain")).toBe("plain");
  expect(harmlessLine(`${esc}[31mred${esc}[2J${esc}]0;title\u0007`)).toBe(`${esc}[31mred${esc}[0m`);
  expect(harmlessLine(`real\r${esc}[1Aforged`)).toBe("realforged");
});

const part = fc.oneof(
  fc.constantFrom(
    `${esc}[31m`,
    `${esc}[2J`,
    `${esc}]0;t\u0007`,
    `${esc}]8;;u${esc}\\`,
    esc,
    "[",
    "]",
    "m",
    "\\",
    "\u0007",
    "\n",
    "x",
  ),
  fc.string({ maxLength: 4 }),
);

test("wherever it is cut, it is the same, and nothing is obeyed but colours", () => {
  fc.assert(
    fc.property(fc.array(part, { maxLength: 20 }), fc.array(fc.nat(60), { maxLength: 5 }), (parts, cuts) => {
      // An end by which nothing is left open.
      const text = `${parts.join("")}\u0007${esc}\\.`;
      const at = [0, ...cuts.filter((cut) => cut < text.length).sort((a, b) => a - b), text.length];
      const pieces = at.slice(1).map((end, index) => text.slice(at[index], end));
      const left = all(...pieces);
      expect(left).toBe(all(text));
      // biome-ignore lint/suspicious/noControlCharactersInRegex: colours are no harm.
      const plain = left.replaceAll(/\u001b\[[0-9;:]*m/g, "");
      expect([...plain].filter((sign) => /(?![\t\n\r])\p{Cc}/u.test(sign))).toEqual([]);
    }),
    { numRuns: 2_000 },
  );
});
