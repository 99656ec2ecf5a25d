import { SlipwayError } from "../../../core/errors/error.ts";
import { type GitOptions, git } from "./command.ts";

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
  const bounded = AbortSignal.any([signal, AbortSignal.timeout(refsTimeoutMs)]);
  const asked = ["ls-remote", "--quiet", "--heads", "--tags", "--refs", "--", remote];
  const out = await mustAnswer(repository, { remote, args: asked }, { environment, signal: bounded });
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
  const bounded = AbortSignal.any([signal, AbortSignal.timeout(fetchTimeoutMs)]);
  const quietly = ["--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--no-auto-maintenance"];
  const asked = ["fetch", ...quietly, "--", remote, `+${ref}:${here}`];
  await mustAnswer(repository, { remote, args: asked }, { environment, signal: bounded });
  return here;
}

async function mustAnswer(
  repository: string,
  { remote, args }: { readonly remote: string; readonly args: readonly string[] },
  options: GitOptions & { readonly signal: AbortSignal },
): Promise<string> {
  const { code, stdout, stderr } = await git(repository, args, options);
  if (code === 0) return stdout;
  throw new SlipwayError("REMOTE_AWAY", {
    message: `git ${args[0]} of ${withoutPassword(remote)} failed with exit code ${code}`,
    evidence: [["git said", withoutPassword(stderr.trim().slice(0, 2_000))]],
  });
}

function withoutPassword(text: string): string {
  return text.replaceAll(/(\/\/)[^/@\s]*@/g, "$1");
}
