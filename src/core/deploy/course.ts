import { shortDigest } from "../hash.ts";
import type { DeploymentId, ReleaseId, RevisionId, ServiceName } from "../ids.ts";
import { revisionId } from "../ids.ts";
import { type LoneReason, loneReason } from "../product/lone.ts";
import type { CanarySpec, EnvironmentSpec, RolloutSpec, ServiceSpec } from "../product/spec.ts";
import { type HeldCounts, instancesNow, nothingHeld } from "../scale/count.ts";
import { allTraffic, type Course, type Rollout } from "./deployment.ts";
import { rollbackStages, stages } from "./stages.ts";
import { waves } from "./waves.ts";

/** A release as one environment sees it. */
export type ReleaseView = { readonly id: ReleaseId; readonly number: number; readonly spec: EnvironmentSpec };

/**
 * The course of a deployment, fixed when it begins. A rollback takes all traffic in one step and has no bake and no jobs: its
 * release has passed and done them here before.
 */
export function courseOf(input: {
  readonly id: DeploymentId;
  readonly kind: "deploy" | "promotion" | "rollback";
  readonly release: ReleaseView;
  readonly stable: ReleaseView | null;
  /** How many instances its services have been brought to: as many come, and as many go. */
  readonly held?: HeldCounts;
  /** Revisions of it are kept here from before. */
  readonly isKept?: boolean;
}): Course {
  const { release, stable, held = nothingHeld, isKept = false } = input;
  const { rollout } = release.spec;
  const isRollback = input.kind === "rollback";
  const all = rolloutsOf(release, stable, held);
  const rollouts = isRollback ? all.flatMap(withoutJob) : all;
  const steps = isRollback
    ? rollbackStages(rollouts)
    : stages(rollouts, movesEdge(release, stable) ? atOnce(rollout) : rollout);
  const taking = rollouts.filter((each) => each.candidate !== null).map((each) => each.service);
  return {
    id: input.id,
    environment: release.spec.environment,
    release: release.id,
    stable: stable?.id ?? null,
    rollouts,
    waves: waves(Object.values<ServiceSpec>(release.spec.services).filter((service) => taking.includes(service.name))),
    stages: steps,
    ...(isRollback || rollout.canary === undefined || steps.length === 1 ? {} : { canary: canaryOf(rollout.canary) }),
    drainMs: rollout.drainMs,
    bakeMs: isRollback ? 0 : rollout.bakeMs,
    proven: isRollback,
    ...(isKept ? { kept: true } : {}),
  };
}

function canaryOf({ steps, limitMs }: CanarySpec): NonNullable<Course["canary"]> {
  return {
    steps: steps.map(({ weight, bakeMs, promotion, gates }) => ({
      weight: Math.round(weight * allTraffic),
      bakeMs,
      manual: promotion === "manual",
      ...(gates === undefined ? {} : { gates }),
    })),
    limitMs,
  };
}

/** No edge can share the requests that come in at another one. */
export function movesEdge({ spec }: ReleaseView, stable: ReleaseView | null): boolean {
  return (
    stable !== null && (spec.edge.driver !== stable.spec.edge.driver || spec.edge.server !== stable.spec.edge.server)
  );
}

function atOnce(rollout: RolloutSpec): RolloutSpec {
  return rollout.strategy === "canary" ? { ...rollout, strategy: "blue-green" } : rollout;
}

/** What every target can call it, with an instance's number behind. */
const maxIdLetters = 90;

/** The same for the same service of the same release in the same environment, so that it is found again after a crash. */
export function revisionOf(release: ReleaseView, service: ServiceName): RevisionId {
  const { product, environment } = release.spec;
  const id = (place: string) => `rev_${place}-${service}-r${release.number}`;
  const whole = id(`${product}-${environment.replace("/", "_")}`);
  return revisionId(whole.length <= maxIdLetters ? whole : id(shortDigest(`${product}/${environment}`)));
}

/** The number of the release that a revision is of; 0 for what is no release's: an accessory, an instance for one command. */
export function numberOf(revision: RevisionId): number {
  return Number(/^rev_.*-r(\d+)$/.exec(revision)?.[1] ?? 0);
}

/** A job has done its work when the release first came; going back does not do it again, and still ends what is in its place. */
function withoutJob(rollout: Rollout): Rollout[] {
  if (rollout.kind !== "job") return [rollout];
  // Nothing starts in its place, so nothing has to stop first.
  const { stableKind, stopFirst: _, ...rest } = rollout;
  return stableKind === undefined ? [] : [{ ...rest, kind: stableKind, candidate: null, candidateInstances: 0 }];
}

/** Only a container has volumes and ports of its host. */
function loneIn({ spec }: ReleaseView, { container }: ServiceSpec): LoneReason | null {
  return spec.target.driver === "docker" ? loneReason(container) : null;
}

function isBehind({ kind, routes, composed }: ServiceSpec): boolean {
  return composed !== undefined && kind === "web" && routes.length === 0;
}

function rolloutsOf(release: ReleaseView, stable: ReleaseView | null, held: HeldCounts): Rollout[] {
  const countIn = ({ spec }: ReleaseView, service: ServiceSpec) => instancesNow(spec, service, held.get(service.name));
  const dropped = Object.values<ServiceSpec>(stable?.spec.services ?? {}).filter(
    (service) => release.spec.services[service.name] === undefined && service.kind !== "job",
  );
  return [
    ...Object.values<ServiceSpec>(release.spec.services).map((service): Rollout => {
      const before = stable?.spec.services[service.name];
      // A job has ended: there is nothing of it to replace.
      const replaces = stable !== null && before !== undefined && before.kind !== "job";
      const stopFirst = replaces ? (loneIn(stable, before) ?? loneIn(release, service)) : null;
      return {
        service: service.name,
        kind: service.kind,
        candidate: revisionOf(release, service.name),
        candidateInstances: countIn(release, service),
        stable: replaces ? revisionOf(stable, service.name) : null,
        stableInstances: replaces ? countIn(stable, before) : 0,
        ...(replaces && before.kind !== service.kind ? { stableKind: before.kind } : {}),
        routed: service.routes.length > 0 || (replaces && before.routes.length > 0),
        ...(isBehind(service) || (replaces && isBehind(before)) ? { behind: true as const } : {}),
        ...(stopFirst === null ? {} : { stopFirst }),
      };
    }),
    ...dropped.map(
      (service): Rollout => ({
        service: service.name,
        kind: service.kind,
        candidate: null,
        candidateInstances: 0,
        stable: stable === null ? null : revisionOf(stable, service.name),
        stableInstances: stable === null ? 0 : countIn(stable, service),
        routed: service.routes.length > 0,
        ...(isBehind(service) ? { behind: true as const } : {}),
      }),
    ),
  ];
}
