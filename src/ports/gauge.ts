/** What one look at something declared in the config has seen. */
export type Outcome = {
  /** `unknown`: it could not be measured, which says nothing about what was to be measured. */
  readonly is: "pass" | "fail" | "unknown";
  /** For a person: `503 "migrating"`, `42 jobs wait, the oldest for 31 s`. Never a secret. */
  readonly saw: string;
  /** Numbers by their metric: `queue delay`, `certificate days`; `value` is that of a declared metric. What could not be had is left out. */
  readonly values?: Readonly<Record<string, number>>;
};

/**
 * Looks at one thing: a probe or a metric of the config. Changes nothing there, may be repeated, and is bounded in what it reads.
 * Rejects when the signal is aborted, and with what went wrong on the way (`connection refused`); what that means is for whoever
 * asks: a probe has failed, and a metric is unknown.
 */
export interface Gauge {
  read(signal: AbortSignal): Promise<Outcome>;
}
