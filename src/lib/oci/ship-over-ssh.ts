import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { setTimeout as wait } from "node:timers/promises";
import { parseUrl } from "../docker/dial.ts";
import type { Docker } from "../docker/docker.ts";
import { DockerError } from "../docker/errors.ts";
import { SshError } from "../ssh/errors.ts";
import type { RunResult, Ssh } from "../ssh/open-ssh.ts";
import { OciError } from "./errors.ts";
import type { Archive } from "./export-archive.ts";

const attempts = 6;
const backoffMs = 250;
/** A load writes every layer to the host's disk. */
const loadMs = 15 * 60_000;
const askMs = 30_000;

/** Named by its content, so that whatever is there belongs to this archive or is thrown away. */
const place = `set -eu; umask 077; d="\${XDG_CACHE_HOME:-$HOME/.cache}/slipway/ship"; mkdir -p "$d"; f="$d/$1.tar"`;
/** What nobody has gone on with for a day is given up. Nothing is sent to a host that could not load it afterwards. */
const standingScript = `command -v docker > /dev/null || exit 90; ${place}; find "$d" -name '*.tar' -mtime +0 -delete; [ ! -e "$f" ] || wc -c < "$f"`;
/** Only where it stands as we think: a part that comes late from a lost connection must not come in between. */
const appendScript = `${place}; [ "$(cat "$f" 2>/dev/null | wc -c)" -eq "$2" ] || exit 93
cat >> "$f" || { rm -f "$f"; exit 94; }`;
const loadScript = `${place}
if [ "$(sha256sum < "$f" | cut -d ' ' -f 1)" != "$1" ]; then rm -f "$f"; exit 91; fi
docker --host "unix://$2" load --quiet --input "$f" || { rm -f "$f"; exit 92; }
rm -f "$f"`;
const noDocker = 90;
const isOther = 91;
const hasMoved = 93;
const hasNoRoom = 94;
/** None of the scripts ends so: a session that was killed does, sometimes before its connection is known to be lost. */
const sshFailed = 255;

/**
 * Writes the archive to a file on the host, going on where it stood after each drop, also one of an earlier process, and has the
 * host's own `docker` load it once its digest is right. False, with nothing left there, when the host has no such program, or no room for
 * the file beside what the engine makes of it.
 */
export async function loadOverSsh(way: {
  readonly engine: Docker;
  readonly ssh: Ssh;
  readonly archive: Archive;
  readonly report: (doneBytes: number) => void;
  readonly signal: AbortSignal;
}): Promise<boolean> {
  const { ssh, signal } = way;
  const name = await digestOf(way.archive);
  const address = parseUrl(way.engine.url);
  if (address.kind !== "ssh") throw new TypeError(`${way.engine.url} is not reached by ssh`);
  for (let attempt = 1; ; attempt++) {
    try {
      let done = await upload({ ...way, name });
      if (done.code === 0) done = await shell(ssh, loadScript, [name, address.socket], { signal, timeoutMs: loadMs });
      if (done.code === 0) return true;
      if (done.code === noDocker || done.code === hasNoRoom) return false;
      if ((done.code !== isOther && done.code !== hasMoved) || attempt >= attempts) throw notTaken(ssh, done);
    } catch (error) {
      signal.throwIfAborted();
      if (!isDrop(error) || attempt >= attempts) throw error;
    }
    await wait(backoffMs * 2 ** (attempt - 1), undefined, { signal });
  }
}

/** Whether the connection was lost, so that another try may do it. */
export function isDrop(error: unknown): boolean {
  return (
    (error instanceof SshError || error instanceof DockerError) && (error.code === "AWAY" || error.code === "TIMED_OUT")
  );
}

/** The result of what was asked last; code 0 when the file is as long as it should be. */
async function upload({
  ssh,
  archive,
  name,
  report,
  signal,
}: {
  readonly ssh: Ssh;
  readonly archive: Archive;
  readonly name: string;
  readonly report: (doneBytes: number) => void;
  readonly signal: AbortSignal;
}): Promise<RunResult> {
  const standing = await shell(ssh, standingScript, [name], { signal, timeoutMs: askMs });
  if (standing.code !== 0) return standing;
  const from = Number(standing.stdout.trim() || 0);
  report(Math.min(from, archive.bytes));
  // As long as it should be, or longer: the digest decides.
  if (from >= archive.bytes) return standing;
  const content = Readable.from(counted(archive, from, report), { objectMode: false });
  return shell(ssh, appendScript, [name, String(from)], { signal, stdin: content });
}

async function shell(
  ssh: Ssh,
  script: string,
  args: readonly string[],
  options: { readonly signal: AbortSignal; readonly timeoutMs?: number; readonly stdin?: Readable },
): Promise<RunResult> {
  const done = await ssh.run(["sh", "-c", script, "sh", ...args], options);
  if (done.code !== sshFailed) return done;
  const { destination } = ssh;
  throw new SshError("AWAY", `${destination}: the connection was lost`, { destination, stderr: done.stderr });
}

async function* counted(archive: Archive, from: number, report: (doneBytes: number) => void): AsyncGenerator<Buffer> {
  let bytes = from;
  for await (const chunk of archive.read(from)) {
    yield chunk;
    bytes += chunk.length;
    report(bytes);
  }
}

async function digestOf(archive: Archive): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of archive.read()) hash.update(chunk);
  return hash.digest("hex");
}

function notTaken(ssh: Ssh, { code, stderr }: RunResult): OciError {
  const words = stderr.trim().split("\n").at(-1)?.slice(0, 500) ?? "";
  const isFull = /no space left on device|disk quota exceeded/i.test(stderr);
  return new OciError(
    isFull ? "NO_SPACE" : "NOT_TAKEN",
    `${ssh.destination} did not take the image (exit ${code}): ${words}`,
  );
}
