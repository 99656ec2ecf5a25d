import type { EpochMs } from "../../ids.ts";

/** When a rule holds: days of the week, minutes of the day, in a time zone. */
export type Schedule = {
  /** 1 is Monday. */
  readonly days: readonly number[];
  readonly fromMinute: number;
  /** Not in it any more. 1440 is midnight. */
  readonly toMinute: number;
  readonly zone: string;
  readonly text: string;
};

const dayNames = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const;
const pattern = /^([a-z]{3})(?:-([a-z]{3}))?\s+(\d{1,2}):(\d{2})-(\d{1,2}):(\d{2})(?:\s+([A-Za-z_+\-/0-9]+))?$/;

/** `mon-fri 09:00-17:00 Europe/Berlin`; without a zone it is UTC. Null when it is none. */
export function parseSchedule(text: string): Schedule | null {
  const found = pattern.exec(text.trim());
  if (found === null) return null;
  const [, first = "", last = first, fromHour, fromMin, toHour, toMin, zone = "UTC"] = found;
  const [from, to] = [first, last].map((name) => dayNames.indexOf(name as (typeof dayNames)[number]));
  if (from === undefined || to === undefined || from < 0 || to < 0 || !isZone(zone)) return null;
  const [fromMinute, toMinute] = [Number(fromHour) * 60 + Number(fromMin), Number(toHour) * 60 + Number(toMin)];
  if (Number(fromMin) > 59 || Number(toMin) > 59 || fromMinute >= toMinute || toMinute > 1_440) return null;
  const count = ((to - from + 7) % 7) + 1;
  const days = Array.from({ length: count }, (_, index) => ((from + index) % 7) + 1);
  return { days, fromMinute, toMinute, zone, text: text.trim() };
}

export function isIn(schedule: Schedule, now: EpochMs): boolean {
  const parts = new Intl.DateTimeFormat("en-US", {
    timeZone: schedule.zone,
    weekday: "short",
    hour: "2-digit",
    minute: "2-digit",
    hourCycle: "h23",
  }).formatToParts(now);
  const part = (type: string) => parts.find((each) => each.type === type)?.value ?? "";
  const day = dayNames.indexOf(part("weekday").toLowerCase() as (typeof dayNames)[number]) + 1;
  const minute = Number(part("hour")) * 60 + Number(part("minute"));
  return schedule.days.includes(day) && minute >= schedule.fromMinute && minute < schedule.toMinute;
}

function isZone(zone: string): boolean {
  try {
    new Intl.DateTimeFormat("en-US", { timeZone: zone });
    return true;
  } catch {
    return false;
  }
}
