import type { Commit } from "../release/commit.ts";

/** What else people are called, in small letters, each with who that is. */
export type OtherNames = Readonly<Record<string, string>>;

/** A name as it is compared and listed: blanks around it and large letters are nobody's. */
export const plainName = (name: string): string => name.trim().toLowerCase();

/**
 * Names come from a shell, a CI, a forge and git, and nobody vouches for them: `ada@laptop`, `ada`, `Ada <ada@example.org>`. What
 * stands before the @ is the person, so that one who comes from two machines is not two, and nobody approves their own work from
 * another. `others` says what else they are called: all of a name, or what stands before its @.
 */
export function personOf(name: string, others: OtherNames = {}): string {
  const plain = plainName(name);
  const at = plain.indexOf("@");
  const login = at > 0 ? (forgeLogin.exec(plain)?.groups?.login ?? plain.slice(0, at)) : plain;
  const listed = [plain, login].find((each) => Object.hasOwn(others, each));
  return listed === undefined ? login : (others[listed] ?? login);
}

/** What GitHub and GitLab write for those who keep their address to themselves: a number, and the login. */
const forgeLogin = /^\d+[+-](?<login>[^@]+)@users\.noreply\.git(?:hub|lab)\.com$/;

/** Is this the one that a config names? A name without @ is that person at every machine; with one, only there. */
export function isNamed(listed: string, who: string, others: OtherNames = {}): boolean {
  return listed.includes("@")
    ? plainName(listed) === plainName(who)
    : personOf(who, others) === personOf(listed, others);
}

/** Those who wrote the commits, alone or with others, by every name that they go by. */
export function authorsOf(commits: readonly Commit[]): readonly string[] {
  const names = commits.flatMap(({ author, email, body }) => [
    author,
    ...(email === undefined ? [] : [email]),
    ...[...body.matchAll(coAuthor)].flatMap(([, name = "", address = ""]) => [name.trim(), address]),
  ]);
  return [...new Set(names)];
}

/** As GitHub and GitLab read it: `Co-authored-by: Ada <ada@example.org>`, a line of its own. */
const coAuthor = /^co-authored-by:([^<\n]*)<([^>\n]+)>/gim;
