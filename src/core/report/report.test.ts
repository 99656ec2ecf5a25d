import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readCoverage } from "./coverage.ts";
import { mostFailing, readJunit } from "./junit.ts";
import { readScan } from "./scan.ts";
import { UnreadableReport } from "./xml.ts";

describe("a JUnit report", () => {
  it("is counted by its cases, with what failed and why", () => {
    const text = `<?xml version="1.0"?><!-- by a tool --><testsuites name="x > y"><testsuite tests="99" name="a">
      <testcase name="adds &quot;two&quot;" classname="math" time="0.25"/>
      <testcase name="divides" classname="math"><failure message="expected 2 to be 3 &#x26; 4" type="E"><![CDATA[at <anonymous> x.ts:3]]></failure></testcase>
      <testcase name="later" file="b.ts"><skipped/></testcase>
      <testcase name="breaks" ><error>TypeError: x is null</error></testcase>
    </testsuite></testsuites>`;
    expect(readJunit(text)).toEqual({
      tests: 4,
      failed: 2,
      skipped: 1,
      ms: 250,
      failing: [
        { suite: "math", name: "divides", message: "expected 2 to be 3 & 4\nat <anonymous> x.ts:3" },
        { suite: "", name: "breaks", message: "TypeError: x is null" },
      ],
    });
  });

  it("that would make us large is cut, or refused", () => {
    const many = Array.from(
      { length: 500 },
      (_, index) => `<testcase name="t${index}"><failure message="${"x".repeat(9_000)}"/></testcase>`,
    );
    const report = readJunit(`<testsuite>${many.join("")}</testsuite>`);
    expect(report).toMatchObject({ tests: 500, failed: 500 });
    expect(report.failing).toHaveLength(mostFailing);
    expect(report.failing[0]?.message).toHaveLength(2_000);
    const bomb = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><testsuite>&b;</testsuite>';
    expect(() => readJunit(bomb)).toThrow("it declares entities of its own");
    expect(() => readJunit("<a>".repeat(100))).toThrow("nested more than 64 deep");
    expect(() => readJunit("<html><body></body></html>")).toThrow("it has no test suite");
    for (const broken of ["", "not xml", "<testsuite><testcase", "<testsuite></other>", "<testsuite>"])
      expect(() => readJunit(broken)).toThrow(UnreadableReport);
  });
});

describe("coverage", () => {
  it("is read of lcov, by its lines or by its sums", () => {
    const text =
      "TN:\nSF:a.ts\nDA:1,3\nDA:2,0\nDA:3,1\nLF:9\nLH:9\nend_of_record\nSF:b.ts\nLF:10\nLH:4\nend_of_record\n";
    expect(readCoverage(text)).toEqual({ covered: 6, lines: 13, files: 2 });
    expect(() => readCoverage("hello")).toThrow("no lcov report");
  });

  it("is read of Cobertura, each line once", () => {
    const text = `<coverage line-rate="0.5"><packages><package><classes><class filename="a.py">
      <methods><method><lines><line number="1" hits="1"/></lines></method></methods>
      <lines><line number="1" hits="1"/><line number="2" hits="0"/></lines></class></classes></package></packages></coverage>`;
    expect(readCoverage(text)).toEqual({ covered: 1, lines: 2, files: 1 });
    expect(() => readCoverage("<other/>")).toThrow("no Cobertura report");
  });
});

it("whatever a report holds, it is read or refused, and nothing else happens", () => {
  const piece = fc.constantFrom(
    "<testsuite>",
    "</testsuite>",
    "<testcase name='a",
    "'/>",
    "<![CDATA[",
    "]]>",
    "&lt;",
    "<!--",
    "-->",
    "SF:a\n",
    "end_of_record\n",
    '{"runs":[',
    "{}",
    "]}",
    "\0",
    " ",
    '"',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
      for (const read of [readJunit, readCoverage, (text: string) => readScan(text, "/work")]) {
        try {
          read(pieces.join(""));
        } catch (error) {
          expect(error).toBeInstanceOf(UnreadableReport);
        }
      }
    }),
  );
});
