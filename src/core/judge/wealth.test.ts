import fc from "fast-check";
import { expect, it } from "vitest";
import { bet, openPurse, worth } from "./wealth.ts";

it("a purse is worth what all its bets are worth, each counted alone from the block in which it was made", () => {
  const gains = fc.array(fc.array(fc.double({ min: -2, max: 2, noNaN: true }), { minLength: 3, maxLength: 3 }), {
    minLength: 1,
    maxLength: 40,
  });
  fc.assert(
    fc.property(gains, (blocks) => {
      let purse = openPurse(3);
      const bets: { readonly guess: number; readonly from: number; readonly amount: number }[] = [];
      blocks.forEach((block, index) => {
        const before = purse.rest;
        purse = bet(purse, (guess) => block[guess]!);
        for (let guess = 0; guess < 3; guess += 1) bets.push({ guess, from: index, amount: (before - purse.rest) / 3 });
      });
      const won = bets.map(
        ({ guess, from, amount }) =>
          amount * Math.exp(blocks.slice(from).reduce((sum, block) => sum + block[guess]!, 0)),
      );
      const slow = won.reduce((sum, each) => sum + each, purse.rest);
      expect(worth(purse) / slow).toBeCloseTo(1, 9);
      expect(bets.reduce((sum, each) => sum + each.amount, purse.rest)).toBeCloseTo(1, 12);
    }),
  );
});

it("a purse never leaves the numbers, and money is still there for what begins late", () => {
  let purse = openPurse(2);
  for (let block = 0; block < 3_000; block += 1) purse = bet(purse, () => -5);
  expect(worth(purse)).toBeGreaterThan(0.05);
  for (let block = 0; block < 3_000; block += 1) purse = bet(purse, () => 5_000);
  expect(worth(purse)).toBe(1e300);
  for (let block = 0; block < 3_000; block += 1) purse = bet(purse, () => Number.NEGATIVE_INFINITY);
  expect(worth(purse)).toBeGreaterThan(0);
});
