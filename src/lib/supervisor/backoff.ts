/** When an ended process is started again. Times are monotonic, so a clock that is set changes nothing. */
export type Backoff = {
  readonly delayMs: number;
  /** Times of the latest exits, inside the window. */
  readonly exits: readonly number[];
  readonly looping: boolean;
};

const firstDelayMs = 100;
const longestDelayMs = 30_000;
/** A process that lived so long has started well: its next exit is the first again. */
const goodLifeMs = 10_000;
const loopExits = 5;
const loopWindowMs = 60_000;

export const noBackoff: Backoff = { delayMs: 0, exits: [], looping: false };

/**
 * After an exit: 100 ms, doubling to 30 s. Five exits within a minute are a crash loop; it is still tried every 30 s, and is
 * over when one life has been long enough.
 */
export function afterExit(before: Backoff, lifeMs: number, now: number): Backoff {
  const good = lifeMs >= goodLifeMs;
  const exits = [...before.exits.filter((at) => now - at < loopWindowMs), now].slice(-loopExits);
  const looping = exits.length >= loopExits || (before.looping && !good);
  const doubled = good || before.delayMs === 0 ? firstDelayMs : Math.min(before.delayMs * 2, longestDelayMs);
  return { delayMs: looping ? longestDelayMs : doubled, exits, looping };
}
