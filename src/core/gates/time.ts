import type { EpochMs } from "../ids.ts";
import { formatDuration } from "../product/units.ts";
import { type Life, livedMs } from "./life.ts";
import type { GateReading } from "./reading.ts";
import { timeText } from "./window.ts";

/** So long after something. */
export function readWait(
  waitMs: number,
  { at, event }: { readonly at: EpochMs; readonly event: string },
  now: EpochMs,
): GateReading {
  const opensAt = at + waitMs;
  const length = `${formatDuration(waitMs)} after ${event}`;
  if (now >= opensAt) return { gate: "wait", open: true, says: length, opensAt: null };
  return { gate: "wait", open: false, says: `opens ${timeText(opensAt, "UTC")}, ${length}`, opensAt };
}

/** Has the release lived long enough in the environment before, without a rule that fired? */
export function readBaked(
  bakedMs: number,
  { environment, life }: { readonly environment: string; readonly life: Life },
  now: EpochMs,
): GateReading {
  const shut = (says: string, opensAt: EpochMs | null = null): GateReading => ({
    gate: "baked",
    open: false,
    says,
    opensAt,
  });
  const lived = livedMs(life, now);
  if (lived === null)
    return shut(`a rule fires in ${environment} now; the ${formatDuration(bakedMs)} begin when that is over`);
  const wanted = formatDuration(bakedMs);
  const has = formatDuration(Math.floor(lived / 1_000) * 1_000);
  const calm = life.troubles.length === 0 ? "without a rule that fired" : "since the last rule that fired";
  if (lived >= bakedMs) return { gate: "baked", open: true, says: `${has} in ${environment} ${calm}`, opensAt: null };
  const so = `${has} of ${wanted} in ${environment} ${calm}`;
  if (life.live.at(-1)?.to !== null) return shut(`${so}, and it is not live there now`);
  const opensAt = now + bakedMs - lived;
  return shut(`${so}; opens ${timeText(opensAt, "UTC")}`, opensAt);
}
