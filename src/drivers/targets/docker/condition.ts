import { statfs } from "node:fs/promises";
import { isSlipwayError, reasonOf } from "../../../core/errors/error.ts";
import { systemOf } from "../../../lib/docker/system.ts";
import { linkedSignal } from "../../../lib/linked-signal.ts";
import type { HostCondition } from "../../../ports/hosts.ts";
import type { Host } from "./host.ts";

/** A person waits for the answer. */
const patienceMs = 10_000;

/** How a host is now. One that does not answer says so; it is no error. Waits 10 s at most. */
export async function conditionOf(host: Host, signal: AbortSignal): Promise<HostCondition> {
  const { name, docker } = host;
  const known = { name, url: docker.url };
  const { signal: until, release } = linkedSignal([signal], patienceMs);
  try {
    const askedAt = Date.now();
    const { clockMs, directory } = await host.do(() => systemOf(docker, until));
    const aheadMs = aheadOf(clockMs, { askedAt, answeredAt: Date.now() });
    const [freeBytes, certificates] = await Promise.all([
      freeIn(host, directory, until).catch(() => null),
      docker.certificates(until).catch(() => []),
    ]);
    return { ...known, aheadMs, freeBytes, certificates, trouble: null, hint: null };
  } catch (error) {
    signal.throwIfAborted();
    const trouble = until.aborted ? `host ${name}: no answer within ${patienceMs / 1_000} s` : reasonOf(error);
    const hint = isSlipwayError(error) ? error.hint : null;
    return { ...known, aheadMs: null, freeBytes: null, certificates: [], trouble, hint };
  } finally {
    release();
  }
}

/** No finer than the time that the question took; 0 where both may be the same. */
function aheadOf(
  clockMs: number,
  { askedAt, answeredAt }: { readonly askedAt: number; readonly answeredAt: number },
): number | null {
  if (Number.isNaN(clockMs)) return null;
  if (clockMs > answeredAt) return clockMs - answeredAt;
  return Math.min(0, clockMs - askedAt);
}

/** Null where nobody can be asked: an engine tells nothing of its disk. */
async function freeIn({ docker, isLocal }: Host, directory: string, signal: AbortSignal): Promise<number | null> {
  if (isLocal) {
    const { bavail, bsize } = await statfs(directory);
    return bavail * bsize;
  }
  if (docker.ssh === null) return null;
  const { code, stdout } = await docker.ssh.run(["df", "-kP", directory], { signal });
  const free = /^\S.*?\s+\d+\s+\d+\s+(\d+)\s+\d+%\s/.exec(stdout.trim().split("\n").at(-1) ?? "")?.[1];
  return code !== 0 || free === undefined ? null : Number(free) * 1_024;
}
