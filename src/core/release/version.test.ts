import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Commit } from "./commit.ts";
import { nextVersion, parseVersion } from "./version.ts";

const commit = (subject: string, body = ""): Commit => ({ hash: "c0ffee", author: "Ada", at: 0, subject, body });
const next = (last: string | null, ...commits: Commit[]): string =>
  nextVersion({ tags: [], last, commits, dirty: false });

describe("the version of a release", () => {
  it("begins at 0.1.0", () => {
    expect(next(null, commit("feat!: everything"))).toBe("0.1.0");
  });

  it("rises by the largest change among the commits", () => {
    const [feat, fix, breaking] = [commit("feat: x"), commit("fix: x"), commit("fix!: x")];
    expect(next("1.2.3", fix)).toBe("1.2.4");
    expect(next("1.2.3", fix, feat, fix)).toBe("1.3.0");
    expect(next("1.2.3", feat, breaking, fix)).toBe("2.0.0");
  });

  it("rises by a minor for a breaking change before 1.0.0", () => {
    expect(next("0.4.2", commit("feat!: x"))).toBe("0.5.0");
    expect(next("0.4.2", commit("feat: x"))).toBe("0.5.0");
  });

  it("rises also when there is nothing new: an older commit is another release", () => {
    expect(next("1.2.3")).toBe("1.2.4");
  });

  it("is the highest version tag on the commit; other tags say nothing", () => {
    const tagged = (...tags: string[]) => nextVersion({ tags, last: "1.0.0", commits: [], dirty: false });
    expect(tagged("nightly", "v2.5.0", "web-v9.9.9", "v3.0.0-rc.1")).toBe("2.5.0");
    expect(tagged("v1.10.0", "v1.9.0")).toBe("1.10.0");
    expect(tagged("v1.1.0", "v1.2.0")).toBe("1.2.0");
    expect(tagged("nightly")).toBe("1.0.1");
  });

  it("says when the tree was dirty, and does not count from that mark", () => {
    expect(nextVersion({ tags: ["v2.0.0"], last: null, commits: [], dirty: true })).toBe("2.0.0+dirty");
    expect(nextVersion({ tags: [], last: null, commits: [], dirty: true })).toBe("0.1.0+dirty");
    expect(next("1.2.3+dirty", commit("fix: x"))).toBe("1.2.4");
  });

  it("is always higher than the one before", () => {
    const number = fc.nat({ max: 999_999 });
    const subjects = fc.array(fc.constantFrom("feat: a", "fix: b", "feat!: c", "words", "chore: d"), { maxLength: 5 });
    fc.assert(
      fc.property(number, number, number, subjects, (major, minor, patch, lines) => {
        const after = parseVersion(next(`${major}.${minor}.${patch}`, ...lines.map((line) => commit(line))));
        expect(after).not.toBeNull();
        const [a, b, c] = after ?? [0, 0, 0];
        const rose = a > major || (a === major && (b > minor || (b === minor && c > patch)));
        expect(rose).toBe(true);
      }),
    );
  });

  it("is three numbers and nothing else", () => {
    expect(parseVersion("v1.2.3")).toEqual([1, 2, 3]);
    for (const text of ["1.2", "1.2.3.4", "1.2.3-rc", "V1.2.3", " 1.2.3", "1.2.3\n", "99999999999.0.0", "1.-2.3"]) {
      expect(parseVersion(text)).toBeNull();
    }
  });
});
