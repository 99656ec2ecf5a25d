/**
 * What an editor offers where a rule is written: one condition of each kind, with each thing that may be done. Every other line is
 * as good, and is read by the grammar in `judge/rule/parse.ts`, whose problems say more than a type could.
 */
export const ruleConditions = [
  "error ratio > 10% for 5m",
  "error ratio of api > 10% for 5m",
  "errors > 5/s over 5m",
  "latency p95 > 800ms over 5m",
  "latency p99 of api > 2s over 5m",
  "avg response time > 2s over 5m",
  "requests < 1/s for 10m",
  "health failing for 2m",
  "health of api failing for 2m",
  "uptime < 99% over 10m",
  "probe failing for 1m",
  "probe at database lost",
  "queue delay > 30s",
  "queue delay of mailer > 30s for 1m",
  "queue depth > 1000",
  "queue failed > 0",
  "cpu > 90% for 5m",
  "memory > 512MB for 5m",
  "memory share > 80% during mon-fri 09:00-17:00 Europe/Berlin",
  "restarts > 3 over 10m",
  "certificate days < 14d",
  "error budget 99.9% burns",
  "error budget 99.9% burns slowly",
  'alert HighErrorRate{severity="critical"} firing for 1m',
] as const;

export const ruleActions = [
  "rollback",
  "rollback, page",
  "rollback, notify team",
  "pause",
  "restart",
  "page",
  "notify team",
  "warning, notify team",
  "critical, notify team",
  "suggest scale up",
  "flag off new-checkout",
] as const;

/** The same for what must hold of what is live, or of a canary's step. */
export const heldConditions = [
  "error ratio < 1% over 5m",
  "error ratio of api < 1% over 5m",
  "latency p95 < 300ms over 5m",
  "latency p95 of api < 300ms over 5m",
  "uptime > 99.9% over 1h",
  "health >= 100%",
  "queue delay < 30s",
  "queue depth < 1000",
  "cpu < 80% over 5m",
  "memory share < 80% over 5m",
] as const;

/** Any text: what is offered is what the other part of the type is for. */
type AnyLine = string & Record<never, never>;

export type RuleLine = `${(typeof ruleConditions)[number]} -> ${(typeof ruleActions)[number]}` | AnyLine;
export type HeldLine = (typeof heldConditions)[number] | AnyLine;
