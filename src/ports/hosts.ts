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

/** What a target of several machines does besides. */
export interface Hosts {
  /** All of them, in the order of its config. Changes nothing and asks nobody. */
  hosts(): readonly HostStatus[];
  /**
   * From now on a machine that is away counts as not there, whatever is to be done about its absence otherwise, until it answers:
   * nobody waits for it, and what is missing starts on the others. Does nothing where it answers. Safe to repeat.
   */
  giveUp(url: string): void;
}
