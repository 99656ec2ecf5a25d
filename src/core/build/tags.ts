import type { EpochMs } from "../ids.ts";

/** Longest tag that the OCI distribution specification allows. */
export const maxTagChars = 128;
/** Twelve of the commit's digits: as much as people read aloud, and far from a collision in a repository of one team. */
const shortCommitChars = 12;

export type TagFacts = {
  /** Full hash. A release of a changed working tree has `-dirty` at its end, so that it never passes for the commit. */
  readonly commit: string;
  readonly dirty: boolean;
  readonly branch: string | null;
  /** When it was built by the nightly schedule; null otherwise. Its date is that of UTC. */
  readonly nightlyAt: EpochMs | null;
  /** Where it goes, and as which version; null before that is known. */
  readonly release: { readonly environment: string; readonly version: string } | null;
  /** Whether it is the newest of the default branch. */
  readonly latest: boolean;
};

/**
 * The names an image gets in a registry, each once: `sha-<short>`, `branch-<name>`, `nightly-<date>`, `<environment>-<version>`,
 * `latest`. They are for people; what is recorded and deployed is the digest.
 */
export function imageTags(facts: TagFacts): readonly string[] {
  const tags = [`sha-${facts.commit.slice(0, shortCommitChars)}${facts.dirty ? "-dirty" : ""}`];
  if (facts.branch !== null) tags.push(`branch-${facts.branch}`);
  if (facts.nightlyAt !== null) tags.push(`nightly-${new Date(facts.nightlyAt).toISOString().slice(0, 10)}`);
  if (facts.release !== null) tags.push(`${facts.release.environment}-${facts.release.version}`);
  if (facts.latest) tags.push("latest");
  return [...new Set(tags.map(toTag))];
}

/** Any text as a tag: what the grammar does not know becomes `-`, the first character is never a sign, and the end is cut. */
export function toTag(text: string): string {
  const known = text.replace(/[^A-Za-z0-9_.-]+/g, "-").replace(/^[.-]+/, "");
  return known === "" ? "_" : known.slice(0, maxTagChars);
}
