import { spawnSync } from "node:child_process";
import { SlipwayError } from "../../core/errors/error.ts";

/** A list of every file of a large repository. */
const maxOutputBytes = 64 * 1024 * 1024;

export type Listed = {
  /** Absolute, of the repository. */
  readonly top: string;
  /** What git has or would take, relative to the top. */
  readonly files: readonly string[];
};

/**
 * By the system's git, without the driver that releases use: that one is loaded with all others, and this command needs nothing of
 * them. Reads only, and runs nothing that the repository's own config names. Errors: GIT_MISSING, GIT_NOT_A_REPOSITORY, GIT_FAILED.
 */
export function listFiles(directory: string): Listed {
  const top = git(directory, ["rev-parse", "--show-toplevel"]).replace(/\n$/, "");
  const listed = git(top, ["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
  return { top, files: [...new Set(listed.split("\0"))].filter((path) => path !== "").sort() };
}

function git(directory: string, args: readonly string[]): string {
  const quietly = ["-c", "core.fsmonitor=false", "-c", "core.quotepath=off"];
  const { error, status, stdout, stderr } = spawnSync("git", [...quietly, ...args], {
    cwd: directory,
    encoding: "utf8",
    env: { PATH: process.env.PATH, HOME: process.env.HOME, LC_ALL: "C", GIT_OPTIONAL_LOCKS: "0" },
    maxBuffer: maxOutputBytes,
  });
  if (error !== undefined && "code" in error && error.code === "ENOENT")
    throw new SlipwayError("GIT_MISSING", { message: "git is not on the PATH", cause: error });
  if (error === undefined && status === 0) return stdout;
  const said = (error?.message ?? stderr).trim().slice(0, 2000);
  throw new SlipwayError(/not a git repository/.test(said) ? "GIT_NOT_A_REPOSITORY" : "GIT_FAILED", {
    message: `git ${args[0]} failed in ${directory}`,
    evidence: [["git said", said]],
  });
}
