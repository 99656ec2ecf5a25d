import type { EpochMs } from "../core/ids.ts";
import type { RevisionSelector, RevisionStatus } from "./target.ts";

/** One machine of a target, as it was when it was last asked. */
export type HostStatus = {
  readonly name: string;
  readonly url: string;
  /** How long it has not answered; null when it answered the last time, or was never asked. */
  readonly awayForMs: number | null;
  /** By a clock that only rises; null before the first time. */
  readonly askedMs: number | null;
  /** It counts as not there until it answers. */
  readonly givenUp: boolean;
};

/** A machine as it is now; null is not known. */
export type HostCondition = {
  readonly name: string;
  readonly url: string;
  /** How far its clock is ahead of ours, or behind it (below 0); 0 where both may be the same. */
  readonly aheadMs: number | null;
  /** On the disk with its images and volumes. */
  readonly freeBytes: number | null;
  /** Of the connection's TLS; none without. */
  readonly certificates: readonly CertificateLife[];
  /** Why it could not be asked. */
  readonly trouble: string | null;
  /** What to do about that, where it is known. */
  readonly hint: string | null;
};

export type CertificateLife = {
  /** The machine's, or the one by which it knows us. */
  readonly whose: "its" | "our";
  readonly notBefore: EpochMs;
  readonly notAfter: EpochMs;
};

/** What a target of several machines does besides. */
export interface Hosts {
  /** All of them, in the order of its config. Changes nothing and asks nobody. */
  hosts(): readonly HostStatus[];
  /**
   * From now on a machine that is away counts as not there, whatever is to be done about its absence otherwise, until it answers:
   * nobody waits for it, and what is missing starts on the others. Does nothing where it answers. Safe to repeat.
   */
  giveUp(url: string): void;
  /**
   * What the machines say that answer, and of the others what was seen there last; for people, who are better told a part than nothing.
   * Nobody waits for a machine that is away. Changes nothing. Errors: HOST_AWAY when none answers and of none anything is known.
   */
  present(selector: RevisionSelector): Promise<readonly RevisionStatus[]>;
  /** Asks each how it is, for a person. Changes nothing; waits 10 s at most. One that does not answer is no error. */
  conditions(signal: AbortSignal): Promise<readonly HostCondition[]>;
}
