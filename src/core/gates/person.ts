import type { Commit } from "../release/commit.ts";

/**
 * Names come from a shell, a CI and git, and nobody vouches for them: `ada@laptop`, `ada`, `Ada <ada@example.org>`. What stands
 * before the @ is the person, so that one who comes from two machines is not two, and nobody approves their own work from another.
 */
export function personOf(name: string): string {
  const plain = name.trim().toLowerCase();
  const at = plain.indexOf("@");
  return at > 0 ? plain.slice(0, at) : plain;
}

/** Is this the one that a config names? A name without @ is that person at every machine; with one, only there. */
export function isNamed(listed: string, who: string): boolean {
  return listed.includes("@")
    ? listed.trim().toLowerCase() === who.trim().toLowerCase()
    : personOf(who) === personOf(listed);
}

/** Those who wrote the commits, by every name that they go by. */
export function authorsOf(commits: readonly Commit[]): readonly string[] {
  return [...new Set(commits.flatMap(({ author, email }) => (email === undefined ? [author] : [author, email])))];
}
