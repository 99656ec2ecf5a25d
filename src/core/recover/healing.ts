import type { Deployment } from "../deploy/deployment.ts";
import { hasEnded } from "../deploy/deployment.ts";
import type { DeploymentId, EpochMs, RevisionId } from "../ids.ts";
import { formatDuration } from "../product/units.ts";

/** When an unhealthy instance is restarted, and when no more. */
export type HealingPolicy = {
  /** How many restarts of one instance are tried within `withinMs`; 0 restarts none. */
  readonly limit: number;
  readonly withinMs: number;
  /** How long it is unhealthy before the first; doubles with each restart inside the window. */
  readonly afterMs: number;
};

export const defaultHealing: HealingPolicy = { limit: 3, withinMs: 600_000, afterMs: 10_000 };

/** One process of an instance, until it is restarted: there is one decision for each. */
export type SickLife = {
  readonly service: string;
  /** `2` or `2 at frankfurt`. */
  readonly which: string;
  readonly sickForMs: number;
  /** What its newest probe saw. */
  readonly saw: string;
  /** When this instance was restarted before, whoever asked. */
  readonly restartedAt: readonly EpochMs[];
};

/** Whose the instance is at this moment. */
export type Hold =
  | { readonly is: "free" }
  /** A rollout starts, stops or judges it: nobody else touches it. */
  | { readonly is: "owned"; readonly why: string }
  /** Its release is still watched, so it can be taken back. */
  | { readonly is: "watched"; readonly deployment: DeploymentId };

export type Healing =
  | { readonly do: "wait"; readonly reason: string }
  | { readonly do: "restart"; readonly number: number; readonly reason: string }
  | { readonly do: "roll-back"; readonly deployment: DeploymentId; readonly reason: string }
  | { readonly do: "page"; readonly reason: string };

/**
 * What is done about an instance that lives and is not healthy.
 *
 * ```text
 *  unhealthy ── after, doubled for each restart in the window ─► restart ─► (another life, judged anew)
 *      └── as many restarts in the window as are allowed ─► roll back while its release is watched, else page; once for this life
 * ```
 * A clock that was set back counts more restarts, never fewer: then it does less.
 */
export function heal(sick: SickLife, policy: HealingPolicy, hold: Hold, now: EpochMs): Healing {
  const { service, which, sickForMs, saw } = sick;
  if (policy.limit === 0) return { do: "wait", reason: `${service} is not restarted: health.restarts is 0` };
  if (hold.is === "owned") return { do: "wait", reason: hold.why };
  const recent = restartsWithin(sick.restartedAt, policy, now);
  const what = `${service} ${which} is unhealthy for ${formatDuration(Math.floor(sickForMs / 1_000) * 1_000)}, ${saw}`;
  const patienceMs = policy.afterMs * 2 ** Math.min(recent, policy.limit);
  if (sickForMs < patienceMs) return { do: "wait", reason: `${what}; ${formatDuration(patienceMs)} are waited for` };
  if (recent < policy.limit) {
    const number = recent + 1;
    return { do: "restart", number, reason: `${what}; restart ${number} of ${policy.limit}` };
  }
  const reason = `${what}, after ${recent} restarts in ${formatDuration(policy.withinMs)}`;
  return hold.is === "watched" ? { do: "roll-back", deployment: hold.deployment, reason } : { do: "page", reason };
}

/** The same when a rule asks: it has its own patience, and the same limit. Never more than a restart. */
export function restartAsked(
  sick: Pick<SickLife, "service" | "which" | "restartedAt">,
  { policy, hold, why }: { readonly policy: HealingPolicy; readonly hold: Hold; readonly why: string },
  now: EpochMs,
): Extract<Healing, { do: "wait" | "restart" }> {
  const what = `${sick.service} ${sick.which}`;
  if (hold.is === "owned") return { do: "wait", reason: `${what} is not restarted: ${hold.why}` };
  const recent = restartsWithin(sick.restartedAt, policy, now);
  const newest = Math.max(...sick.restartedAt, Number.NEGATIVE_INFINITY);
  if (recent >= policy.limit) {
    const window = formatDuration(policy.withinMs);
    return { do: "wait", reason: `${what} is not restarted: ${recent} restarts in ${window} are the limit` };
  }
  if (recent > 0 && now - newest < policy.afterMs * 2 ** recent)
    return { do: "wait", reason: `${what} is not restarted: the last restart was just now` };
  return { do: "restart", number: recent + 1, reason: `${what} is restarted: ${why}` };
}

function restartsWithin(restartedAt: readonly EpochMs[], { withinMs }: HealingPolicy, now: EpochMs): number {
  return restartedAt.filter((at) => at > now - withinMs).length;
}

/** In these nothing is started, stopped or moved: traffic stands, and somebody watches. */
const standing: ReadonlySet<Deployment["phase"]["is"]> = new Set(["paused", "watching", "waiting", "baking", "held"]);

/**
 * Who has a revision in hand. `judged`: the open deployment takes itself back when an instance of its candidate is unhealthy or
 * exits, so a restart would hide what it looks for, and be taken for a crash.
 */
export function holdOf(open: Deployment | null, revision: RevisionId, { judged }: { readonly judged: boolean }): Hold {
  if (open === null || hasEnded(open.phase)) return { is: "free" };
  const { id, rollouts } = open.course;
  const isCandidate = rollouts.some((rollout) => rollout.candidate === revision);
  if (!isCandidate && !rollouts.some((rollout) => rollout.stable === revision)) return { is: "free" };
  if (!standing.has(open.phase.is)) return { is: "owned", why: `${id} is ${open.phase.is}` };
  if (!isCandidate) return { is: "free" };
  return judged ? { is: "owned", why: `${id} judges it` } : { is: "watched", deployment: id };
}
