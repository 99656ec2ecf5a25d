import type { EpochMs } from "../ids.ts";
import { valueText } from "../judge/rule/text.ts";
import type { Measured } from "../metric/measured.ts";
import type { ScaleSpec } from "../product/spec.ts";
import { formatDuration } from "../product/units.ts";
import { limitText, type ScaleTarget } from "./target.ts";

/** What was measured of a target in one look. */
export type TargetReading = { readonly target: ScaleTarget; readonly measured: Measured };

/** What is remembered from look to look. Begins anew with another number of instances, another release, and another control plane. */
export type ScaleState = {
  /** Of how many instances the looks were. */
  readonly count: number;
  readonly lookedAt: EpochMs;
  /** Since when every look wanted more, and what the most modest of them wanted; null when the last one did not. */
  readonly up: { readonly since: EpochMs; readonly least: number } | null;
  /** Since when every look left room for fewer, and what the most demanding of them wanted. */
  readonly down: { readonly since: EpochMs; readonly most: number } | null;
};

/** What is remembered of the past over restarts. Times are of the wall clock. */
export type ScalePast = {
  readonly downAt: EpochMs | null;
  /** How often in a row what was taken away had soon to be brought back. */
  readonly relapses: number;
  /** When an instance more did not become healthy. */
  readonly failedAt: EpochMs | null;
};

export const noPast: ScalePast = { downAt: null, relapses: 0, failedAt: null };

export type ScaleInput = {
  readonly spec: ScaleSpec;
  readonly count: number;
  readonly readings: readonly TargetReading[];
  readonly state: ScaleState | null;
  readonly past: ScalePast;
  /** Why the number must stay as it is, whatever is measured: a deployment is under way, a person has said so. Null: it may change. */
  readonly held: string | null;
  /** Of the looks; only rises. */
  readonly now: EpochMs;
  /** Of the wall, for the past. */
  readonly wallNow: EpochMs;
};

/** `to` is the number to come; the same as now with `hold`. */
export type ScaleDecision = {
  readonly next: ScaleState | null;
  readonly do: "up" | "down" | "hold";
  readonly to: number;
  readonly reason: string;
};

/** As much room is left below a target when an instance goes: what is just right must not look like too much at once. */
const roomBelow = 0.9;
/** What nobody can reckon with has to be far from too much. */
const farBelow = 0.5;
/** Longer between two looks than this, nothing is known of the time between. */
const longestGapMs = 5_000;
/** Within this of going, an instance that has to come again should not have gone. */
const leastRelapseMs = 10 * 60_000;
const longestDownMs = 24 * 3_600_000;
/** After an instance that did not become healthy. */
const afterFailureMs = 5 * 60_000;

/**
 * Looks once. Up when, in every look for `upAfter`, some target wanted more; down when, in every look for `downAfter`, all of them
 * were known and left room for fewer. So what is unknown never brings an instance and never takes one, and a load that stays the
 * same brings about the same number: what is taken away is reckoned to leave room afterwards, and where that cannot be reckoned and
 * proves wrong, the wait is twice as long each time.
 */
export function decideScale(input: ScaleInput): ScaleDecision {
  const { spec, count, held } = input;
  if (held !== null) return { next: null, do: "hold", to: count, reason: held };
  const bounded = Math.min(spec.max, Math.max(spec.min, count));
  if (bounded !== count) {
    const reason = `${counts(count, bounded)}: the limits are ${spec.min} to ${spec.max}`;
    return { next: null, do: bounded > count ? "up" : "down", to: bounded, reason };
  }
  const looks = input.readings.map((reading) => lookAt(reading, count));
  const next = remember(input, looks);
  return decideOn(input, next, looks);
}

type Look = {
  readonly reading: TargetReading;
  /** How many instances it wants; null when it is not known. */
  readonly wants: number | null;
};

function lookAt(reading: TargetReading, count: number): Look {
  const { target, measured } = reading;
  // Written so that what is no number wants nothing.
  const isKnown = measured.is === "known" && Number.isFinite(measured.value);
  return { reading, wants: isKnown ? wantOf(target, measured.value, count) : null };
}

/** How many instances a value asks for. Not rounded up for what is lost in binary fractions. */
function wantOf({ kind, condition }: ScaleTarget, value: number, count: number): number {
  const { threshold, compare } = condition;
  const own = kind === "total" ? value / count : value;
  const isTooMuch = compare === ">=" ? own >= threshold : own > threshold;
  if (kind === "other") {
    if (isTooMuch) return count + 1;
    return own <= threshold * farBelow ? count - 1 : count;
  }
  const needed = (limit: number) => Math.ceil((own * count) / limit - 1e-9);
  if (isTooMuch) return Math.max(count + 1, needed(threshold));
  return Math.min(count, Math.max(1, needed(threshold * roomBelow)));
}

