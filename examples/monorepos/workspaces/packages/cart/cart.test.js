import assert from "node:assert/strict";
import { test } from "node:test";
import { price, total } from "./cart.js";

test("the cart adds up", () => {
  assert.equal(total([{ cents: 10 }, { cents: 20 }]), 30);
  assert.equal(total([{ cents: 1999, count: 3 }]), 5997);
  assert.equal(total([]), 0);
});

test("a price has its cents", () => assert.deepEqual([price(5), price(5997)], ["0.05", "59.97"]));
