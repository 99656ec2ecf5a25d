import { SlipwayError } from "../../../core/errors/error.ts";
import { type Commit, shortened } from "../../../core/release/commit.ts";
import type { Checkout, Origin, Source } from "../../../ports/source.ts";
import { git, must } from "./command.ts";
import { exportTo } from "./export.ts";
import { fetchRef, remoteRefs } from "./remote.ts";

/** Hash, author and address, time, subject, body. The one byte that can be in none of them stands between them. */
const commitFields = ["%H", "%an", "%ae", "%ct", "%s", "%b"];
/** What points to a commit: `HEAD -> refs/heads/main, tag: refs/tags/v1`. No name of a ref has a blank. */
const pointers = ["--decorate=full", ...["HEAD", "refs/heads", "refs/tags"].map((ref) => `--decorate-refs=${ref}`)];

/** Commits from the repositories of this machine, through the system's git. */
export function gitSource(): Source {
  return { resolve, dirtyPaths, commits, changedPaths, origin, refs: remoteRefs, fetch: fetchRef, export: exportTo };
}

/** What does not depend on each other is asked at once: a start of git is most of what an answer takes. */
async function resolve(repository: string, revision: string): Promise<Checkout> {
  const [prefix, hash] = await Promise.all([
    prefixOf(repository),
    isWhole(revision) ? revision : commitOf(repository, revision),
  ]);
  const found = hash === null ? null : await pointedTo(repository, hash);
  if (found === null) {
    throw new SlipwayError("GIT_UNKNOWN_COMMIT", {
      message: `${JSON.stringify(revision)} names no commit in ${repository}`,
      ...(revision === "HEAD" ? { hint: "nothing has been committed yet: git add -A && git commit" } : {}),
    });
  }
  return { prefix, ...found };
}

async function prefixOf(repository: string): Promise<string> {
  const asked = await git(repository, ["rev-parse", "--is-inside-work-tree", "--show-prefix"]);
  const [inside, prefix = ""] = asked.stdout.split("\n");
  if (inside === "true") return prefix.replace(/\/$/, "");
  throw new SlipwayError("GIT_NOT_A_REPOSITORY", {
    message: `${repository} is not in the working tree of a git repository`,
    evidence: [["git said", (asked.stderr || asked.stdout).trim().split("\n")[0] ?? ""]],
  });
}

/** Not a name that has to be looked up. */
const isWhole = (revision: string): boolean => /^[0-9a-f]{40}$/.test(revision);

/** The commit with the tags on it, and the branch that is checked out when it is the newest of that; null when it is not here. */
async function pointedTo(repository: string, hash: string): Promise<Omit<Checkout, "prefix"> | null> {
  const args = logOf([...commitFields, "%D"], [...pointers, "--max-count=1", hash]);
  const asked = await git(repository, args);
  if (asked.code !== 0 && (await commitOf(repository, hash)) === null) return null;
  const fields = (asked.code === 0 ? asked.stdout : await must(repository, args)).split("\0");
  if (fields.length <= commitFields.length) return null;
  const commit = commitOfFields(fields);
  const refs = (fields[commitFields.length] ?? "").split(", ");
  const after = (start: string) => refs.flatMap((ref) => (ref.startsWith(start) ? [ref.slice(start.length)] : []));
  const [branch = null] = after("HEAD -> refs/heads/");
  return { hash: commit.hash, branch, commit, tags: after("tag: refs/tags/").toSorted() };
}

async function commitOf(repository: string, revision: string): Promise<string | null> {
  if (revision.includes("\0")) return null;
  const found = await git(repository, ["rev-parse", "--verify", "--quiet", "--end-of-options", `${revision}^{commit}`]);
  return found.code === 0 && found.stdout !== "" ? found.stdout.trim() : null;
}

async function dirtyPaths(repository: string): Promise<string[]> {
  const out = await must(repository, ["status", "--porcelain=v1", "-z", "--untracked-files=all"]);
  const entries = out.split("\0").filter((entry) => entry !== "");
  const paths: string[] = [];
  for (let index = 0; index < entries.length; index += 1) {
    const entry = entries[index] ?? "";
    paths.push(entry.slice(3));
    // A rename or copy is followed by its old name, which may look like anything.
    if (/[RC]/.test(entry.slice(0, 2))) index += 1;
  }
  return paths;
}

async function commits(
  repository: string,
  range: { readonly from: string | null; readonly to: string },
  limit: number,
): Promise<Commit[]> {
  const from = range.from === null ? null : await commitOf(repository, range.from);
  return log(repository, [`--max-count=${limit}`, from === null ? range.to : `${from}..${range.to}`]);
}

async function changedPaths(
  repository: string,
  { from, to }: { readonly from: string; readonly to: string },
): Promise<readonly string[] | null> {
  if ((await commitOf(repository, from)) === null) return null;
  const out = await must(repository, ["diff", "--name-only", "--no-renames", "-z", "--relative", from, to, "--"]);
  return out.split("\0").filter((path) => path !== "");
}

async function origin(repository: string): Promise<Origin> {
  const [url, head] = await Promise.all([
    git(repository, ["config", "--get", "remote.origin.url"]),
    git(repository, ["symbolic-ref", "--quiet", "refs/remotes/origin/HEAD"]),
  ]);
  const known = ({ code, stdout }: typeof url) => (code === 0 && stdout.trim() !== "" ? stdout.trim() : null);
  return { url: known(url), defaultBranch: known(head)?.replace("refs/remotes/origin/", "") ?? null };
}

async function log(repository: string, args: readonly string[]): Promise<Commit[]> {
  const fields = (await must(repository, logOf(commitFields, args))).split("\0");
  const count = Math.floor(fields.length / commitFields.length);
  return Array.from({ length: count }, (_, index) => commitOfFields(fields.slice(index * commitFields.length)));
}

/** What follows the last argument is empty: a file named like a commit is not meant. */
function logOf(fields: readonly string[], args: readonly string[]): readonly string[] {
  return ["log", "-z", "--no-color", "--encoding=UTF-8", `--format=${fields.join("%x00")}`, ...args, "--"];
}

function commitOfFields([hash = "", author = "", email = "", at = "0", subject = "", body = ""]: readonly string[]) {
  return shortened({ hash, author, email, at: Number(at) * 1000, subject, body: body.trim() });
}
