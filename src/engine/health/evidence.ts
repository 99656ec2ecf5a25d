import { type Evidence, reasonOf } from "../../core/errors/error.ts";
import type { RevisionId } from "../../core/ids.ts";
import type { Target } from "../../ports/target.ts";
import type { InstanceReport } from "./health-watch.ts";

/** How many of a service's last log lines are shown with a failure. */
const shownLines = 8;
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

/** The last lines that the revision wrote. */
export async function logEvidence(target: Target, revision: RevisionId): Promise<Evidence[]> {
  const lines: Evidence[] = [];
  try {
    for await (const line of target.logs({ revision, tail: shownLines }, AbortSignal.timeout(2_000))) {
      lines.push(["log", line.text.slice(0, shownChars)]);
    }
  } catch (error) {
    // Evidence is a help, never a reason to fail: what could not be read is said in its place.
    lines.push(["log", `(could not be read: ${reasonOf(error)})`]);
  }
  return lines;
}
