import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import type { StepOutcome } from "../outcome.ts";
import { filesOf, marksOf } from "./files.ts";
import { Foreseen } from "./foreseen.ts";
import { StepCache } from "./store.ts";

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "slipway-foreseen-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
});

const outcome: StepOutcome = { phase: "passed", reason: "", attempt: 1, lines: [], key: null, reports: null };

const name = fc.constantFrom("a", "b", "c", "node_modules");
const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((parts) => parts.join("/"));
const kind = fc.constantFrom("file", "file", "program", "directory", "link");
const tree = fc.array(fc.record({ path, kind, text: fc.constantFrom("", "1", "2") }), { maxLength: 8 });
const pattern = fc.oneof(path, fc.constantFrom(".", "a/*", "**/c", "b/**", "*/b", "a/**/b", "node_modules/**"));
const patterns = fc.array(pattern, { minLength: 1, maxLength: 2 });
const place = fc.constantFrom(".", ".", "a", "a/b");

type Entry = { readonly path: string; readonly kind: string; readonly text: string };

/** What cannot be there, because another is in its way, is left out. */
function write(root: string, entries: readonly Entry[]): void {
  mkdirSync(root, { recursive: true });
  for (const entry of entries) {
    const file = join(root, entry.path);
    try {
      mkdirSync(dirname(file), { recursive: true });
      if (entry.kind === "directory") mkdirSync(file);
      else if (entry.kind === "link") symlinkSync("c", file);
      else writeFileSync(file, entry.text, { flag: "wx", mode: entry.kind === "program" ? 0o755 : 0o644 });
    } catch {}
  }
}

test("what is foreseen is what the files are when outputs have been put back", async () => {
  let foreseenOnes = 0;
  const made = fc.array(fc.record({ place, tree, patterns }), { minLength: 1, maxLength: 3 });
  const asked = fc.array(fc.record({ place, patterns }), { minLength: 3, maxLength: 6 });
  let number = 0;
  await fc.assert(
    fc.asyncProperty(tree, made, asked, async (checkout, steps, questions) => {
      const at = join(directory, String(++number));
      const [top, real] = [join(at, "checkout"), join(at, "real")];
      write(top, checkout);
      cpSync(top, real, { recursive: true, verbatimSymlinks: true });
      const cache = new StepCache(join(at, "cache"));
      const foreseen = new Foreseen(top, await filesOf(top, ["."]));
      for (const [index, step] of steps.entries()) {
        const key = String(index).repeat(64);
        const work = join(at, `work-${index}`);
        write(work, step.tree);
        writeFileSync(join(at, "log"), "");
        await cache.keep(
          key,
          { run: "run_1", tookMs: 1, outcome },
          { directory: work, patterns: step.patterns, log: join(at, "log") },
        );
        const kept = await cache.find(key);
        const outputs = kept === null ? null : await cache.outputsOf(key, kept);
        if (kept === null || outputs === null) throw new Error("it was not kept");
        if (!foreseen.putOver(step.place, step.patterns, outputs)) continue;
        const to = { directory: join(real, step.place), patterns: step.patterns, log: join(at, "log-too"), room: at };
        if (!(await cache.restore(key, kept, to))) return;
      }
      for (const { place: from, patterns: wanted } of questions) {
        const marks = await foreseen.marksOf(from, wanted);
        if (marks === null) continue;
        foreseenOnes += 1;
        const there = await filesOf(join(real, from), wanted).catch(() => []);
        expect(marks).toEqual(await marksOf(join(real, from), there));
      }
    }),
    { numRuns: 100 },
  );
  expect(foreseenOnes).toBeGreaterThan(100);
});

test("each file is looked at once, and nothing is changed", async () => {
  write(directory, [
    { path: "a/one", kind: "file", text: "1" },
    { path: "two", kind: "file", text: "2" },
  ]);
  const foreseen = new Foreseen(directory, ["a/one", "two"]);
  const before = await foreseen.marksOf(".", ["."]);
  expect(foreseen.putOver("a", ["one"], [["one", "x", "digest"]])).toBe(true);
  expect(await foreseen.marksOf(".", ["."])).toEqual([
    ["a/one", "x", "digest"],
    ["two", "-", before?.[1]?.[2]],
  ]);
  expect(await marksOf(directory, ["a/one", "two"])).toEqual(before);
});

test("behind a link nothing is foreseen, also behind one that was put over", async () => {
  write(directory, [
    { path: "real/file", kind: "file", text: "1" },
    { path: "c", kind: "directory", text: "" },
    { path: "way", kind: "link", text: "" },
  ]);
  const foreseen = new Foreseen(directory, await filesOf(directory, ["."]));
  expect(await foreseen.marksOf(".", ["way/file"])).toBeNull();
  expect(await foreseen.marksOf("way", ["."])).toBeNull();
  expect(foreseen.putOver(".", ["way/out"], [])).toBe(false);
  expect(await foreseen.marksOf(".", ["way"])).toEqual([["way", "l", "c"]]);
  expect(foreseen.putOver(".", ["new"], [["new", "l", "real"]])).toBe(true);
  expect(await foreseen.marksOf(".", ["new/file"])).toBeNull();
});
