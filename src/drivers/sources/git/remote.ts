import { SlipwayError } from "../../../core/errors/error.ts";
import { git } from "./command.ts";

/** Nothing that runs a program of the address's own choice (`ext::`, or an alias for one). */
const environment = { GIT_ALLOW_PROTOCOL: "file:git:http:https:ssh" };

/** Of a remote that does not answer at all. */
const refsTimeoutMs = 60_000;
const fetchTimeoutMs = 10 * 60_000;

/** Changes nothing, here and there. Errors: REMOTE_AWAY. */
export async function remoteRefs(
  repository: string,
  remote: string,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  const asked = ["ls-remote", "--quiet", "--heads", "--tags", "--refs", "--", remote];
  const out = await mustAnswer(repository, { remote, args: asked, timeoutMs: refsTimeoutMs }, signal);
  const lines = out.split("\n").map((line) => line.split("\t"));
  return new Map(lines.flatMap(([hash = "", ref]) => (ref === undefined ? [] : [[ref, hash] as const])));
}

/** Under refs/slipway, where no branch, tag or working tree is touched. Errors: REMOTE_AWAY. */
export async function fetchRef(
  repository: string,
  { remote, ref }: { readonly remote: string; readonly ref: string },
  signal: AbortSignal,
): Promise<string> {
  const here = ref.replace(/^refs\//, "refs/slipway/");
  const quietly = ["--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--no-auto-maintenance"];
  const asked = ["fetch", ...quietly, "--", remote, `+${ref}:${here}`];
  await mustAnswer(repository, { remote, args: asked, timeoutMs: fetchTimeoutMs }, signal);
  return here;
}

async function mustAnswer(
  repository: string,
  {
    remote,
    args,
    timeoutMs,
  }: { readonly remote: string; readonly args: readonly string[]; readonly timeoutMs: number },
  signal: AbortSignal,
): Promise<string> {
  const late = AbortSignal.timeout(timeoutMs);
  const asked = `git ${args[0]} of ${withoutPassword(remote)}`;
  try {
    const { code, stdout, stderr } = await git(repository, args, {
      environment,
      signal: AbortSignal.any([signal, late]),
    });
    if (code === 0) return stdout;
    throw new SlipwayError("REMOTE_AWAY", {
      message: `${asked} failed with exit code ${code}`,
      evidence: [["git said", withoutPassword(stderr.trim().slice(0, 2_000))]],
    });
  } catch (cause) {
    if (signal.aborted || !late.aborted) throw cause;
    throw new SlipwayError("REMOTE_AWAY", { message: `${asked} had no end after ${timeoutMs / 1_000} s`, cause });
  }
}

function withoutPassword(text: string): string {
  return text.replaceAll(/(\/\/)[^/@\s]*@/g, "$1");
}
