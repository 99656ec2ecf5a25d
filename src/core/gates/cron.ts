import { Cron } from "croner";
import type { EpochMs } from "../ids.ts";

const known = new Map<string, Cron>();
const maxKnown = 200;

/**
 * Five fields, or one local time such as 2026-12-20T00:00. A local time that the clock jumps over is the instant after the jump; one
 * that comes twice is its first. Throws what is wrong with it.
 */
function cronOf(cron: string, timeZone: string): Cron {
  const key = `${timeZone} ${cron}`;
  const found = known.get(key);
  if (found !== undefined) return found;
  const made = new Cron(cron, { timezone: timeZone, paused: true, ...(isOnce(cron) ? {} : { mode: "5-part" }) });
  if (known.size >= maxKnown) known.clear();
  known.set(key, made);
  return made;
}

/** The next time after `after`; null when there is none. Pure: it is told the time. */
export function nextTime(cron: string, timeZone: string, after: EpochMs): EpochMs | null {
  return cronOf(cron, timeZone).nextRun(new Date(after))?.getTime() ?? null;
}

/** Why it is none; null when it is one. */
export function whyNoCron(cron: string): string | null {
  const fields = cron.trim().split(/\s+/).length;
  if (!isOnce(cron) && fields !== 5) return `it has ${fields} ${fields === 1 ? "field" : "fields"}`;
  try {
    return nextTime(cron, "UTC", 0) === null ? "it never comes" : null;
  } catch (error) {
    return error instanceof Error ? error.message.replace(/^CronPattern: /, "") : String(error);
  }
}

export function isTimeZone(timeZone: string): boolean {
  try {
    new Intl.DateTimeFormat("en-US", { timeZone });
    return true;
  } catch {
    return false;
  }
}

function isOnce(cron: string): boolean {
  return /^\d{4}-\d{2}-\d{2}T/.test(cron);
}
