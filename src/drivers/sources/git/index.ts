import { spawn } from "node:child_process";
import { cp, mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { SlipwayError } from "../../../core/errors/error.ts";
import type { Commit } from "../../../core/release/commit.ts";
import type { Checkout, Source } from "../../../ports/source.ts";

/** Longest answer of git that is kept. */
const maxOutputBytes = 64 * 1024 * 1024;
/** Unit and record separators: bytes that do not occur in commit messages. */
const field = "\x1f";
const record = "\x1e";
const commitFormat = ["%H", "%an", "%ct", "%s", "%b"].join(field) + record;

/** The system's git, asked by argument arrays. Never reads the user's aliases, never prompts, never pages. */
export function gitSource(): Source {
  return { resolve, dirtyPaths, commits, export: exportTo };
}

async function resolve(repository: string, revision: string): Promise<Checkout> {
  await mustBeRepository(repository);
  const found = await git(repository, ["rev-parse", "--verify", "--quiet", "--end-of-options", `${revision}^{commit}`]);
  const hash = found.stdout.trim();
  if (found.code !== 0 || hash === "") {
    throw new SlipwayError("GIT_UNKNOWN_COMMIT", {
      message: `${JSON.stringify(revision)} names no commit in ${repository}`,
    });
  }
  const [commit] = parseCommits(await must(repository, ["log", "-1", `--format=${commitFormat}`, hash]));
  const tags = (await must(repository, ["tag", "--points-at", hash])).split("\n").filter((line) => line !== "");
  const branch = (await must(repository, ["rev-parse", "--abbrev-ref", "HEAD"])).trim();
  const head = (await must(repository, ["rev-parse", "HEAD"])).trim();
  if (commit === undefined) throw new SlipwayError("GIT_FAILED", { message: `git log printed nothing for ${hash}` });
  const prefix = (await must(repository, ["rev-parse", "--show-prefix"])).trim().replace(/\/$/, "");
  return { hash, prefix, branch: head === hash && branch !== "HEAD" ? branch : null, commit, tags };
}

async function dirtyPaths(repository: string): Promise<string[]> {
  const out = await must(repository, ["status", "--porcelain=v1", "-z", "--untracked-files=all"]);
  const entries = out.split("\0").filter((entry) => entry !== "");
  // A rename is followed by its old name as an entry of its own, without a status.
  return entries.filter((entry) => /^[ MADRCUT?!]{2} /.test(entry)).map((entry) => entry.slice(3));
}

async function commits(
  repository: string,
  range: { from: string | null; to: string },
  limit: number,
): Promise<Commit[]> {
  const known = range.from !== null && (await git(repository, ["cat-file", "-e", `${range.from}^{commit}`])).code === 0;
  const spec = known ? [`${range.from}..${range.to}`] : [range.to];
  return parseCommits(await must(repository, ["log", `--max-count=${limit}`, `--format=${commitFormat}`, ...spec]));
}

async function exportTo(
  repository: string,
  what: { hash: string; dirty: boolean },
  into: string,
  signal: AbortSignal,
): Promise<void> {
  await mkdir(into, { recursive: true });
  if (what.dirty) return exportWorkingTree(repository, into);
  // A throw-away index, so that the user's is never touched; checkout-index writes exactly the committed files.
  const environment = { GIT_INDEX_FILE: join(into, "..", `.index-${what.hash}-${process.pid}-${Date.now()}`) };
  const top = (await must(repository, ["rev-parse", "--show-toplevel"])).trim();
  await must(top, ["read-tree", what.hash], { environment, signal });
  await must(top, ["checkout-index", "--all", "--force", `--prefix=${into}/`], { environment, signal });
}

async function exportWorkingTree(repository: string, into: string): Promise<void> {
  const top = (await must(repository, ["rev-parse", "--show-toplevel"])).trim();
  const list = await must(top, ["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"]);
  for (const path of list.split("\0").filter((entry) => entry !== "")) {
    await mkdir(dirname(join(into, path)), { recursive: true });
    // A file that is deleted in the working tree is listed and not there.
    await cp(join(top, path), join(into, path), { verbatimSymlinks: true }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOENT") throw error;
    });
  }
}

function parseCommits(text: string): Commit[] {
  return text
    .split(record)
    .map((entry) => entry.replace(/^\n/, ""))
    .filter((entry) => entry !== "")
    .map((entry) => {
      const [hash = "", author = "", at = "0", subject = "", body = ""] = entry.split(field);
      return { hash, author, at: Number(at) * 1000, subject, body: body.trim() };
    });
}

async function mustBeRepository(repository: string): Promise<void> {
  const inside = await git(repository, ["rev-parse", "--is-inside-work-tree"]);
  if (inside.code !== 0) {
    throw new SlipwayError("GIT_NOT_A_REPOSITORY", {
      message: `${repository} is not in a git repository`,
      evidence: [["git said", inside.stderr.trim().split("\n")[0] ?? ""]],
    });
  }
}

type GitOptions = { readonly environment?: Readonly<Record<string, string>>; readonly signal?: AbortSignal };

async function must(directory: string, args: readonly string[], options: GitOptions = {}): Promise<string> {
  const result = await git(directory, args, options);
  if (result.code === 0) return result.stdout;
  throw new SlipwayError("GIT_FAILED", {
    message: `git ${args[0]} failed with exit code ${result.code}`,
    evidence: [
      ["command", `git ${args.join(" ")}`],
      ["git said", result.stderr.trim().slice(0, 2000)],
    ],
  });
}

function git(
  directory: string,
  args: readonly string[],
  { environment = {}, signal }: GitOptions = {},
): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((settle, reject) => {
    const child = spawn("git", ["-c", "core.quotepath=off", "-c", "advice.detachedHead=false", ...args], {
      cwd: directory,
      env: { ...process.env, GIT_TERMINAL_PROMPT: "0", GIT_PAGER: "cat", LC_ALL: "C", ...environment },
      stdio: ["ignore", "pipe", "pipe"],
      ...(signal === undefined ? {} : { signal }),
    });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    let bytes = 0;
    child.stdout.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= maxOutputBytes) out.push(chunk);
    });
    child.stderr.on("data", (chunk: Buffer) => err.push(chunk));
    child.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOENT") return reject(error);
      reject(new SlipwayError("GIT_MISSING", { message: `git could not be started in ${directory}`, cause: error }));
    });
    child.on("close", (code) =>
      settle({
        code: code ?? 1,
        stdout: Buffer.concat(out).toString("utf8"),
        stderr: Buffer.concat(err).toString("utf8"),
      }),
    );
  });
}
