import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { textMatcher } from "../pipeline/glob.ts";
import { textFile, withTheirNeeds } from "./artifact.ts";
import { diffLines } from "./diff.ts";
import { standingOf } from "./drift.ts";
import { marked, ownershipOf } from "./mark.ts";
import { shellPattern } from "./steps.ts";
import { type Yaml, yamlText } from "./yaml.ts";

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

// Texts that YAML, shells and marks could take for something else, among any others.
const oddText = fc.oneof(
  fc.string({ unit: "grapheme" }),
  fc.constantFrom(
    "",
    "on",
    "No",
    "null",
    "~",
    "1",
    "1e3",
    "0x1",
    ".5",
    "-",
    "- a",
    "a: b",
    "a #b",
    "#",
    "'",
    '"',
    "&a",
    "*",
    "!x",
  ),
  fc.constantFrom(
    "12:30:45",
    "a:",
    "2026-11-26",
    ".inf",
    ".NaN",
    "<<",
    "=",
    "%",
    "@",
    "`",
    "\u0085",
    "\u2028x",
    "\ufeff",
    "a\nb",
    " a ",
  ),
);

test("what is written as YAML is read back as it was, as YAML 1.2 and as 1.1", () => {
  const value = fc.letrec<{ value: Yaml }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 3 },
      oddText,
      fc.integer(),
      fc.boolean(),
      fc.array(tie("value"), { maxLength: 3 }),
      fc.dictionary(
        oddText.filter((key) => key !== "__proto__"),
        tie("value"),
        { maxKeys: 3 },
      ),
    ),
  })).value;
  fc.assert(
    fc.property(
      fc.dictionary(
        oddText.filter((key) => key !== "__proto__" && key !== "on"),
        value,
        { maxKeys: 4 },
      ),
      (map) => {
        const text = yamlText(map as { readonly [key: string]: Yaml });
        const plain = JSON.parse(JSON.stringify(map));
        for (const version of ["1.2", "1.1"] as const) expect(parse(text, { version })).toEqual(plain);
      },
    ),
    { numRuns: 300 },
  );
});

test("a file with its mark is ours until one character of it is another, wherever its mark is and whatever git does to line ends", () => {
  const file = fc.record({
    text: fc.string({ unit: "grapheme" }).map((text) => `${text.replaceAll("\r", "")}\n`),
    comment: fc.constantFrom("#" as const, "//" as const, "<!--" as const),
    markAt: fc.constantFrom("top" as const, "end" as const),
    isScript: fc.boolean(),
  });
  fc.assert(
    fc.property(file, fc.nat(), ({ text, comment, markAt, isScript }, at) => {
      const made = textFile({
        artifact: "scripts",
        path: "x",
        text: isScript ? `#!/bin/sh\n${text}` : text,
        comment,
        markAt,
      });
      const written = marked(made, sha256);
      if (isScript) expect(written.startsWith("#!/bin/sh\n")).toBe(true);
      expect(ownershipOf(written, sha256)).toBe("ours");
      expect(ownershipOf(written.replaceAll("\n", "\r\n"), sha256)).toBe("ours");
      expect(standingOf(made, written, sha256).standing).toBe("same");
      expect(standingOf({ ...made, text: `${made.text}more\n` }, written, sha256).standing).toBe("outdated");
      const place = at % written.length;
      // What the mark's own words are is no content.
      const mark = written.indexOf(`${comment} Written by slipway synth`);
      fc.pre(place <= mark || place >= written.indexOf("\n", mark));
      const changed = `${written.slice(0, place)}\u00a7${written.slice(place)}`;
      expect(["changed", "foreign"]).toContain(standingOf(made, changed, sha256).standing);
      expect(ownershipOf(made.text, sha256)).toBe("foreign");
    }),
    { numRuns: 200 },
  );
});

test("a diff shows every line that goes and every line that comes, and nothing where nothing differs", () => {
  const lines = fc.array(fc.constantFrom("a", "b", "c", "d"), { maxLength: 30 });
  fc.assert(
    fc.property(lines, lines, (before, after) => {
      const shown = diffLines(before.join("\n"), after.join("\n"));
      const count = (sign: string): number => shown.filter((line) => line.startsWith(sign)).length;
      expect(shown.length === 0).toBe(before.join("\n") === after.join("\n"));
      // As many as the two differ in length, and no more than both are long.
      const [old, fresh] = [before.join("\n").split("\n"), after.join("\n").split("\n")];
      expect(count("+") - count("-")).toBe(fresh.length - old.length);
      for (const line of shown.filter((each) => each.startsWith("-"))) expect(old).toContain(line.slice(1));
      for (const line of shown.filter((each) => each.startsWith("+"))) expect(fresh).toContain(line.slice(1));
    }),
    { numRuns: 200 },
  );
  expect(diffLines("a\nb\nc\nd\ne\nf", "a\nb\nc\nd\nE\nf")).toEqual(["@@ line 2", " b", " c", " d", "-e", "+E", " f"]);
});

test("a shell finds the branches that a pattern of the config means", () => {
  const patterns = ["main", "feature/*", "*", "v*.x", "it's", "a[b]*", "?", "$HOME", "*fix*"];
  const names = [
    "main",
    "mainx",
    "feature/a/b",
    "feature",
    "v1.x",
    "v1xx",
    "it's",
    "a[b]c",
    "ab",
    "?",
    "x",
    "$HOME",
    "a-fix-b",
  ];
  const script = patterns
    .flatMap((pattern) => [
      ...names.map((_, index) => `case "$${index + 1}" in ${shellPattern(pattern)}) echo 1 ;; *) echo 0 ;; esac`),
    ])
    .join("\n")
    .replaceAll(/\$(\d\d)/g, (_, number: string) => `\${${number}}`);
  const said = execFileSync("sh", ["-c", script, "sh", ...names], { encoding: "utf8" })
    .trim()
    .split("\n");
  const meant = patterns.flatMap((pattern) => names.map((name) => (textMatcher([pattern])(name) ? "1" : "0")));
  expect(said).toEqual(meant);
});

test("what one artifact needs of the others comes with it", () => {
  expect(withTheirNeeds(["compose"])).toEqual(["compose", "docker", "caddy", "env"]);
  expect(withTheirNeeds(["jenkins", "github", "jenkins"])).toEqual(["github", "jenkins", "scripts"]);
});
