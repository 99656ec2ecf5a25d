import type { EnvironmentName, EpochMs } from "../ids.ts";
import type { PreviewsSpec } from "../product/previews-spec.ts";
import { formatDuration } from "../product/units.ts";
import { capReached, type Spent } from "./cost.ts";

/**
 * awake → asleep: nobody asks, or the money of the month is spent. asleep → waking: a request, a push, a person. waking → awake: it is
 * healthy; waking → asleep: it is not. any → removing: its branch or pull request is gone, it is too old, it has to make room, a person
 * says so; from there it only goes.
 */
export type PreviewPhase = "awake" | "asleep" | "waking" | "removing";

/** What a decision is made of. */
export type Preview = {
  readonly name: EnvironmentName;
  readonly ref: string;
  readonly phase: PreviewPhase;
  readonly madeAt: EpochMs;
  readonly pushedAt: EpochMs;
  readonly askedAt: EpochMs | null;
};

export type Wanted = { readonly name: EnvironmentName; readonly ref: string };

export type Admission =
  /** It is there already; it has been pushed to. */
  | { readonly is: "there" }
  | { readonly is: "make"; readonly remove: readonly EnvironmentName[]; readonly reason: string }
  /** What it was before is still on its way out. */
  | { readonly is: "wait"; readonly reason: string }
  | { readonly is: "refuse"; readonly reason: string };

/** Whether one more may be made, and which go for it. Those that are being removed are as good as gone. */
export function admit(wanted: Wanted, all: readonly Preview[], policy: PreviewsSpec, spent: Spent): Admission {
  const mine = all.find(({ name }) => name === wanted.name);
  if (mine !== undefined && mine.ref !== wanted.ref)
    return { is: "refuse", reason: `${wanted.name} is the preview of ${mine.ref}; rename the branch` };
  if (mine?.phase === "removing") return { is: "wait", reason: `${wanted.name} of before is being removed` };
  const cap = capReached(policy, spent);
  if (cap !== null) return { is: "refuse", reason: cap };
  if (mine !== undefined) return { is: "there" };
  const others = all.filter(({ phase }) => phase !== "removing").toSorted(byUse);
  const tooMany = others.length + 1 - policy.limit;
  if (tooMany <= 0) return { is: "make", remove: [], reason: `${others.length + 1} of ${policy.limit}` };
  if (policy.whenFull === "refuse")
    return { is: "refuse", reason: `there are ${others.length} of ${policy.limit} previews already; remove one` };
  const remove = others.slice(0, tooMany).map(({ name }) => name);
  return { is: "make", remove, reason: `${policy.limit} of ${policy.limit}; ${remove.join(", ")} goes for it` };
}

/** The one that was used longest ago first; of two the name decides, so that everybody decides the same. */
function byUse(a: Preview, b: Preview): number {
  return lastUse(a) - lastUse(b) || (a.name < b.name ? -1 : 1);
}

export function lastUse({ pushedAt, askedAt }: Pick<Preview, "pushedAt" | "askedAt">): EpochMs {
  return Math.max(pushedAt, askedAt ?? 0);
}

/** When it is removed unless somebody pushes. */
export function expiresAt({ pushedAt }: Pick<Preview, "pushedAt">, { ttlMs }: Pick<PreviewsSpec, "ttlMs">): EpochMs {
  return pushedAt + ttlMs;
}

/** What the edge has seen of it. */
export type Use = { readonly lastUse: EpochMs; readonly inFlight: number };

/** Why it is stopped now, or null. What is asked of it, or pushed, at this moment keeps it awake; money that is spent does not. */
export function shouldSleep(
  { phase }: Pick<Preview, "phase">,
  policy: Pick<PreviewsSpec, "sleepMs" | "cost">,
  { use, spent, now }: { readonly use: Use | null; readonly spent: Spent; readonly now: EpochMs },
): string | null {
  if (phase !== "awake") return null;
  const cap = capReached(policy, spent);
  if (cap !== null) return cap;
  // Nobody knows whether it is used.
  if (use === null || policy.sleepMs === null || use.inFlight > 0 || now - use.lastUse < policy.sleepMs) return null;
  return `nobody has asked it anything for ${formatDuration(policy.sleepMs)}`;
}

/** Why it has to go now, or null. A template that is not in force any more has no say over what was made of it. */
export function overAge(preview: Preview, policy: PreviewsSpec, now: EpochMs): string | null {
  if (preview.phase === "removing" || now < expiresAt(preview, policy)) return null;
  return `nothing was pushed for ${formatDuration(policy.ttlMs)}`;
}
