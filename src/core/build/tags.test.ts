import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { imageTags, toTag } from "./tags.ts";

const commit = "3f9c2b1a77aa77aa77aa77aa77aa77aa77aa77aa";
const plain = { commit, dirty: false, branch: null, nightlyAt: null, release: null, latest: false };

describe("tags of an image:", () => {
  it("a commit alone gives its short hash", () => {
    expect(imageTags(plain)).toEqual(["sha-3f9c2b1a77aa"]);
  });

  it("everything that is known is said, in a fixed order", () => {
    const facts = {
      commit,
      dirty: false,
      branch: "feature/Login form",
      nightlyAt: Date.UTC(2026, 10, 21, 23, 59),
      release: { environment: "preview/42", version: "1.4.0+3" },
      latest: true,
    };
    expect(imageTags(facts)).toEqual([
      "sha-3f9c2b1a77aa",
      "branch-feature-Login-form",
      "nightly-2026-11-21",
      "preview-42-1.4.0-3",
      "latest",
    ]);
  });

  it("a changed working tree never passes for its commit", () => {
    expect(imageTags({ ...plain, dirty: true })).toEqual(["sha-3f9c2b1a77aa-dirty"]);
  });

  it("two names that become one are told once", () => {
    expect(imageTags({ ...plain, release: { environment: "sha", version: "3f9c2b1a77aa" } })).toHaveLength(1);
  });

  it("any text becomes what the OCI grammar allows", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", maxLength: 300 }), (text) => {
        expect(toTag(text)).toMatch(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/);
      }),
    );
  });

  it("what is a tag already stays as it is", () => {
    fc.assert(fc.property(fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/), (tag) => toTag(tag) === tag));
  });
});
