import { type Deployment, hasEnded, type Rollout } from "../deploy/deployment.ts";
import type { EpochMs, ServiceName } from "../ids.ts";
import type { ServiceKind, ServiceSpec } from "../product/spec.ts";
import { formatDuration } from "../product/units.ts";

export const tiers = ["frontend", "backend", "database"] as const;
export type Tier = (typeof tiers)[number];

/** How long a service of a tier may be on a bad release once that is known. */
export const tierBudgetsMs: Readonly<Record<Tier, number>> = { frontend: 120_000, backend: 300_000, database: 900_000 };

/** What a config says of it; the rest is by the kind of the service. */
export type RestoreSpec = { readonly tier?: Tier; readonly withinMs?: number };

export const tierOf = (kind: ServiceKind): Tier => (kind === "web" || kind === "static" ? "frontend" : "backend");

/** One service's budget, and whether it was kept. */
export type RestoreReading = {
  readonly service: ServiceName;
  readonly tier: Tier;
  readonly withinMs: number;
  readonly met: boolean;
};

/** How long a bad release had all or some of the users after it was known to be bad. `tookMs` is null when nothing could be restored. */
export type Restore = { readonly tookMs: number | null; readonly services: readonly RestoreReading[] };

export type Restored = {
  readonly kind: "deploy" | "promotion" | "rollback";
  readonly createdBy: string;
  readonly createdAt: EpochMs;
  readonly deployment: Pick<Deployment, "phase" | "detectedAt" | "restoredAt" | "liveAt">;
};

/**
 * What an automatic way back took. From the failure that was seen, or from the rule that asked for a rollback, until all traffic was
 * on the good release: all services go back as one, so the time is the same for each, and only its budget is its own. Null while it is
 * under way, and where a person took the release back or nothing had to be restored.
 */
export function restoreOf(
  seen: Restored,
  services: readonly { readonly name: ServiceName; readonly kind: ServiceKind; readonly restore?: RestoreSpec }[],
): Restore | null {
  const times = timesOf(seen);
  if (times === null) return null;
  const tookMs = times.to === null ? null : Math.max(0, times.to - times.from);
  const readings = services
    .filter(({ kind }) => kind !== "job")
    .map(({ name, kind, restore }): RestoreReading => {
      const tier = restore?.tier ?? tierOf(kind);
      const withinMs = restore?.withinMs ?? tierBudgetsMs[tier];
      return { service: name, tier, withinMs, met: tookMs !== null && tookMs <= withinMs };
    });
  return { tookMs, services: readings };
}

function timesOf({ kind, createdBy, createdAt, deployment }: Restored): { from: EpochMs; to: EpochMs | null } | null {
  const { phase, detectedAt, restoredAt, liveAt } = deployment;
  const end = "end" in phase ? phase.end.is : phase.is;
  if (end === "cancelled") return null;
  if (kind === "rollback") {
    if (!createdBy.startsWith("rule ")) return null;
    if (liveAt !== null) return { from: createdAt, to: liveAt };
    return hasEnded(phase) ? { from: createdAt, to: null } : null;
  }
  if (detectedAt === null) return null;
  if (restoredAt !== null) return { from: detectedAt, to: restoredAt };
  return phase.is === "rollback-failed" ? { from: detectedAt, to: null } : null;
}

/** Those of a deployment, as its release has them. */
export function restorable(
  rollouts: readonly Pick<Rollout, "service">[],
  services: Readonly<Record<ServiceName, ServiceSpec>>,
): readonly ServiceSpec[] {
  return rollouts.map(({ service }) => services[service]).filter((service) => service !== undefined);
}

/** `back in 1s420ms: web (frontend) within 2m, met; api (backend) within 5m, met`. */
export function restoreText({ tookMs, services }: Restore): string {
  const each = services.map(
    ({ service, tier, withinMs, met }) =>
      `${service} (${tier}) within ${formatDuration(withinMs)}, ${met ? "met" : "missed"}`,
  );
  const took = tookMs === null ? "not restored" : `back in ${formatDuration(tookMs)}`;
  return each.length === 0 ? took : `${took}: ${each.join("; ")}`;
}
