import type { GateReading } from "./reading.ts";

/** A window, a freeze or a budget that somebody passes by, with a reason; what is open needs nobody. */
export function passedBy(
  reading: GateReading,
  override: { readonly by: string; readonly reason: string } | null,
): GateReading {
  if (reading.open || override === null) return reading;
  const says = `${reading.says}; passed by ${override.by}: ${override.reason}`;
  return { ...reading, open: true, opensAt: null, says };
}
