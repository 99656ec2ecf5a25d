import type { EpochMs, ReleaseId } from "../ids.ts";
import type { ApprovalSpec } from "../product/gates-spec.ts";
import { isNamed, personOf } from "./person.ts";
import type { GateReading } from "./reading.ts";

/** Somebody's yes. It was given to what was shown: how this release differs from what was live then. */
export type Approval = {
  readonly by: string;
  readonly at: EpochMs;
  readonly reason: string;
  readonly live: ReleaseId | null;
};

/** What is to be approved, and whose work it is. */
export type Asked = {
  readonly at: EpochMs;
  /** Who asked for it, who made the release, who wrote its commits. */
  readonly authors: readonly string[];
  /** What is live now. */
  readonly live: ReleaseId | null;
};

/** Why the word of this person does not count here; null when it does. */
export function whyNotCounted(spec: ApprovalSpec, asked: Pick<Asked, "authors">, by: string): string | null {
  const { people, otherNames } = spec;
  if (people !== null && !people.some((listed) => isNamed(listed, by, otherNames)))
    return `${by} is not among those who may approve: ${namesOf(spec)}`;
  const person = personOf(by, otherNames);
  if (spec.authorMayApprove || !asked.authors.some((author) => personOf(author, otherNames) === person)) return null;
  return `${by} wrote, made or asked for it, and somebody else has to approve`;
}

/** `ops: ada, grace`; just the names where they are all there is. */
export function namesOf({ from, people }: ApprovalSpec): string {
  const names = people?.join(", ") ?? "";
  return names === "" || names === from ? from : `${from} (${names})`;
}

/** When the wait for it is over. */
export function expiresAt(spec: ApprovalSpec, asked: Pick<Asked, "at">): EpochMs {
  return asked.at + spec.expiresMs;
}

/**
 * How the approvals stand: each person counts once, and only for what was live when they looked. Those that do not count are
 * named with why.
 */
export function readApprovals(spec: ApprovalSpec, asked: Asked, approvals: readonly Approval[]): GateReading {
  const person = (by: string): string => personOf(by, spec.otherNames);
  const counted = new Map<string, Approval>();
  const left: { readonly by: string; readonly why: string }[] = [];
  for (const approval of approvals) {
    const { by } = approval;
    const why = whyNotCounted(spec, asked, by);
    if (why !== null) left.push({ by, why });
    else if (approval.live !== asked.live) left.push({ by, why: `${by} approved before another release went live` });
    else if (!counted.has(person(by))) counted.set(person(by), approval);
  }
  const missing = spec.count - counted.size;
  const given = [...counted.values()].map(({ by, reason }) => `${by} (${reason})`).join(", ");
  const approved = given === "" ? [] : [`approved by ${given}`];
  if (missing <= 0) return { gate: "approval", open: true, says: approved.join(), opensAt: null };
  const number = given === "" ? `${missing}` : `${missing} more`;
  // Who has looked again since is counted, and the first look is no news.
  const without = left.filter(({ by }) => !counted.has(person(by))).map(({ why }) => why);
  const says = [
    ...approved,
    `waits for ${number} ${missing === 1 ? "approval" : "approvals"} from ${namesOf(spec)}`,
    ...new Set(without),
  ];
  return { gate: "approval", open: false, says: says.join("; "), opensAt: null };
}
