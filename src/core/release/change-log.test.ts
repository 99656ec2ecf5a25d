import fc from "fast-check";
import { expect, it } from "vitest";
import { changeLog } from "./change-log.ts";
import type { Commit } from "./commit.ts";

const commit = (hash: string, subject: string, body = ""): Commit => ({
  hash: hash.padEnd(40, "0"),
  author: "Ada",
  at: 0,
  subject,
  body,
});

it("groups commits for a reader: what breaks first, the rest last, in the order given", () => {
  expect(
    changeLog([
      commit("a1", "fix(cart): round half up"),
      commit("a2", "feat: pay by invoice"),
      commit("a3", "Merge branch 'x'"),
      commit("a4", "feat(api)!: no more XML"),
      commit("a5", "hotfix: stop the bleeding"),
      commit("a6", "chore: tidy"),
      commit("a7", "fix: port", "BREAKING CHANGE: it is 8080 now"),
      commit("a8", "perf: faster"),
      commit("a9", "revert: feat: x"),
    ]),
  ).toEqual([
    { title: "Breaking changes", lines: ["api: no more XML (a400000)", "port (a700000)"] },
    { title: "Features", lines: ["pay by invoice (a200000)"] },
    { title: "Fixes", lines: ["cart: round half up (a100000)", "stop the bleeding (a500000)"] },
    { title: "Performance", lines: ["faster (a800000)"] },
    { title: "Reverts", lines: ["feat: x (a900000)"] },
    { title: "Other changes", lines: ["Merge branch 'x' (a300000)", "tidy (a600000)"] },
  ]);
});

it("is empty without commits", () => {
  expect(changeLog([])).toEqual([]);
});

it("tells of every commit exactly once, whatever its message", () => {
  const subject = fc.oneof(
    fc.string(),
    fc.constantFrom("feat: a", "FIX: b", "perf(x)!: c", "revert: d", "chore: e", "Fix(): f"),
  );
  const body = fc.constantFrom("", "BREAKING CHANGE: x", "words");
  fc.assert(
    fc.property(fc.array(fc.tuple(subject, body)), (messages) => {
      const commits = messages.map(([line, text], index) => commit(`c${index}x`, line, text));
      const lines = changeLog(commits).flatMap((section) => section.lines);
      expect(lines).toHaveLength(commits.length);
      for (const { hash } of commits)
        expect(lines.filter((line) => line.endsWith(`(${hash.slice(0, 7)})`))).toHaveLength(1);
    }),
  );
});
