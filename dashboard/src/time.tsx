import { useEffect, useState } from "react";
import { agoText, dateTime } from "./time-text.ts";

/** The time, again and again: what is shown of it grows old by itself. */
export function useNow(everyMs = 1_000): number {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return now;
}

/** `3 min ago`, with the whole date for who points at it. */
export function Ago({ at }: { readonly at: number }) {
  const now = useNow();
  return (
    <time dateTime={new Date(at).toISOString()} title={dateTime(at)}>
      {agoText(at, now)}
    </time>
  );
}
