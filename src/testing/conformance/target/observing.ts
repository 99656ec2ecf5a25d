import { readFileSync } from "node:fs";
import { mkdtemp, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { packDirectory } from "../../../lib/pack.ts";
import type { Artifact, InstanceStatus, LogLine, RevisionStatus } from "../../../ports/target.ts";

/** How long anything may take that a test waits for. The tests wait for events, not for this. */
const patienceMs = 20_000;

export function runningOf(status: RevisionStatus | undefined): InstanceStatus[] {
  return (status?.instances ?? []).filter(({ state }) => state === "running");
}

export async function packed(folder: string, files: Readonly<Record<string, string>>): Promise<Artifact> {
  const source = await mkdtemp(join(folder, "source-"));
  for (const [name, content] of Object.entries(files)) await writeFile(join(source, name), content);
  const file = join(folder, "artifact.tar");
  return { kind: "directory", file, digest: (await packDirectory(source, file)).digest };
}

type Seen = { pid: number; env: Record<string, string>; args: string[]; cwd: string };

export async function ask(address: string | null): Promise<Seen> {
  return JSON.parse(await textOf(address)) as Seen;
}

export async function family(address: string | null): Promise<{ pid: number; child: number }> {
  return JSON.parse(await textOf(address)) as { pid: number; child: number };
}

/** Nobody listens there. */
export function isRefused(address: string | null): Promise<boolean> {
  return fetch(`http://${address}/`).then(
    () => false,
    () => true,
  );
}

/** The answer of an instance, as soon as it listens. */
export function textOf(address: string | null): Promise<string> {
  return eventually(async () => {
    const answer = await fetch(`http://${address}/`, { headers: { connection: "close" } });
    return { body: await answer.text() };
  }).then(({ body }) => body);
}

export async function textsOf(lines: AsyncIterable<LogLine>, stream: LogLine["stream"] | null): Promise<string[]> {
  const texts: string[] = [];
  for await (const line of lines) if (stream === null || line.stream === stream) texts.push(line.text);
  return texts;
}

export async function nextThat<T>(updates: AsyncIterator<T>, accepts: (value: T) => boolean): Promise<T> {
  const until = performance.now() + patienceMs;
  while (performance.now() < until) {
    const { value, done } = await updates.next();
    if (done) break;
    if (accepts(value)) return value;
  }
  throw new Error("what was waited for did not come");
}

/** The first truthy answer; a failure counts as none. */
export async function eventually<T>(look: () => T | Promise<T>): Promise<Exclude<T, false | null | undefined>> {
  const until = performance.now() + patienceMs;
  for (;;) {
    const [value, error] = await Promise.resolve()
      .then(look)
      .then(
        (seen) => [seen, null] as const,
        (thrown: unknown) => [null, thrown] as const,
      );
    if (value) return value as Exclude<T, false | null | undefined>;
    if (performance.now() > until) throw error ?? new Error("what was waited for did not come");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** A zombie, which nobody has reaped yet, does not live. */
export function isAlive(pid: number | null | undefined): boolean {
  if (pid === null || pid === undefined) return false;
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(")") + 2));
  } catch {
    return process.platform !== "linux";
  }
}
