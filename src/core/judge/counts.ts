/** What was counted for a revision: `errors` are 5xx answers and failed attempts, also those another instance then saved. */
export type Counts = { readonly requests: number; readonly errors: number };

export const noCounts: Counts = { requests: 0, errors: 0 };

export function since(now: Counts, mark: Counts): Counts {
  return { requests: Math.max(0, now.requests - mark.requests), errors: Math.max(0, now.errors - mark.errors) };
}

export function add(a: Counts, b: Counts): Counts {
  return { requests: a.requests + b.requests, errors: a.errors + b.errors };
}

export function errorRatio({ requests, errors }: Counts): number {
  return requests === 0 ? 0 : errors / requests;
}
