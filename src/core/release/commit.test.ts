import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readCommit, shortened } from "./commit.ts";

const read = (subject: string, body = "") => readCommit({ subject, body });

describe("a commit message", () => {
  it("is read after Conventional Commits", () => {
    expect(read("feat(cart): pay by invoice")).toEqual({
      type: "feat",
      scope: "cart",
      text: "pay by invoice",
      change: "minor",
    });
    expect(read("fix: round half up")).toEqual({ type: "fix", scope: null, text: "round half up", change: "patch" });
    expect(read("Chore(deps-dev): raise x")).toMatchObject({ type: "chore", scope: "deps-dev", change: "patch" });
  });

  it("is a breaking change with a bang or a footer, whatever its type", () => {
    expect(read("feat!: no more XML").change).toBe("major");
    expect(read("refactor(api)!: rename").change).toBe("major");
    expect(read("fix: x", "Some words.\n\nBREAKING CHANGE: the port is another").change).toBe("major");
    expect(read("fix: x", "BREAKING-CHANGE: the port is another").change).toBe("major");
    expect(read("no convention", "BREAKING CHANGE: all of it").change).toBe("major");
  });

  it("is not a breaking change for only speaking of one", () => {
    expect(read("docs: what a BREAKING CHANGE: is").change).toBe("patch");
    expect(read("fix: x", "this is no BREAKING CHANGE: really").change).toBe("patch");
    expect(read("fix: x", "breaking change: lower case is not the footer").change).toBe("patch");
  });

  it("in no convention is a patch, with its whole subject as text", () => {
    for (const subject of [
      "Merge branch 'x' into y",
      "fix:no space",
      "feat : x",
      ": x",
      "",
      "fixup! feat: x",
      "feat(a)(b): x",
    ]) {
      expect(read(subject)).toEqual({ type: null, scope: null, text: subject, change: "patch" });
    }
  });

  it("with an empty scope has none", () => {
    expect(read("feat(): x")).toMatchObject({ type: "feat", scope: null, text: "x" });
  });
});

describe("a commit that is kept", () => {
  const commit = (subject: string, body: string) => ({ hash: "c0ffee", author: "Ada", at: 0, subject, body });

  it("is as it was, when its message is one that people write", () => {
    const usual = commit("feat: x", "Some words.\n\nBREAKING CHANGE: the port");
    expect(shortened(usual)).toBe(usual);
  });

  it("is never long, and says the same about its release, however long its message is", () => {
    const line = fc.oneof(
      fc.string({ maxLength: 200 }),
      fc.constant("BREAKING CHANGE: all of it"),
      fc.constant(`Co-authored-by: ${"A".repeat(400)} <ada@example.org>`),
      fc.constant("x".repeat(30_000)),
    );
    fc.assert(
      fc.property(
        fc.constantFrom("feat: x", "fix(a)!: y", "words", "feat: ".padEnd(40_000, "z")),
        fc.array(line),
        (subject, lines) => {
          const long = commit(subject, lines.join("\n"));
          const kept = shortened(long);
          expect(kept.subject.length + kept.body.length).toBeLessThan(3_000);
          expect(readCommit(kept).change).toBe(readCommit(long).change);
        },
      ),
    );
  });
});
