import type { ChecksSeen, CommitCheck } from "../forge/check.ts";
import type { EpochMs } from "../ids.ts";
import type { ChecksSpec } from "../product/gates-spec.ts";
import { formatDuration } from "../product/units.ts";
import type { GateReading } from "./reading.ts";

/** What the forge said longer ago than this says nothing of now. */
export const freshMs = 2 * 60_000;

/** Each check that is named must have succeeded, by the forge's last word, and that must be fresh. */
export function readChecks({ names }: ChecksSpec, seen: ChecksSeen, now: EpochMs): GateReading {
  const shut = (says: string): GateReading => ({ gate: "checks", open: false, says, opensAt: null });
  const why = seen.trouble === null ? "" : `: ${seen.trouble}`;
  if (seen.at === null) return shut(`the forge has not said yet how ${names.join(", ")} are${why}`);
  if (now - seen.at > freshMs) {
    const age = formatDuration(Math.floor((now - seen.at) / 1_000) * 1_000);
    return shut(`the forge has said nothing of ${names.join(", ")} for ${age}${why}`);
  }
  const all = names.map((name) => one(name, seen.all));
  const missing = all.filter(({ state }) => state !== "succeeded");
  if (missing.length === 0) return { gate: "checks", open: true, says: `${names.join(", ")} succeeded`, opensAt: null };
  return shut(`waits for ${missing.map(({ name, says }) => `${name} (${says})`).join(", ")}`);
}

/** Those that have failed, by a fresh word. */
export function failedChecks({ names }: ChecksSpec, seen: ChecksSeen, now: EpochMs): readonly CommitCheck[] {
  if (seen.at === null || now - seen.at > freshMs) return [];
  return names.map((name) => one(name, seen.all)).filter(({ state }) => state === "failed");
}

/** A name may be that of a status and of a check: then both must succeed. */
function one(name: string, all: readonly CommitCheck[]): CommitCheck {
  const same = all.filter((check) => check.name === name);
  const worst =
    same.find(({ state }) => state === "failed") ?? same.find(({ state }) => state === "pending") ?? same[0];
  return worst ?? { name, state: "pending", says: "not there yet" };
}
