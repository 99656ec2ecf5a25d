import { type Ruled, ruledRate } from "./product.ts";
import { Random } from "./random.ts";
import { scaledRate } from "./scaling.ts";

/** One world in so many has somebody who restarts unhealthy instances: that costs time in each second of it. */
const tendedShare = 0.15;
/** One in so many has instances that come and go with the load. */
const scaledShare = 0.15;
/** One in so many has a rule in its configs, where neither of the two is. */
const ruledShare = 0.15;

/** One in so many, where none of these is, has three hosts, of which one goes away at times. */
const losingShare = 0.2;

/** What a world is like, from its first release to its last. */
export type Kind = {
  readonly containers: boolean;
  readonly tended: boolean;
  readonly scaled: boolean;
  readonly ruled: Ruled | null;
  /** Whole hosts are lost. */
  readonly losing: boolean;
  /** Requests a second. */
  readonly rate: number;
  readonly hosts: number;
};

/** All of it follows from the seed. */
export function drawKind(seed: number, random: Random): Kind {
  const rate = random.weighted([
    [0.2, 1],
    [5, 2],
    [50, 3],
    [500, 1],
  ]);
  const containers = random.chance(0.4);
  const hosts = random.weighted([
    [1, 3],
    [2, 2],
    [3, 1],
  ]);
  const scaled = new Random(seed, "scaled").chance(scaledShare);
  const tended = new Random(seed, "tended").chance(tendedShare);
  const drawn = new Random(seed, "ruled");
  const isRuled = drawn.chance(ruledShare) && !tended && !scaled;
  const losing = new Random(seed, "losing").chance(losingShare) && !tended && !scaled && !isRuled;
  return {
    containers: containers || losing,
    tended,
    scaled,
    ruled: isRuled ? drawn.pick<Ruled>(["acts", "acts", "says"]) : null,
    losing,
    rate: scaled ? scaledRate(rate) : isRuled ? Math.max(ruledRate, rate) : rate,
    hosts: losing ? 3 : hosts,
  };
}