function remember({ state, count, now }: ScaleInput, looks: readonly Look[]): ScaleState {
  const gapMs = state === null ? 0 : now - state.lookedAt;
  const before = state !== null && state.count === count && gapMs >= 0 && gapMs <= longestGapMs ? state : null;
  const known = looks.flatMap(({ wants }) => wants ?? []);
  const most = Math.max(...known, Number.NEGATIVE_INFINITY);
  const isWhole = known.length === looks.length && known.length > 0;
  return {
    count,
    lookedAt: now,
    up: most > count ? { since: before?.up?.since ?? now, least: Math.min(before?.up?.least ?? most, most) } : null,
    down:
      isWhole && most < count
        ? { since: before?.down?.since ?? now, most: Math.max(before?.down?.most ?? most, most) }
        : null,
  };
}

function decideOn(input: ScaleInput, next: ScaleState, looks: readonly Look[]): ScaleDecision {
  const { spec, count, past, now, wallNow } = input;
  const hold = (reason: string): ScaleDecision => ({ next, do: "hold", to: count, reason });
  if (next.up !== null) {
    const why = wordsOf(looks.filter(({ wants }) => wants !== null && wants > count));
    const tookMs = now - next.up.since;
    if (count >= spec.max) return hold(`${why}; there are ${count} already, the most`);
    if (tookMs < spec.upAfterMs)
      return hold(`${why}, for ${formatDuration(whole(tookMs))} of ${formatDuration(spec.upAfterMs)}`);
    const restMs = isAfter(past.failedAt, wallNow, afterFailureMs);
    if (restMs > 0)
      return hold(
        `${why}; the last one that was started did not become healthy, next try in ${formatDuration(whole(restMs))}`,
      );
    const to = Math.min(spec.max, count + spec.step, next.up.least);
    return { next: null, do: "up", to, reason: `${counts(count, to)}: ${why}, for ${formatDuration(whole(tookMs))}` };
  }
  const unknown = looks.find(({ wants }) => wants === null);
  if (unknown !== undefined) {
    const { target, measured } = unknown.reading;
    const why = measured.is === "unknown" ? measured.why : "what was measured is no number";
    return hold(`${target.condition.metric.name} is not known (${why}), so none is taken away`);
  }
  const why = wordsOf(looks);
  if (next.down === null || count <= spec.min)
    return hold(count <= spec.min ? `${why}; there are ${count}, the least` : `${why}: ${count} are right`);
  const waitMs = downWaitMs(spec, past);
  const tookMs = now - next.down.since;
  if (tookMs < waitMs)
    return hold(`${why}: fewer would do, for ${formatDuration(whole(tookMs))} of ${formatDuration(waitMs)}`);
  const to = Math.max(spec.min, count - spec.step, next.down.most);
  return { next: null, do: "down", to, reason: `${counts(count, to)}: ${why}, for ${formatDuration(whole(tookMs))}` };
}

/** How long all targets must leave room before one goes: twice as long for every time that it was one too few. */
export function downWaitMs({ downAfterMs }: Pick<ScaleSpec, "downAfterMs">, { relapses }: ScalePast): number {
  return Math.max(downAfterMs, Math.min(longestDownMs, downAfterMs * 2 ** Math.min(relapses, 30)));
}

/** The past after a decision has been taken. */
export function afterDecision(
  spec: ScaleSpec,
  past: ScalePast,
  decision: Pick<ScaleDecision, "do">,
  wallNow: EpochMs,
): ScalePast {
  if (decision.do === "down") return { ...past, downAt: wallNow };
  if (decision.do === "hold") return past;
  const isRelapse = isAfter(past.downAt, wallNow, Math.max(leastRelapseMs, 2 * downWaitMs(spec, past))) > 0;
  return { ...past, relapses: isRelapse ? past.relapses + 1 : 0 };
}

/** The past after an instance more that did not become healthy. */
export function afterFailure(past: ScalePast, wallNow: EpochMs): ScalePast {
  return { ...past, failedAt: wallNow };
}

/** What is left of a time after something; nothing when it lies in the future, for then a clock was set. */
function isAfter(at: EpochMs | null, now: EpochMs, ms: number): number {
  return at === null || at > now ? 0 : Math.max(0, at + ms - now);
}

/** `cpu is 91 % (above 70 %)`, what is too much first. */
function wordsOf(looks: readonly Look[]): string {
  return looks
    .flatMap(({ reading: { target, measured } }) => {
      if (measured.is === "unknown") return [];
      const { metric, threshold, compare } = target.condition;
      const isOver = compare === ">=" ? measured.value >= threshold : measured.value > threshold;
      const over =
        target.kind === "total"
          ? ` of all, wanted at most ${valueText(metric, threshold)} each`
          : ` (${isOver ? "" : "not "}${limitText(target)})`;
      return [`${metric.name} is ${valueText(metric, measured.value)}${over}`];
    })
    .join(", ");
}

const counts = (from: number, to: number): string => `${from} → ${to}`;
const whole = (ms: number): number => Math.round(ms / 1_000) * 1_000;
