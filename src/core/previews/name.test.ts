import fc from "fast-check";
import { expect, test } from "vitest";
import { environmentName } from "../ids.ts";
import { isRefName } from "../triggers/event.ts";
import { ownPart, previewHost, previewName, templateOf } from "./name.ts";

const template = environmentName("preview");
const ofBranch = (name: string) => previewName(template, { kind: "branch", name });
const ofPull = (name: string) => previewName(template, { kind: "pull-request", name, head: `refs/pull/${name}/head` });

test("a plain branch keeps its name; every other one has what tells it from its likes", () => {
  expect(ofBranch("cart")).toBe("preview/cart");
  expect(ofBranch("new-cart-2")).toBe("preview/new-cart-2");
  expect(ofBranch("feature/cart")).toMatch(/^preview\/feature-cart-[0-9a-f]{8}$/);
  expect(ofBranch("Feature/Cart")).not.toBe(ofBranch("feature/cart"));
  expect(ofBranch("ünïcode")).toMatch(/^preview\/n-code-[0-9a-f]{8}$/);
  expect(ofBranch("日本")).toMatch(/^preview\/branch-[0-9a-f]{8}$/);
  expect(ofPull("12")).toBe("preview/pr-12");
  expect(previewHost("{name}.preview.example.org", ofPull("12"))).toBe("pr-12.preview.example.org");
});

test("no branch takes the name of a pull request, nor that of a branch whose name was shortened", () => {
  expect(ofBranch("pr-12")).not.toBe(ofPull("12"));
  const shortened = ownPart(ofBranch("feature/cart"));
  expect(ofBranch(shortened)).not.toBe(ofBranch("feature/cart"));
});

/** Names that git takes, with everything in them that it takes. */
const branch = fc
  .oneof(
    fc.string({ unit: "grapheme", maxLength: 80 }),
    fc.string({ unit: fc.constantFrom(..."ab1-/._$;&|`'\"<>(){}!#%,=+ "), maxLength: 80 }),
    fc.stringMatching(/^(?:pr-\d{1,3}|[a-z]{1,4}-[0-9a-f]{8}|[a-c]{1,2}[-/][a-c])$/),
  )
  .filter((name) => name !== "" && isRefName(name));

test("whatever a branch is called, its preview's name is one of an environment, a host and a path, and it is its own", () => {
  fc.assert(
    fc.property(fc.uniqueArray(branch, { maxLength: 30 }), fc.uniqueArray(fc.nat({ max: 999 })), (branches, pulls) => {
      const names = [...branches.map(ofBranch), ...pulls.map((each) => ofPull(`${each}`))];
      for (const name of names) {
        expect(name).toMatch(/^preview\/[a-z](?:[a-z0-9-]{0,38}[a-z0-9])?$/);
        expect(templateOf(name)).toBe(template);
        expect(previewHost("x-{name}.example.org", name)).toMatch(/^[a-z0-9-]{1,63}\.example\.org$/);
      }
      expect(new Set(names).size).toBe(names.length);
    }),
  );
});
