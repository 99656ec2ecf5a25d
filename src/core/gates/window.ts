import type { EpochMs } from "../ids.ts";
import type { FreezeSpec, GatesSpec, WindowSpec } from "../product/gates-spec.ts";
import { nextTime } from "./cron.ts";
import type { GateReading } from "./reading.ts";

type Calendar = Pick<GatesSpec, "windows" | "freezes">;

/** How far is looked for the next opening. */
const horizonMs = 366 * 24 * 3_600_000;
/** Beginnings and ends that are looked at for it: more are a config that nobody understands. */
const maxTurns = 200;
/** Windows that follow each other without a gap are one, up to so many. */
const maxJoined = 30;

/**
 * Until when a window is open that is open now, joined with those that follow without a gap; null when it is not. It begins at the
 * times of its cron and lasts its duration in real time, also when the clocks are changed meanwhile. Its end is not in it.
 */
export function openUntil({ cron, durationMs, timeZone }: WindowSpec, now: EpochMs): EpochMs | null {
  let begin = nextTime(cron, timeZone, now - durationMs);
  if (begin === null || begin > now) return null;
  let until = begin + durationMs;
  for (let joined = 0; joined < maxJoined; joined += 1) {
    begin = nextTime(cron, timeZone, begin);
    if (begin === null || begin > until) break;
    until = begin + durationMs;
  }
  return until;
}

/** The first instant, now or later, at which deployments may begin: in a window, where there are any, and in no freeze. Null: none within a year. */
export function opensAt({ windows, freezes }: Calendar, now: EpochMs): EpochMs | null {
  let at = now;
  for (let turn = 0; turn < maxTurns && at <= now + horizonMs; turn += 1) {
    const frozen = latest(freezes, at);
    if (frozen !== null) at = frozen;
    else if (windows.length === 0 || latest(windows, at) !== null) return at;
    else {
      const next = nextBegin(windows, at);
      if (next === null) return null;
      at = next;
    }
  }
  return null;
}

/** How windows and freezes stand. A freeze beats a window; one that is not in force is not spoken of. */
export function readCalendar(calendar: Calendar, now: EpochMs): readonly GateReading[] {
  const { windows, freezes } = calendar;
  const opens = opensAt(calendar, now);
  const frozen = freezes.filter((freeze) => openUntil(freeze, now) !== null);
  return [
    ...(windows.length === 0 ? [] : [readWindows(windows, opens, now)]),
    ...(frozen.length === 0 ? [] : [readFreezes(frozen, opens, now)]),
  ];
}

function readWindows(windows: readonly WindowSpec[], opens: EpochMs | null, now: EpochMs): GateReading {
  const zone = windows[0]?.timeZone ?? "UTC";
  const until = latest(windows, now);
  if (until !== null) return { gate: "window", open: true, says: `open until ${timeText(until, zone)}`, opensAt: null };
  return { gate: "window", open: false, says: `its window ${opening(opens, zone)}`, opensAt: opens };
}

function readFreezes(frozen: readonly FreezeSpec[], opens: EpochMs | null, now: EpochMs): GateReading {
  const zone = frozen[0]?.timeZone ?? "UTC";
  const until = latest(frozen, now) ?? now;
  const why = frozen.flatMap(({ reason }) => reason ?? []).join(", ");
  const says = `frozen until ${timeText(until, zone)}${why === "" ? "" : `: ${why}`}; ${opening(opens, zone)}`;
  return { gate: "freeze", open: false, says, opensAt: opens };
}

function opening(opens: EpochMs | null, zone: string): string {
  return opens === null ? "does not open within a year" : `opens ${timeText(opens, zone)}`;
}

function latest(windows: readonly WindowSpec[], now: EpochMs): EpochMs | null {
  const ends = windows.map((window) => openUntil(window, now)).filter((until) => until !== null);
  return ends.length === 0 ? null : Math.max(...ends);
}

function nextBegin(windows: readonly WindowSpec[], after: EpochMs): EpochMs | null {
  const begins = windows.map(({ cron, timeZone }) => nextTime(cron, timeZone, after)).filter((at) => at !== null);
  return begins.length === 0 ? null : Math.min(...begins);
}

/** `Fri 2026-11-27 09:00 Europe/Berlin`. */
export function timeText(at: EpochMs, timeZone: string): string {
  const parts = new Intl.DateTimeFormat("en-US", {
    timeZone,
    weekday: "short",
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
    hourCycle: "h23",
  }).formatToParts(at);
  const part = (type: string) => parts.find((each) => each.type === type)?.value ?? "";
  const day = `${part("weekday")} ${part("year")}-${part("month")}-${part("day")}`;
  return `${day} ${part("hour")}:${part("minute")} ${timeZone}`;
}
