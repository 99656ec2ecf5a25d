/** Null: unknown, which is neither up nor down. */
export type Up = boolean | null;

/** What says whether a service is up at a moment. */
export type Signs = {
  /** Of each instance that serves: healthy, not healthy, or not known. */
  readonly instances: readonly (0 | 1 | null)[];
  /** Of each declared probe that has a say. */
  readonly probes: readonly Up[];
  /** Users asked, and every answer was an error. */
  readonly answersAllFail: boolean;
};

/**
 * Up: an instance is healthy, no probe fails, and users get more than errors. Down: any of the three is known to be otherwise. One
 * instance whose health is unknown may be healthy, so the others being sick is not enough to say that a service is down.
 */
export function upOf({ instances, probes, answersAllFail }: Signs): Up {
  if (answersAllFail || probes.includes(false)) return false;
  if (instances.includes(1)) return probes.includes(null) ? null : true;
  return instances.length === 0 || instances.includes(null) ? null : false;
}

/** All of it is up, or one part is known to be down. */
export function whole(parts: readonly Up[]): Up {
  if (parts.includes(false)) return false;
  return parts.length === 0 || parts.includes(null) ? null : true;
}
