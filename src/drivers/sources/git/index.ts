import { SlipwayError } from "../../../core/errors/error.ts";
import { type Commit, shortened } from "../../../core/release/commit.ts";
import type { Checkout, Source } from "../../../ports/source.ts";
import { git, must } from "./command.ts";
import { exportTo } from "./export.ts";
import { fetchRef, remoteRefs } from "./remote.ts";

/** Hash, author and address, time, subject, body. The one byte that can be in none of them stands between them. */
const commitFormat = ["%H", "%an", "%ae", "%ct", "%s", "%b"].join("%x00");
const commitFields = 6;

/** Commits from the repositories of this machine, through the system's git. */
export function gitSource(): Source {
  return { resolve, dirtyPaths, commits, changedPaths, refs: remoteRefs, fetch: fetchRef, export: exportTo };
}

async function resolve(repository: string, revision: string): Promise<Checkout> {
  const inside = await git(repository, ["rev-parse", "--is-inside-work-tree"]);
  if (inside.stdout.trim() !== "true") {
    throw new SlipwayError("GIT_NOT_A_REPOSITORY", {
      message: `${repository} is not in the working tree of a git repository`,
      evidence: [["git said", (inside.stderr || inside.stdout).trim().split("\n")[0] ?? ""]],
    });
  }
  const hash = await commitOf(repository, revision);
  if (hash === null) {
    throw new SlipwayError("GIT_UNKNOWN_COMMIT", {
      message: `${JSON.stringify(revision)} names no commit in ${repository}`,
    });
  }
  const [commit] = await log(repository, ["--max-count=1", hash]);
  if (commit === undefined) throw new SlipwayError("GIT_FAILED", { message: `git log printed nothing for ${hash}` });
  const tags = await must(repository, [
    "for-each-ref",
    `--points-at=${hash}`,
    "--format=%(refname:strip=2)",
    "refs/tags",
  ]);
  const prefix = (await must(repository, ["rev-parse", "--show-prefix"])).replace(/\/?\n$/, "");
  const branch = await branchAt(repository, hash);
  return { hash, prefix, branch, commit, tags: tags.split("\n").filter((line) => line !== "") };
}

async function commitOf(repository: string, revision: string): Promise<string | null> {
  if (revision.includes("\0")) return null;
  const found = await git(repository, ["rev-parse", "--verify", "--quiet", "--end-of-options", `${revision}^{commit}`]);
  return found.code === 0 && found.stdout !== "" ? found.stdout.trim() : null;
}

/** The branch that is checked out, when the commit is its newest; a branch without a commit has none. */
async function branchAt(repository: string, hash: string): Promise<string | null> {
  if ((await commitOf(repository, "HEAD")) !== hash) return null;
  const head = await git(repository, ["symbolic-ref", "--quiet", "--short", "HEAD"]);
  return head.code === 0 ? head.stdout.trim() : null;
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

async function log(repository: string, args: readonly string[]): Promise<Commit[]> {
  const format = ["-z", "--no-color", "--encoding=UTF-8", `--format=${commitFormat}`];
  // What follows the last argument is empty: a file named like a commit is not meant.
  const fields = (await must(repository, ["log", ...format, ...args, "--"])).split("\0");
  return Array.from({ length: Math.floor(fields.length / commitFields) }, (_, index) => {
    const [hash = "", author = "", email = "", at = "0", subject = "", body = ""] = fields.slice(index * commitFields);
    return shortened({ hash, author, email, at: Number(at) * 1000, subject, body: body.trim() });
  });
}
