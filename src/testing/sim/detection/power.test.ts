import { expect, it } from "vitest";
import { Random } from "../random.ts";
import { experiment, type Found } from "./power.ts";

/** So often, each with a seed of its own. */
const often = 300;

function found(side: Parameters<typeof experiment>[0], share: number): readonly NonNullable<Found>[] {
  const all = Array.from({ length: often }, (_, seed) => experiment(side, share, new Random(seed, "power")));
  return all.filter((each) => each !== null);
}

it.each(["beside stable", "after stable"] as const)(
  "%s a candidate that is no worse is hardly ever found worse, and a bad one always, the sooner the worse it is",
  (side) => {
    expect(found(side, 0.01).length).toBeLessThanOrEqual(often * 0.01);
    const [bad, worse] = [found(side, 0.1), found(side, 0.5)];
    expect([bad.length, worse.length]).toEqual([often, often]);
    const answers = (all: readonly NonNullable<Found>[]) => all.reduce((sum, each) => sum + each.answers, 0);
    expect(answers(worse)).toBeLessThan(answers(bad) / 2);
  },
);
