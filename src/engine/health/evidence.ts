import { type Evidence, reasonOf } from "../../core/errors/error.ts";
import type { EpochMs, RevisionId } from "../../core/ids.ts";
import type { Target } from "../../ports/target.ts";
import type { InstanceReport } from "./health-watch.ts";

/** How many of a service's last log lines are shown with a failure, and out of how many they are picked. */
const shownLines = 12;
const readLines = 100;
const shownChars = 400;

/** What was seen of a sick instance: the last probe and the last exit. */
export function seenEvidence(report: InstanceReport | null): Evidence[] {
  const evidence: Evidence[] = [];
  if (report?.health.last != null)
    evidence.push(["last probe", `${report.probed ?? "process"} -> ${report.health.last.saw}`]);
  if (report?.status.lastExit != null) evidence.push(["last exit", exitText(report.status.lastExit)]);
  return evidence;
}

export function exitText(exit: { readonly code: number | null; readonly signal: string | null }): string {
  return exit.signal === null ? `exit code ${exit.code}` : `killed by ${exit.signal}`;
}

/** The last lines that the revision itself wrote since then; the same line again is counted, not repeated. */
export async function logEvidence(target: Target, revision: RevisionId, since: EpochMs): Promise<Evidence[]> {
  const lines: string[] = [];
  try {
    for await (const line of target.logs({ revision, tail: readLines }, AbortSignal.timeout(2_000))) {
      if (line.at >= since && line.stream !== "slipway" && line.text.trim() !== "")
        lines.push(line.text.slice(0, shownChars));
    }
  } catch (error) {
    // Evidence is a help, never a reason to fail: what could not be read is said in its place.
    lines.push(`(could not be read: ${reasonOf(error)})`);
  }
  return counted(lines)
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
