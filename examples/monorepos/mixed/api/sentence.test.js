import assert from "node:assert/strict";
import { test } from "node:test";
import { words } from "./sentence.js";

test("words are found in any script", () => assert.deepEqual(words("Grüße, Ελλάδα!"), ["grüße", "ελλάδα"]));

test("there may be none", () => assert.deepEqual(words("… 42"), []));
