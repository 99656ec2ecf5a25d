import { expect, it } from "vitest";
import { SimDatabase } from "./store.ts";
import { tell } from "./story.ts";

/**
 * In the first a host never comes back; in the third one is away that has what was to be stopped; in the last one what takes the place of an
 * instance has only started when a rolling deployment comes, and the host of another one goes.
 */
const seeds = [800_009, 800_017, 800_225, 823_730, 3_200_790];

it.each(seeds)(
  "what ran on a host that is lost runs on the others, in the world of seed %i",
  async (seed) => {
    const { broken, tally } = await tell(seed, await SimDatabase.open(), { trace: false });
    expect(broken).toEqual([]);
    expect(tally["lost hosts replaced"]).toBeGreaterThan(0);
  },
  120_000,
);
