import type { Digest, EnvironmentName, ReleaseId } from "../ids.ts";

export type RetainedRelease = {
  readonly id: ReleaseId;
  readonly pinned: boolean;
  readonly artifacts: readonly Digest[];
};

export type RetentionView = {
  /** Newest first. */
  readonly releases: readonly RetainedRelease[];
  readonly environments: readonly {
    readonly name: EnvironmentName;
    /** Releases that went live here and were good, newest first. */
    readonly good: readonly ReleaseId[];
    /** Live, warm, candidate, or the target of a deployment under way or waiting. */
    readonly inUse: readonly ReleaseId[];
    /** Where rollbacks in a row would go, the next one first: as many as `waysKept`. */
    readonly waysBack: readonly ReleaseId[];
    readonly keep: number;
  }[];
  /** How many of the newest releases are kept although no environment has seen them yet. */
  readonly keepNewest: number;
};

export type RetentionPlan = {
  readonly prune: readonly ReleaseId[];
  readonly artifacts: readonly Digest[];
  readonly why: ReadonlyMap<ReleaseId, string>;
};

/**
 * So many rollbacks in a row find the release that they go to, where `keep` good ones are kept and the live one is one of them; always
 * one. Who has gone back so often has used up what was kept: a release that was pruned before does not come back.
 */
export function waysKept(keep: number): number {
  return Math.max(1, keep - 1);
}

/**
 * What may be pruned: never what is live, warm, pinned or under way, never the last `keep` good releases of an environment,
 * and never what a rollback, or the next ones after it, would need. An artifact goes only when no kept release has it. Records always stay.
 */
export function planRetention(view: RetentionView): RetentionPlan {
  const why = new Map<ReleaseId, string>();
  const keep = (id: ReleaseId, reason: string): void => {
    if (!why.has(id)) why.set(id, reason);
  };
  for (const environment of view.environments) {
    for (const id of environment.inUse) keep(id, `in use in ${environment.name}`);
    for (const id of environment.waysBack) keep(id, `a rollback of ${environment.name} needs it`);
    for (const id of environment.good.slice(0, environment.keep))
      keep(id, `one of the last ${environment.keep} in ${environment.name}`);
  }
  for (const release of view.releases) if (release.pinned) keep(release.id, "pinned");
  for (const release of view.releases.slice(0, view.keepNewest)) keep(release.id, "new");
  const kept = new Set(view.releases.filter((release) => why.has(release.id)).flatMap((release) => release.artifacts));
  const pruned = view.releases.filter((release) => !why.has(release.id));
  const artifacts = new Set(pruned.flatMap((release) => release.artifacts).filter((digest) => !kept.has(digest)));
  return { prune: pruned.map((release) => release.id), artifacts: [...artifacts], why };
}
