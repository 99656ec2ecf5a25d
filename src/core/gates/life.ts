import type { EpochMs, ReleaseId } from "../ids.ts";

/** A time; null: it lasts. */
export type Span = { readonly from: EpochMs; readonly to: EpochMs | null };

/** How a release has been in an environment: when all traffic was its own there after its bake, and when a rule fired. */
export type Life = { readonly live: readonly Span[]; readonly troubles: readonly Span[] };

/** One deployment of the environment that has brought all traffic to its release. */
export type Arrival = {
  readonly release: ReleaseId;
  readonly stable: ReleaseId | null;
  readonly phase: string;
  readonly liveAt: EpochMs;
  readonly restoredAt: EpochMs | null;
  readonly endedAt: EpochMs | null;
};

/**
 * When the release was live there, oldest first. It begins when its bake has passed, ends when another has all traffic, and begins
 * again when that one is taken back.
 */
export function liveSpans(release: ReleaseId, arrivals: readonly Arrival[]): readonly Span[] {
  const spans: Span[] = [];
  let from: EpochMs | null = null;
  const end = (to: EpochMs): void => {
    if (from !== null) spans.push({ from, to });
    from = null;
  };
  for (const arrival of [...arrivals].sort((a, b) => a.liveAt - b.liveAt)) {
    if (arrival.release === release) {
      if (arrival.phase === "succeeded" && arrival.endedAt !== null) from ??= arrival.endedAt;
      continue;
    }
    const was = from !== null;
    end(arrival.liveAt);
    if (was && arrival.stable === release) from = arrival.restoredAt;
  }
  return from === null ? spans : [...spans, { from, to: null }];
}

/** A turn of a rule, oldest first. */
export type RuleTurn = { readonly at: EpochMs; readonly rule: string; readonly is: "fired" | "resolved" };

/**
 * When rules fired. One that was never said to be over has lost its control plane meanwhile: it lasts unless the rule is known to
 * be well now, and is then over at an unknown time, which is taken to be its firing.
 */
export function troubleSpans(turns: readonly RuleTurn[], isWell: (rule: string) => boolean): readonly Span[] {
  const fired = new Map<string, EpochMs>();
  const spans: Span[] = [];
  for (const { at, rule, is } of turns) {
    const from = fired.get(rule);
    if (is === "fired") fired.set(rule, from ?? at);
    else if (from !== undefined) {
      spans.push({ from, to: at });
      fired.delete(rule);
    }
  }
  return [...spans, ...[...fired].map(([rule, from]) => ({ from, to: isWell(rule) ? from : null }))];
}

/** How long it was live since the last trouble was over; null while one lasts. */
export function livedMs({ live, troubles }: Life, now: EpochMs): number | null {
  if (troubles.some(({ to }) => to === null)) return null;
  const since = Math.max(0, ...troubles.map(({ to }) => to ?? 0));
  return live.reduce((sum, { from, to }) => sum + Math.max(0, Math.min(to ?? now, now) - Math.max(from, since)), 0);
}
