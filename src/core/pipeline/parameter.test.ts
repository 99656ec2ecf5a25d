import fc from "fast-check";
import { expect, it, test } from "vitest";
import { kindOf, kindText, readValue } from "./parameter.ts";

const shards = kindOf({ type: "integer", default: 2, min: 1, max: 8 });

it.each([
  ["3", "3"],
  [3, "3"],
  ["3.0", "3"],
  ["007", "7"],
])("%j is the whole number %s", (said, value) => {
  expect(readValue(shards, said)).toEqual({ value });
});

it.each(["", " 3", "2.5", "0x4", "1e0", "9", "0", "-1", "three", true, Number.NaN])("%j is none", (said) => {
  expect(readValue(shards, said)).toEqual({ allowed: "a whole number from 1 to 8" });
});

it("a boolean is true or false, and nothing that others take for one", () => {
  const kind = kindOf({ default: false });
  expect(["true", true, false].map((said) => readValue(kind, said))).toEqual(
    ["true", "true", "false"].map((value) => ({ value })),
  );
  for (const said of ["1", "yes", "TRUE", "", 1]) expect(readValue(kind, said)).toEqual({ allowed: "true or false" });
});

it("says what is allowed", () => {
  expect(
    [
      kindOf({}),
      kindOf({ allowed: ["quick", "full", "both"] }),
      kindOf({ allowed: [1, 2] }),
      kindOf({ default: 0.5, min: 0 }),
      kindOf({ type: "number", max: 1 }),
      kindOf({ type: "number" }),
    ].map(kindText),
  ).toEqual([
    "any text",
    "quick, full or both",
    "1 or 2",
    "a number of at least 0",
    "a number of at most 1",
    "a number",
  ]);
});

test("whatever is said, a value that is taken is one that would be taken again, as it is", () => {
  const kinds = [
    shards,
    kindOf({ default: 0.5 }),
    kindOf({ default: true }),
    kindOf({ allowed: ["a", "b"] }),
    kindOf({}),
  ];
  fc.assert(
    fc.property(
      fc.constantFrom(...kinds),
      fc.oneof(
        fc.string(),
        fc.double(),
        fc.integer(),
        fc.boolean(),
        fc.integer().map(String),
        fc.constantFrom("a", "b"),
      ),
      (kind, said) => {
        const read = readValue(kind, said);
        if ("value" in read) expect(readValue(kind, read.value)).toEqual(read);
      },
    ),
  );
});
