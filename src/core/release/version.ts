import { type Change, type Commit, readCommit } from "./commit.ts";

export type Version = readonly [major: number, minor: number, patch: number];

const order: readonly Change[] = ["none", "patch", "minor", "major"];

/** SemVer 2.0.0 core, with or without a leading `v`; anything else is null. */
export function parseVersion(text: string): Version | null {
  const found = /^v?(\d{1,9})\.(\d{1,9})\.(\d{1,9})$/.exec(text);
  return found === null ? null : [Number(found[1]), Number(found[2]), Number(found[3])];
}

/**
 * The version of a release: the highest version tag on its commit; else the last release's version raised by the largest
 * change among the commits since (before 1.0.0 a breaking change raises the minor); else 0.1.0. A dirty tree is marked
 * `+dirty`.
 */
export function nextVersion(input: {
  readonly tags: readonly string[];
  readonly last: string | null;
  readonly commits: readonly Commit[];
  readonly dirty: boolean;
}): string {
  const suffix = input.dirty ? "+dirty" : "";
  const tagged = highest(input.tags.map(parseVersion).filter((version) => version !== null));
  if (tagged !== null) return `${tagged.join(".")}${suffix}`;
  const last = input.last === null ? null : parseVersion(input.last.replace(/\+.*$/, ""));
  if (last === null) return `0.1.0${suffix}`;
  return `${raise(last, largest(input.commits)).join(".")}${suffix}`;
}

function highest(versions: readonly Version[]): Version | null {
  return [...versions].sort((a, b) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2]).at(-1) ?? null;
}

function largest(commits: readonly Commit[]): Change {
  return commits
    .map((commit) => readCommit(commit).change)
    .reduce<Change>((a, b) => (order.indexOf(b) > order.indexOf(a) ? b : a), "patch");
}

function raise([major, minor, patch]: Version, change: Change): Version {
  if (change === "major") return major === 0 ? [0, minor + 1, 0] : [major + 1, 0, 0];
  if (change === "minor") return [major, minor + 1, 0];
  return [major, minor, patch + 1];
}
