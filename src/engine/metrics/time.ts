import type { EpochMs } from "../../core/ids.ts";
import type { Clock } from "../../ports/clock.ts";

/**
 * The time that samples are kept by: wall time when the control plane began, and from then on the clock that nobody sets. A
 * person or NTP who moves the wall clock neither stretches a window nor empties it.
 */
export class SteadyTime {
  readonly #clock: Pick<Clock, "now" | "monotonicMs">;
  readonly #offsetMs: number;

  constructor(clock: Pick<Clock, "now" | "monotonicMs">) {
    this.#clock = clock;
    this.#offsetMs = clock.now() - clock.monotonicMs();
  }

  now(): EpochMs {
    return this.#offsetMs + this.#clock.monotonicMs();
  }

  /** What the wall clock says, or would have said, at that time. */
  wall(at: EpochMs): EpochMs {
    return at + this.#clock.now() - this.now();
  }
}
