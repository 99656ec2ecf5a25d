/** How many were seen, and how many of them were bad: failed, or slower than a limit. */
export type Tally = { readonly seen: number; readonly bad: number };

export const nothingSeen: Tally = { seen: 0, bad: 0 };

export function plus(a: Tally, b: Tally): Tally {
  return { seen: a.seen + b.seen, bad: a.bad + b.bad };
}
