import { namesOf } from "../gates/approval.ts";
import type { ServiceName } from "../ids.ts";
import { canonicalJson } from "../product/canonical.ts";
import type { StepGatesSpec } from "../product/gates-spec.ts";
import type { EnvironmentSpec, RouteSpec, ServiceSpec } from "../product/spec.ts";
import { formatDuration } from "../product/units.ts";
import { shareText } from "./canary.ts";
import { movesEdge, type ReleaseView } from "./course.ts";
import { allTraffic, type Course, sharesTraffic } from "./deployment.ts";
import { isStopFirst } from "./stop-first.ts";

/** What follows a shift to a step's weight. */
export function canarySteps({ canary }: Course, { rollout }: EnvironmentSpec, stage: number): string[] {
  const step = canary?.steps[stage];
  if (canary === undefined || step === undefined || rollout.canary === undefined) return [];
  const { minimum, synthetic } = rollout.canary;
  const asked = synthetic === null ? "" : `, by up to ${synthetic.perSecond} of Slipway's own a second if need be`;
  return [
    `watch step ${stage + 1} of ${canary.steps.length} for ${formatDuration(step.bakeMs)} and at least ${minimum} requests${asked}; what cannot be judged after ${formatDuration(canary.limitMs)} more asks a person`,
    ...(step.manual ? ["wait for a person: slipway promote-step"] : []),
    ...(step.gates === undefined ? [] : [`wait until all are open: ${gatesText(step.gates)}`]),
  ];
}

function gatesText({ approval, windows, freezes, waitMs, conditions }: StepGatesSpec): string {
  return [
    ...(approval === null
      ? []
      : [`${approval.count} ${approval.count === 1 ? "approval" : "approvals"} from ${namesOf(approval)}`]),
    ...(windows.length === 0 ? [] : ["a window"]),
    ...(freezes.length === 0 ? [] : ["no freeze"]),
    ...(waitMs === 0 ? [] : [`${formatDuration(waitMs)} after the step`]),
    ...conditions,
  ].join(", ");
}

/** What a canary here cannot do as its name promises. */
export function canaryWarnings(
  course: Course,
  { release, live }: { readonly release: ReleaseView; readonly live: ReleaseView | null },
): string[] {
  if (release.spec.rollout.strategy !== "canary" || live === null || live.id === release.id) return [];
  if (movesEdge(release, live))
    return ["the edge moves, and no edge shares another one's requests: one switch, no canary"];
  if (course.canary === undefined) return ["no service shares its requests by weight: one switch, no canary"];
  const late = course.rollouts.filter(
    (rollout) =>
      rollout.candidate !== null && rollout.stable !== null && rollout.kind !== "job" && !sharesTraffic(rollout),
  );
  return [
    ...(late.length === 0
      ? []
      : [
          `${names(late.map(({ service }) => service))} with the last step: ${late.some(isStopFirst) ? "what is stopped first" : "what takes no requests"} cannot be shared by weight`,
        ]),
    ...newAddresses(course, release, live).map(
      ({ service, route }) => `${route} is new: all its requests go to ${service} from the first step on`,
    ),
    ...coarse(course, live.spec),
    ...(release.spec.edge.optIn !== undefined &&
    canonicalJson(live.spec.edge.optIn ?? null) !== canonicalJson(release.spec.edge.optIn)
      ? ["edge.optIn is another one than that of what is live: it is in force from the next release on"]
      : []),
    ...(live.spec.edge.sticky === null
      ? ["without edge.sticky each request is on its own: a page of one release may ask for files of the other"]
      : []),
  ];
}

function names(services: readonly ServiceName[]): string {
  return services.length === 1 ? `${services[0]} changes over` : `${services.join(", ")} change over`;
}

/** Addresses of services without an old side, which stable does not have. */
function newAddresses({ stages }: Course, release: ReleaseView, live: ReleaseView) {
  const textOf = ({ host, path }: RouteSpec): string => `${host ?? ""}${path}`;
  const known = new Set(Object.values<ServiceSpec>(live.spec.services).flatMap(({ routes }) => routes.map(textOf)));
  const whole = Object.values<ServiceSpec>(release.spec.services).filter(
    ({ name }) => stages[0]?.[name]?.weight === allTraffic,
  );
  return whole.flatMap(({ name, routes }) =>
    routes
      .map(textOf)
      .filter((route) => !known.has(route))
      .map((route) => ({ service: name, route })),
  );
}

/** Caddy has 200 slots a service. */
const caddyStep = 50;

function coarse({ canary }: Course, { edge }: EnvironmentSpec): string[] {
  if (edge.driver !== "caddy") return [];
  return (canary?.steps ?? [])
    .filter(({ weight }) => weight % caddyStep !== 0)
    .map(({ weight }) => {
      const nearest = Math.max(1, Math.round(weight / caddyStep)) * caddyStep;
      return `Caddy shares in half percents: the step of ${shareText(weight)} becomes ${shareText(nearest)}`;
    });
}
