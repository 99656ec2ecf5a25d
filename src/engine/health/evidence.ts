import { type Evidence, reasonOf } from "../../core/errors/error.ts";
import type { EpochMs, InstanceId, RevisionId } from "../../core/ids.ts";
import type { Clock } from "../../ports/clock.ts";
import type { InstanceStatus, LastExit, Target } from "../../ports/target.ts";
import type { InstanceReport } from "./health-watch.ts";

/** How many of a service's last log lines are shown with a failure, and out of how many they are picked. */
const shownLines = 12;
const readLines = 100;
/** The same when the lines of one instance are looked for among those of its healthy neighbours, who may say much more. */
const readLinesOfOne = 5_000;
const shownChars = 400;
/** How long a place that keeps logs may take. */
const readMs = 2_000;

/** What was seen of a sick instance: the last probe and the last exit. */
export function seenEvidence(report: InstanceReport | null): Evidence[] {
  const evidence: Evidence[] = [];
  if (report?.health.last != null)
    evidence.push(["last probe", `${report.probed ?? "process"} -> ${report.health.last.saw}`]);
  if (report?.status.lastExit != null) evidence.push(["last exit", exitText(report.status.lastExit)]);
  return evidence;
}

/** Which instance a failure is about, for its log lines. */
export function instanceOf(report: InstanceReport | null): { readonly instance?: InstanceId } {
  return report === null ? {} : { instance: report.status.id };
}

export function exitText({ code, signal, oom }: Pick<LastExit, "code" | "signal" | "oom">): string {
  const how = signal === null ? `exit code ${code}` : `killed by ${signal}`;
  return oom === true ? `${how}: it used more memory than its limit` : how;
}

/** Which instance, and where: `instance 1`, and its host where there are several. */
export function whichInstance({ index, host }: Pick<InstanceStatus, "index" | "host">): string {
  return host === null ? `instance ${index}` : `instance ${index} on host ${host}`;
}

/**
 * The last lines that the instance wrote since then, or the whole revision where none is named or it has said nothing; the same
 * line again is counted, not repeated.
 */
export async function logEvidence(
  { targets, clock }: { readonly targets: Pick<Target, "logs">; readonly clock: Pick<Clock, "sleep"> },
  { revision, instance }: { readonly revision: RevisionId; readonly instance: InstanceId | null },
  since: EpochMs,
): Promise<Evidence[]> {
  const all: string[] = [];
  const own: string[] = [];
  const limit = new AbortController();
  const done = new AbortController();
  clock.sleep(readMs, done.signal).then(
    () => limit.abort(new Error(`not within ${readMs} ms`)),
    () => {},
  );
  try {
    const tail = instance === null ? readLines : readLinesOfOne;
    for await (const line of targets.logs({ revision, tail }, limit.signal)) {
      if (line.at < since || line.stream === "slipway" || line.text.trim() === "") continue;
      const text = line.text.slice(0, shownChars);
      all.push(text);
      if (line.instance === instance) own.push(text);
    }
  } catch (error) {
    // Evidence is a help, never a reason to fail: what could not be read is said in its place.
    for (const lines of [all, own]) lines.push(`(could not be read: ${reasonOf(error)})`);
  } finally {
    done.abort();
  }
  return counted(own.length > 0 ? own : all)
    .slice(-shownLines)
    .map((line) => ["log", line]);
}

function counted(lines: readonly string[]): string[] {
  const runs: { line: string; times: number }[] = [];
  for (const line of lines) {
    const last = runs.at(-1);
    if (last?.line === line) last.times += 1;
    else runs.push({ line, times: 1 });
  }
  return runs.map(({ line, times }) => (times === 1 ? line : `${line} (${times} times)`));
}
