import type { EpochMs } from "../ids.ts";
import { type AlertMatcher, isMeant } from "./matcher.ts";

/** An alert as its newest message told it. */
export type Alert = {
  /** The same for the same labels: two messages with it are about one alert. */
  readonly fingerprint: string;
  readonly status: "firing" | "resolved";
  readonly labels: Readonly<Record<string, string>>;
  readonly startsAt: EpochMs;
  /** Until when it is told to fire; null: until it is told to be resolved. */
  readonly endsAt: EpochMs | null;
};

export type Heard = { readonly alert: Alert; readonly heardAt: EpochMs };

/** What is known of every alert, by fingerprint. */
export type AlertBook = ReadonlyMap<string, Heard>;

/** More than that are not kept: those that were heard of longest ago make room. */
export const mostAlerts = 10_000;

/**
 * A firing alert of which nothing was heard for so long is not known to fire any more. Alertmanager repeats itself every four hours
 * by default (repeat_interval, https://prometheus.io/docs/alerting/latest/configuration/#route): a day is six of those.
 */
const silentMs = 86_400_000;

/**
 * Takes a message in. `isNews` says that the alert began or ended to fire; the same message again is none, and one about a firing before
 * the known one is late, and changes nothing.
 */
export function take(
  book: AlertBook,
  alert: Alert,
  now: EpochMs,
): { readonly next: AlertBook; readonly isNews: boolean } {
  const known = book.get(alert.fingerprint)?.alert;
  if (known !== undefined && known.startsAt > alert.startsAt) return { next: book, isNews: false };
  const next = new Map(book);
  // The last that was heard of is the last in the map.
  next.delete(alert.fingerprint);
  next.set(alert.fingerprint, { alert, heardAt: now });
  for (const oldest of next.keys()) {
    if (next.size <= mostAlerts) break;
    next.delete(oldest);
  }
  const isSame = known !== undefined && known.status === alert.status && known.startsAt === alert.startsAt;
  const isOld = known === undefined && alert.status === "resolved";
  return { next, isNews: !isSame && !isOld };
}

/**
 * How the alerts that are meant stand in an environment: one that fires is enough; one that has vanished without a word is unknown,
 * and so is what nobody has ever told of. An alert with a label `product` or `environment` is only of those.
 */
export function standingOf(
  book: AlertBook,
  matcher: AlertMatcher,
  { product, environment }: { readonly product: string; readonly environment: string },
  now: EpochMs,
): "firing" | "quiet" | "unknown" {
  const isHere = ({ labels }: Alert) =>
    (labels.environment ?? environment) === environment && (labels.product ?? product) === product;
  const meant = [...book.values()].filter(({ alert }) => isHere(alert) && isMeant(matcher, alert.labels));
  if (meant.some((heard) => heard.alert.status === "firing" && !hasVanished(heard, now))) return "firing";
  return meant.length > 0 && meant.every(({ alert }) => alert.status === "resolved") ? "quiet" : "unknown";
}

function hasVanished({ alert, heardAt }: Heard, now: EpochMs): boolean {
  return alert.endsAt === null ? now - heardAt > silentMs : now >= alert.endsAt;
}
