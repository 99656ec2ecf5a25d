import type { Clocks } from "../../core/deploy/clocks.ts";
import type { Clock } from "../../ports/clock.ts";

/** What the clocks show now. */
export function clocksOf(clock: Clock): Clocks {
  return { wallMs: clock.now(), steadyMs: clock.monotonicMs(), boot: clock.boot };
}
