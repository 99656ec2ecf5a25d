import { spawn } from "node:child_process";
import { stat } from "node:fs/promises";
import { reasonOf, SlipwayError } from "../../../core/errors/error.ts";

/** Longest answer of git that is taken; a longer one is refused, never cut. */
const maxOutputBytes = 64 * 1024 * 1024;
const maxErrorBytes = 64 * 1024;

/**
 * What a repository's own config could have git run or write beside the command asked for: hooks (`read-tree` and `status`
 * have one), a file system monitor, and the index, which `status` refreshes. A signature's check would be printed into the log.
 */
const quietly = ["core.hooksPath=/dev/null", "core.fsmonitor=false", "core.quotepath=off", "log.showSignature=false"];

/** Set by git for its hooks. A control plane that was started by one must not take that repository for every other. */
const ofAnotherRepository = [
  "GIT_DIR",
  "GIT_WORK_TREE",
  "GIT_INDEX_FILE",
  "GIT_PREFIX",
  "GIT_COMMON_DIR",
  "GIT_NAMESPACE",
  "GIT_OBJECT_DIRECTORY",
  "GIT_ALTERNATE_OBJECT_DIRECTORIES",
  "GIT_IMPLICIT_WORK_TREE",
  "GIT_INTERNAL_SUPER_PREFIX",
  "GIT_SHALLOW_FILE",
  "GIT_GRAFT_FILE",
  "GIT_REPLACE_REF_BASE",
];

export type GitOptions = {
  readonly environment?: Readonly<Record<string, string>>;
  readonly config?: readonly string[];
  readonly signal?: AbortSignal;
};

export type GitResult = { readonly code: number; readonly stdout: string; readonly stderr: string };

/** What git prints. Errors: GIT_FAILED with what it said, DISK_FULL, and those of `git`. */
export async function must(directory: string, args: readonly string[], options: GitOptions = {}): Promise<string> {
  const result = await git(directory, args, options);
  if (result.code === 0) return result.stdout;
  const said = result.stderr.trim().slice(0, 2000);
  throw new SlipwayError(
    /no space left on device|out of disk ?space|disk quota exceeded/i.test(said) ? "DISK_FULL" : "GIT_FAILED",
    {
      message: `git ${args[0]} failed with exit code ${result.code}`,
      evidence: [
        ["command", `git ${args.join(" ")}`],
        ["git said", said],
      ],
    },
  );
}

/**
 * Runs the system's git by an argument array. Never reads the user's aliases, never runs hooks, never prompts, never pages,
 * never writes into the repository. Errors: GIT_MISSING, GIT_NOT_A_REPOSITORY (no such directory), GIT_FAILED.
 */
export async function git(directory: string, args: readonly string[], options: GitOptions = {}): Promise<GitResult> {
  try {
    return await run(directory, args, options);
  } catch (error) {
    options.signal?.throwIfAborted();
    if (error instanceof SlipwayError) throw error;
    throw await notStarted(directory, error);
  }
}

function run(
  directory: string,
  args: readonly string[],
  { environment, config = [], signal }: GitOptions,
): Promise<GitResult> {
  return new Promise((settle, reject) => {
    const settings = [...quietly, ...config].flatMap((setting) => ["-c", setting]);
    const child = spawn("git", [...settings, ...args], {
      cwd: directory,
      env: {
        ...machine(),
        GIT_TERMINAL_PROMPT: "0",
        GIT_OPTIONAL_LOCKS: "0",
        GIT_PAGER: "cat",
        LC_ALL: "C",
        ...environment,
      },
      stdio: ["ignore", "pipe", "pipe"],
      ...(signal === undefined ? {} : { signal }),
    });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    let [outBytes, errBytes] = [0, 0];
    child.stdout.on("data", (chunk: Buffer) => {
      outBytes += chunk.length;
      if (outBytes <= maxOutputBytes) out.push(chunk);
    });
    child.stderr.on("data", (chunk: Buffer) => {
      errBytes += chunk.length;
      if (errBytes <= maxErrorBytes) err.push(chunk);
    });
    child.on("error", reject);
    child.on("close", (code) => {
      if (outBytes > maxOutputBytes) {
        const message = `git ${args[0]} printed ${outBytes} bytes; at most ${maxOutputBytes} are read`;
        return reject(new SlipwayError("GIT_FAILED", { message }));
      }
      settle({
        code: code ?? 1,
        stdout: Buffer.concat(out).toString("utf8"),
        stderr: Buffer.concat(err).toString("utf8"),
      });
    });
  });
}

function machine(): NodeJS.ProcessEnv {
  const env = { ...process.env };
  for (const name of ofAnotherRepository) delete env[name];
  return env;
}

/** The system says ENOENT for a missing program and for a missing directory alike. */
async function notStarted(directory: string, cause: unknown): Promise<SlipwayError> {
  const isDirectory = await stat(directory).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (!isDirectory) {
    return new SlipwayError("GIT_NOT_A_REPOSITORY", { message: `there is no directory ${directory}`, cause });
  }
  if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") {
    return new SlipwayError("GIT_MISSING", { message: `git could not be started in ${directory}`, cause });
  }
  return new SlipwayError("GIT_FAILED", { message: `git could not be started: ${reasonOf(cause)}`, cause });
}
