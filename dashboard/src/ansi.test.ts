import { describe, expect, it } from "vitest";
import { LogLines, plain, readLine } from "./ansi.ts";

const esc = "\u001b[";
const textOf = (lines: LogLines): string[] => lines.all().map((line) => line.map(({ text }) => text).join(""));

describe("a log with colours", () => {
  it("keeps each piece with its look, over the ends of lines, until it is taken back", () => {
    const first = readLine(`a ${esc}1;31mb${esc}0m c ${esc}42m`, plain);
    expect(first.line).toEqual([
      { text: "a ", look: plain },
      { text: "b", look: { ...plain, bold: true, colour: 1 } },
      { text: " c ", look: plain },
    ]);
    expect(readLine("d", first.look).line).toEqual([{ text: "d", look: { ...plain, background: 2 } }]);
    expect(readLine(`${esc}me`, { ...plain, dim: true }).line).toEqual([{ text: "e", look: plain }]);
  });

  it("knows bright ones, 256 and all", () => {
    const lookOf = (codes: string) => readLine(`${esc}${codes}mx`, plain).line[0]?.look.colour;
    expect([lookOf("94"), lookOf("38;5;9"), lookOf("38;5;208"), lookOf("38;5;255"), lookOf("38;2;1;2;999")]).toEqual([
      12,
      9,
      "rgb(255 135 0)",
      "rgb(238 238 238)",
      "rgb(1 2 255)",
    ]);
    expect(readLine(`${esc}38;5;208;1mx`, plain).line[0]?.look.bold).toBe(true);
  });

  it("does nothing else that it is told: no titles, links, movements or bells, and what is no code is nothing", () => {
    const text = `\u001b]0;title\u0007a\u001b]8;;http://evil.example\u001b\\b${esc}2Jc${esc}Hd\u0007\u0000e${esc}999mf${esc}38mg`;
    expect(
      readLine(text, plain)
        .line.map((piece) => piece.text)
        .join(""),
    ).toBe("abcdefg");
  });

  it("writes over what stands before a carriage return, but not at the end of a line", () => {
    expect(readLine("10 %\r50 %\rdone\r", plain).line).toEqual([{ text: "done", look: plain }]);
  });

  it("comes in pieces that end anywhere, and has no more lines than it may", () => {
    const lines = new LogLines(3);
    for (const piece of ["a\nb", `b${esc}3`, "1mred\nc", "\nd\n"]) lines.add(piece);
    expect([textOf(lines), lines.left]).toEqual([["bbred", "c", "d"], 1]);
    expect(lines.all()[0]?.[1]?.look.colour).toBe(1);
    lines.add("not over");
    expect(textOf(lines)).toEqual(["bbred", "c", "d", "not over"]);
  });
});
