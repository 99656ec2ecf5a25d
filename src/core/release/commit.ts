import type { EpochMs } from "../ids.ts";

export type Commit = {
  readonly hash: string;
  readonly author: string;
  /** The address of the author; absent in what was recorded before. */
  readonly email?: string;
  readonly at: EpochMs;
  readonly subject: string;
  readonly body: string;
};

export type Change = "major" | "minor" | "patch" | "none";

/** A commit's header after Conventional Commits 1.0.0: `type(scope)!: text`. */
const header = /^(?<type>[a-zA-Z]+)(?:\((?<scope>[^()]*)\))?(?<breaking>!)?: (?<text>.+)$/;

export type ReadCommit = {
  readonly type: string | null;
  readonly scope: string | null;
  readonly text: string;
  readonly change: Change;
};

/** What a commit message says about the release it goes into. A message in no convention is a patch. */
export function readCommit({ subject, body }: Pick<Commit, "subject" | "body">): ReadCommit {
  const found = header.exec(subject)?.groups;
  const breaking = found?.breaking === "!" || /^BREAKING[ -]CHANGE: /m.test(body);
  if (found === undefined) return { type: null, scope: null, text: subject, change: breaking ? "major" : "patch" };
  const type = found.type?.toLowerCase() ?? null;
  return {
    type,
    scope: found.scope || null,
    text: found.text ?? subject,
    change: breaking ? "major" : type === "feat" ? "minor" : "patch",
  };
}

/** Commits are kept with every release and deployment; some carry whole change logs of what they depend on. */
const maxSubjectChars = 500;
const maxBodyChars = 2_000;

/** Lines that something is decided by: whether it breaks something, then who else wrote it. */
const decisive = [/^BREAKING[ -]CHANGE: /, /^co-authored-by:/i];

/** The commit with no more of its message than is kept; what is decided by always is. */
export function shortened(commit: Commit): Commit {
  const { subject, body } = commit;
  if (subject.length <= maxSubjectChars && body.length <= maxBodyChars) return commit;
  const lines = body.split("\n");
  const kept = decisive.flatMap((pattern) => lines.filter((line) => pattern.test(line)));
  const rest = kept.join("\n").slice(0, maxBodyChars / 2);
  return {
    ...commit,
    subject: subject.slice(0, maxSubjectChars),
    body: body.length <= maxBodyChars ? body : `${body.slice(0, maxBodyChars / 2)}\n…\n${rest}`.trim(),
  };
}
