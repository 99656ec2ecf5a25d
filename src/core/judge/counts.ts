/** What was counted for a revision: `errors` are 5xx answers and failed attempts, also those another instance then saved. */
export type Counts = { readonly requests: number; readonly errors: number };

export const noCounts: Counts = { requests: 0, errors: 0 };

/** What came after the mark. Where the counting began anew in between (an edge started from nothing), all there is came after. */
export function since(now: Counts, mark: Counts): Counts {
  const requests = now.requests - mark.requests;
  const errors = now.errors - mark.errors;
  // Each error is a request too, so more new errors than new requests also says that the mark is of an earlier counting.
  return requests < 0 || errors < 0 || errors > requests ? now : { requests, errors };
}

/**
 * What came after the mark where that is enough to judge by, else all there is: what a revision answered weeks ago says less
 * than what it answered a moment ago, and more than nothing.
 */
export function recent(now: Counts, mark: Counts, minimum: number): Counts {
  const counted = since(now, mark);
  return counted.requests >= minimum ? counted : now;
}

export function add(a: Counts, b: Counts): Counts {
  return { requests: a.requests + b.requests, errors: a.errors + b.errors };
}

export function errorRatio({ requests, errors }: Counts): number {
  return requests === 0 ? 0 : errors / requests;
}
