import assert from "node:assert/strict";
import { test } from "node:test";

// Read when greetings are made, in some versions once.
process.env.GREETING ??= "Hello";
const { greet, health, version } = await import("./greeting.js");

test("a greeting is one sentence", () => {
  assert.match(greet("Ada"), /^\p{Lu}[\p{L} ]*(?:, Ada)?[!.]$/u);
});

test("health says which version it is of", () => {
  assert.equal(health().version, version);
});
