import type { ReleaseId } from "../ids.ts";

/** One ended or running deployment, as far as the standing of releases in an environment depends on it. */
export type Attempt = {
  readonly release: ReleaseId;
  readonly phase: string;
  /** Places in the order in which attempts came and ended. Never times: a clock that is set back must not turn them round. */
  readonly begun: number;
  readonly ended: number | null;
  /** For a rollback that a person asked for: the release it took away. That person called it bad. */
  readonly tookAway: ReleaseId | null;
  /** Its artifacts have not been pruned, so it can be brought back. */
  readonly kept: boolean;
};

/**
 * What an environment knows of a release from its attempts: `good` has passed its bake here at least once and not been taken
 * back since; `bad` was refused or taken back the last time; `untried` has no attempt that ended either way. A cancelled
 * attempt says nothing.
 */
export type Standing = "good" | "bad" | "untried";

export function standingOf(release: ReleaseId, attempts: readonly Attempt[]): Standing {
  const told = attempts
    .filter((attempt) => attempt.ended !== null)
    .sort((a, b) => (a.ended ?? 0) - (b.ended ?? 0))
    .map((attempt) => tells(release, attempt))
    .filter((standing) => standing !== null);
  return told.at(-1) ?? "untried";
}

function tells(release: ReleaseId, attempt: Attempt): "good" | "bad" | null {
  if (attempt.phase === "succeeded" && attempt.tookAway === release) return "bad";
  if (attempt.release !== release) return null;
  if (attempt.phase === "succeeded") return "good";
  // A way back that failed began with a release that had to go.
  if (["failed", "rolled-back", "rollback-failed"].includes(attempt.phase)) return "bad";
  return null;
}

/**
 * The release a rollback without an argument goes to: among the releases that are good here and kept, the one that went live
 * last before the live one first did. Going back twice therefore goes two releases back, not to and fro. Where there is none
 * from before, one that came later. Null when there is none at all.
 */
export function rollbackTarget(live: ReleaseId | null, attempts: readonly Attempt[]): ReleaseId | null {
  const successes = attempts
    .filter((attempt) => attempt.phase === "succeeded")
    .sort((a, b) => (b.ended ?? 0) - (a.ended ?? 0));
  const firstLive = successes.filter((attempt) => attempt.release === live).at(-1);
  const usable = successes.filter(
    (attempt) => attempt.release !== live && attempt.kept && standingOf(attempt.release, attempts) === "good",
  );
  const before = usable.find((attempt) => firstLive === undefined || attempt.begun < firstLive.begun);
  return (before ?? usable[0])?.release ?? null;
}

/**
 * The releases that so many rollbacks without an argument would go to, one after the other, the next one first. Each takes away
 * the one that it leaves, so none comes twice; fewer where there are no more. What `rollback` chooses from and what retention keeps is
 * both reckoned here.
 */
export function waysBack(live: ReleaseId | null, attempts: readonly Attempt[], count: number): ReleaseId[] {
  const ways: ReleaseId[] = [];
  let [at, told] = [live, attempts];
  while (ways.length < count) {
    const next = rollbackTarget(at, told);
    if (next === null) break;
    const place = Math.max(0, ...told.map(({ begun, ended }) => Math.max(begun, ended ?? 0)));
    const rollback = {
      release: next,
      phase: "succeeded",
      begun: place + 1,
      ended: place + 2,
      tookAway: at,
      kept: true,
    };
    ways.push(next);
    [at, told] = [next, [...told, rollback]];
  }
  return ways;
}
