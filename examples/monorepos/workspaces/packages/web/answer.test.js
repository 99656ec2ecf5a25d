import assert from "node:assert/strict";
import { test } from "node:test";
import { answer } from "./answer.js";

const ask = (path) => answer(new URL(path, "http://shop.example"));

test("the total of a cart is told", () =>
  assert.deepEqual(ask("/total?cents=10&cents=20"), { status: 200, text: "0.30\n" }));

test("what is no number is refused", () => assert.equal(ask("/total?cents=ten").status, 400));

test("health is told, and other paths are not there", () =>
  assert.deepEqual([ask("/up").status, ask("/").status], [200, 404]));
