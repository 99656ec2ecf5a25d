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
    /** Where a rollback would go now. */
    readonly rollback: ReleaseId | null;
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
 * What may be pruned: never what is live, warm, pinned or under way, never the last `keep` good releases of an environment,
 * and never what a rollback would need. An artifact goes only when no kept release has it. Records always stay.
 */
export function planRetention(view: RetentionView): RetentionPlan {
  const why = new Map<ReleaseId, string>();
  const keep = (id: ReleaseId, reason: string): void => {
    if (!why.has(id)) why.set(id, reason);
  };
  for (const environment of view.environments) {
    for (const id of environment.inUse) keep(id, `in use in ${environment.name}`);
    if (environment.rollback !== null) keep(environment.rollback, `a rollback of ${environment.name} needs it`);
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
