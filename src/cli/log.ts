import type { Log, LogFields } from "../ports/log.ts";

/** One JSON line an event. The same event with the same fields again within a minute is counted, not written. */
const repeatMs = 60_000;

export function jsonLog(write: (line: string) => void, now: () => number = Date.now): Log {
  const last = new Map<string, { at: number; repeats: number }>();
  const emit = (level: string, event: string, fields: LogFields): void => {
    const key = `${level} ${event} ${JSON.stringify(fields)}`;
    const before = last.get(key);
    if (before !== undefined && now() - before.at < repeatMs) {
      before.repeats += 1;
      return;
    }
    if (last.size > 1_000) last.clear();
    last.set(key, { at: now(), repeats: 0 });
    const repeats = before === undefined || before.repeats === 0 ? {} : { repeated: before.repeats };
    write(`${JSON.stringify({ at: new Date(now()).toISOString(), level, event, ...fields, ...repeats })}\n`);
  };
  return {
    info: (event, fields = {}) => emit("info", event, fields),
    warn: (event, fields = {}) => emit("warn", event, fields),
    error: (event, fields = {}) => emit("error", event, fields),
  };
}
