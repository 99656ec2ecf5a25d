import { execFile } from "node:child_process";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";

/** Where base systems and downloaded packages are kept between runs. */
export const partsDirectory = join(process.env.SLIPWAY_TEST_PARTS ?? join(tmpdir(), "slipway-test-parts"), "servers");

/** Debian keeps daemons in `sbin`, which a user's PATH often lacks. */
const searchPath = [process.env.PATH ?? "", "/usr/local/sbin", "/usr/sbin", "/sbin"].join(delimiter);

/** The Debian package of each program that the fixture runs. */
const packageOf: Readonly<Record<string, string>> = {
  "systemd-nspawn": "systemd-container",
  mmdebstrap: "mmdebstrap",
  nsenter: "util-linux",
  ip: "iproute2",
  gpg: "gpg",
  shellcheck: "shellcheck",
  ssh: "openssh-client",
  "ssh-keygen": "openssh-client",
};

export type RunOptions = { readonly input?: string; readonly env?: NodeJS.ProcessEnv; readonly directory?: string };
export type RunResult = { readonly code: number; readonly stdout: string; readonly stderr: string };

const limitMs = 600_000;
const maxOutputBytes = 67_108_864;

/** Runs a program to its end; any exit code is a result. A program that is not there is an error that names its package. */
export async function run([program = "", ...args]: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const child = promisify(execFile)(program, args, {
    env: options.env ?? { ...process.env, PATH: searchPath },
    ...(options.directory === undefined ? {} : { cwd: options.directory }),
    timeout: limitMs,
    maxBuffer: maxOutputBytes,
  });
  // A program that does not read its input closes it; its exit code tells.
  child.child.stdin?.on("error", () => {});
  child.child.stdin?.end(options.input ?? "");
  try {
    return { code: 0, ...(await child) };
  } catch (error) {
    const { code, stdout = "", stderr = "" } = error as { code?: unknown; stdout?: string; stderr?: string };
    if (code === "ENOENT") {
      throw new Error(`${program} is missing; run: apt-get install --yes ${packageOf[program] ?? program}`);
    }
    if (typeof code !== "number") throw error;
    return { code, stdout, stderr };
  }
}

/** The same, and anything but 0 is an error with the program's own words. */
export async function must(argv: readonly string[], options: RunOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await run(argv, options);
  if (code !== 0) throw new Error(`${argv.join(" ")} ended with ${code}: ${stderr.trim().slice(-2_000)}`);
  return stdout;
}
