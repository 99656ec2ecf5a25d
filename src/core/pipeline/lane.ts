import { murmur32 } from "../hash.ts";

/** So many runs that make no release are under way at once, besides one that makes one, and load tests. */
export const checkLanes = 3;

/** What says beside which others a run goes. */
export type LaneOf = {
  readonly product: string;
  /** The branch it is for, where one was named, else its commit. */
  readonly ref: string;
  /** Whether it makes a release. */
  readonly release: boolean;
  /** The environment whose load tests it runs. */
  readonly loadTest: string | null;
};

/**
 * The lane that a run waits in: those of one lane go one after the other, as they were asked for. Releases have one, so their numbers are
 * in the order of their runs; so have the load tests of each environment, which would measure each other. All other runs share
 * `checkLanes` by their branch, so those of one branch are in order and a pull request does not wait for every other.
 */
export function laneOf({ product, ref, release, loadTest }: LaneOf): string {
  if (loadTest !== null) return `run/${product}/load-test/${loadTest}`;
  return release ? `run/${product}` : `run/${product}/check/${murmur32(ref) % checkLanes}`;
}
