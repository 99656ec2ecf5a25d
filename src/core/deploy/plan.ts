import type { Difference } from "../compose/difference.ts";
import type { GateReading } from "../gates/reading.ts";
import type { EnvironmentName, Json, ReleaseId, ServiceName } from "../ids.ts";
import { canonicalJson } from "../product/canonical.ts";
import { edgeUrl } from "../product/edge-url.ts";
import { loneReason } from "../product/lone.ts";
import type { AccessorySpec, EnvironmentSpec, ServiceSpec } from "../product/spec.ts";
import { formatDuration } from "../product/units.ts";
import { identityOf, type ReleaseArtifacts } from "../release/artifacts.ts";
import { type ChangeLogSection, changeLog } from "../release/change-log.ts";
import type { Commit } from "../release/commit.ts";
import { rootUsers } from "../release/root-user.ts";
import type { Standing } from "../release/standing.ts";
import { type HeldCounts, limitsText, nothingHeld } from "../scale/count.ts";
import { courseOf, type ReleaseView } from "./course.ts";
import { allTraffic, type Course, type Rollout, takesRequests } from "./deployment.ts";
import { canarySteps, canaryWarnings } from "./plan-canary.ts";
import { httpsWarnings } from "./plan-https.ts";
import { canHold, holdMs, isStopFirst, outlastsHold, stopping } from "./stop-first.ts";
import { type Found, takeoverOf, takeoverText } from "./takeover.ts";

export type ServicePlan = {
  readonly name: ServiceName;
  readonly kind: string;
  /** `rebuilt`: its config is the same; what its code is, is known when the release has been made. */
  readonly change: "new" | "changed" | "rebuilt" | "same" | "dropped";
  readonly instances: string;
  /** Keys of the config that differ from what is live, with both values. */
  readonly config: readonly string[];
};

export type Plan = {
  readonly environment: EnvironmentName;
  /** With a null id it is not made yet: its number and version are those it would get now. */
  readonly release: { readonly id: ReleaseId | null; readonly number: number; readonly version: string };
  readonly live: { readonly number: number; readonly version: string } | null;
  readonly strategy: string;
  /** What must be open before it begins, as it would stand now; absent where nothing must. */
  readonly gates?: readonly GateReading[];
  /** What will be done, in order. */
  readonly steps: readonly string[];
  readonly services: readonly ServicePlan[];
  readonly changeLog: readonly ChangeLogSection[];
  /** What would refuse it now. */
  readonly blocked: readonly string[];
  readonly warnings: readonly string[];
  /** What is otherwise than with `docker compose up`, where the services come from a Compose file. */
  readonly differences?: readonly Difference[];
  /** How it would be taken back. */
  readonly rollback: string;
};

export type PlanInput = {
  readonly release: ReleaseView & { readonly version: string };
  /** What the release would be made of; null when it is made. */
  readonly making: {
    readonly commit: string;
    readonly dirtyPaths: number;
    readonly wantsDirty: boolean;
    /** Steps of the pipeline that it has to pass first, in their order; absent where it has none. */
    readonly pipeline?: readonly string[];
  } | null;
  readonly live: (ReleaseView & { readonly version: string }) | null;
  readonly artifacts: {
    readonly release: ReleaseArtifacts;
    readonly live: ReleaseArtifacts;
  };
  readonly commits: readonly Commit[];
  readonly standing: Standing;
  /** Standing in the environment it must be promoted from; null when there is none. */
  readonly before: Standing | null;
  readonly locked: { readonly by: string; readonly reason: string } | null;
  /** Deployments that have not ended. */
  readonly open: number;
  /** Its gates, if it were asked for now. */
  readonly gates?: readonly GateReading[];
  /** Its artifacts have not been pruned. */
  readonly kept: boolean;
  /** What docker compose runs of the project; or why that is not known. Absent where that is not asked. */
  readonly found?: readonly Found[] | { readonly unknown: string };
  /** How many instances its services have been brought to. */
  readonly held?: HeldCounts;
};

/** Everything a deployment would do, from what is recorded now. Changes nothing. */
export function planOf(input: PlanInput): Plan {
  const { release, live } = input;
  const { spec } = release;
  const takeover = takeoverIn(input);
  const course = courseOf({
    id: "dep_plan" as Course["id"],
    kind: "deploy",
    release,
    stable: live,
    held: input.held ?? nothingHeld,
  });
  return {
    environment: spec.environment,
    release: { id: input.making === null ? release.id : null, number: release.number, version: release.version },
    live: live === null ? null : { number: live.number, version: live.version },
    strategy: spec.rollout.strategy,
    ...(input.gates === undefined || input.gates.length === 0 || live?.id === release.id ? {} : { gates: input.gates }),
    steps:
      live?.id === release.id
        ? ["nothing: this release is live already"]
        : [...makingSteps(input), ...takeover.steps, ...accessorySteps(input), ...stepsOf(course, input)],
    services: course.rollouts.map((rollout) => servicePlan(rollout, input)),
    changeLog: changeLog(input.commits),
    blocked: blockedBy(input),
    warnings: [...warningsOf(input, course), ...(live?.id === release.id ? [] : takeover.warnings)],
    ...(spec.compose === undefined ? {} : { differences: spec.compose.differences }),
    rollback: rollbackText(course, spec),
  };
}

function takeoverIn({ release: { spec }, found = [], live }: PlanInput): ReturnType<typeof takeoverText> {
  // Nothing that docker compose runs can be a preview's.
  if (spec.compose === undefined || spec.previews !== undefined) return { steps: [], warnings: [] };
  const { project } = spec.compose;
  if ("unknown" in found)
    return { steps: [], warnings: [`what docker compose runs of ${project} could not be looked at: ${found.unknown}`] };
  if (found.length === 0 && live === null)
    return {
      steps: [],
      warnings: [
        `docker compose has nothing of a project ${project} here; if it runs under another name (docker compose ls), set target.project, or its volumes are not found`,
      ],
    };
  return takeoverText(project, takeoverOf(spec, found));
}

function makingSteps({ making, release }: PlanInput): string[] {
  if (making === null) return [];
  const built = Object.values<ServiceSpec>(release.spec.services).filter((service) => service.build !== null);
  const from = making.wantsDirty ? "the working tree" : making.commit.slice(0, 7);
  const building = built.length === 0 ? "" : `; build ${built.map((service) => service.name).join(", ")}`;
  const { pipeline = [] } = making;
  return [
    ...(pipeline.length === 0 ? [] : [`take ${from} through the pipeline: ${pipeline.join(", ")}`]),
    `make r${release.number} from ${from}${building}`,
  ];
}

/** What what is live has already goes on as it is. */
function accessorySteps({ release, live }: PlanInput): string[] {
  if (release.spec.target.driver === "process") return [];
  const fresh = Object.keys(release.spec.accessories).filter((name) => live?.spec.accessories[name] === undefined);
  return fresh.length === 0
    ? []
    : [`start ${fresh.join(", ")}; wait until ${fresh.length === 1 ? "it is" : "they are"} well`];
}

function stepsOf(course: Course, input: PlanInput): string[] {
  const { spec } = input.release;
  const steps = course.waves.flatMap((names) => {
    const stops = stopping(course, { stage: 0, services: names });
    const each = names.flatMap((name) => {
      const count = course.stages[0]?.[name]?.candidate ?? 0;
      if (spec.services[name]?.kind === "job") return [`run ${name} to its end`];
      return count === 0 ? [] : [`start ${name} x${count}`];
    });
    return [
      ...stops.map((name) => `stop ${name} first: ${whyStopped(name, input)}`),
      ...(each.length === 0 ? [] : [`${each.join(", ")}; wait until healthy`]),
    ];
  });
  const routed = course.rollouts.filter((rollout) => takesRequests(rollout, "candidate"));
  course.stages.forEach((stage, index) => {
    const before = course.stages[index - 1];
    const grown = course.rollouts
      .map(({ service }) => ({
        service,
        count: stage[service]?.candidate ?? 0,
        was: before?.[service]?.candidate ?? 0,
      }))
      .filter(({ count, was }) => count > was);
    if (before !== undefined)
      for (const name of stopping(course, { stage: index, services: grown.map(({ service }) => service) }))
        steps.push(`stop ${name} first: ${whyStopped(name, input)}`);
    if (before !== undefined && grown.length > 0)
      steps.push(`start ${grown.map(({ service, count }) => `${service} x${count}`).join(", ")}; wait until healthy`);
    // Divided once, because 0.07 * 100 is not 7 in binary fractions.
    const shares = routed
      .filter(({ service }) => (stage[service]?.weight ?? 0) > 0)
      .map(({ service }) => `${service} ${(stage[service]?.weight ?? 0) / (allTraffic / 100)} %`);
    if (shares.length > 0) steps.push(`switch traffic: ${shares.join(", ")}`);
    steps.push(...canarySteps(course, spec, index));
  });
  if (course.stable !== null) steps.push(`drain the old release, up to ${formatDuration(course.drainMs)}`);
  const dropped = course.rollouts.filter(
    (rollout) => rollout.candidate === null || (rollout.kind === "job" && rollout.stable !== null),
  );
  if (dropped.length > 0)
    steps.push(`stop what the release no longer runs: ${dropped.map((each) => each.service).join(", ")}`);
  const rules = [
    spec.rollout.rules.healthLost ? "health" : null,
    spec.rollout.rules.errorRatio === null ? null : "error ratio",
    (spec.rollout.rules.latency ?? null) === null ? null : "latency",
  ].filter((rule) => rule !== null);
  steps.push(
    course.bakeMs === 0
      ? "no bake"
      : `watch for ${formatDuration(course.bakeMs)}: ${rules.join(", ") || "no rule is switched on"}`,
  );
  // Nothing goes on from a way back.
  const isNewer = input.live === null || input.release.number > input.live.number;
  const onwards = isNewer ? (spec.onwards ?? []) : [];
  steps.push(...onwards.map((environment) => `ask for it in ${environment} then, by itself and through its gates`));
  return steps;
}

/** What of it cannot be in two hands: of the live one where that has it, else of the one to come. */
function whyStopped(name: ServiceName, { live, release }: PlanInput): string {
  for (const view of [live, release]) {
    const container = view?.spec.services[name]?.container;
    if (container === undefined) continue;
    const ports = [...new Set(container.hostPorts.map(({ hostPort }) => `${hostPort}`))];
    const volumes = [...new Set(container.volumes.filter(({ readOnly }) => !readOnly).map(({ source }) => source))];
    switch (loneReason(container)) {
      case "hostPorts":
        return `it has ${list("port", ports)} of its host`;
      case "volumes":
        return `it writes the ${list("volume", volumes)}`;
      case "asked":
        return "it is said not to run beside its successor";
      case null:
    }
  }
  throw new Error(`${name} is stopped first for no reason`);
}

function list(noun: string, names: readonly string[]): string {
  return `${noun}${names.length === 1 ? "" : "s"} ${names.join(", ")}`;
}

function servicePlan(rollout: Rollout, { release, live, artifacts, making, held }: PlanInput): ServicePlan {
  const after = release.spec.services[rollout.service];
  const before = live?.spec.services[rollout.service];
  const config = after === undefined || before === undefined ? [] : differences(before, after);
  const sameCode = identityOf(artifacts.release, rollout.service) === identityOf(artifacts.live, rollout.service);
  return {
    name: rollout.service,
    kind: rollout.kind,
    change:
      after === undefined
        ? "dropped"
        : before === undefined
          ? "new"
          : config.length > 0
            ? "changed"
            : making !== null
              ? "rebuilt"
              : sameCode
                ? "same"
                : "changed",
    instances: instancesText(rollout, after, held),
    config,
  };
}

/** `2 -> 2 (1–3)`: what is scaled begins as it is now, whatever number its config says. */
function instancesText(
  { service, stable, stableInstances, candidateInstances }: Rollout,
  after: ServiceSpec | undefined,
  held: HeldCounts = nothingHeld,
): string {
  const numbers = stable === null ? `${candidateInstances}` : `${stableInstances} -> ${candidateInstances}`;
  if (after === undefined || after.kind === "job") return numbers;
  const limits = limitsText(after, held.get(service));
  if (limits === null) return numbers;
  const asConfigured = candidateInstances === after.instances;
  return `${numbers} (${limits}${asConfigured ? "" : `; as many as now, the config says ${after.instances}`})`;
}

/** `health.path: "/up" -> "/healthz"`, one a changed key. Values of env are not shown, they may be private; those of secrets are not known. */
export function differences(before: ServiceSpec | AccessorySpec, after: ServiceSpec | AccessorySpec): string[] {
  const result: string[] = [];
  const walk = (path: readonly string[], a: unknown, b: unknown): void => {
    // A secret is one thing, whatever its version.
    const isSecret = path[0] === "secrets" && path.length === 2;
    if (path.join() === "secrets" || (isObject(a) && isObject(b) && !isSecret)) {
      const [old, fresh] = [isObject(a) ? a : {}, isObject(b) ? b : {}];
      for (const key of new Set([...Object.keys(old), ...Object.keys(fresh)]))
        walk([...path, key], old[key], fresh[key]);
      return;
    }
    const [from, to] = [text(a), text(b)];
    if (from === to) return;
    result.push(
      path[0] === "env" || isSecret
        ? `${path.join(".")} ${a === undefined ? "added" : b === undefined ? "removed" : "changed"}`
        : `${path.join(".")}: ${from} -> ${to}`,
    );
  };
  walk([], before, after);
  return result;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function text(value: unknown): string {
  return value === undefined ? "(unset)" : canonicalJson(value as Json);
}

function blockedBy({ release, artifacts, locked, before, open, kept }: PlanInput): string[] {
  const { promoteFrom, rollout, environment } = release.spec;
  return [
    ...unsetSecrets(release.spec).map(
      (name) =>
        `the secret ${name} is not set; run: slipway secret set ${name} -e ${environment}, then make a new release`,
    ),
    ...(kept ? [] : [`the artifacts of r${release.number} were pruned; make it again from its commit`]),
    ...rootUsers(release.spec, artifacts.release).flatMap(({ policy, says }) => (policy === "refuse" ? [says] : [])),
    ...(locked === null ? [] : [`locked by ${locked.by}: ${locked.reason}`]),
    ...(promoteFrom === null || before === "good"
      ? []
      : [`r${release.number} has not succeeded in ${promoteFrom} yet`]),
    ...(open > 0 && rollout.whenBusy === "refuse"
      ? ["a deployment is under way, and the config says to refuse others meanwhile"]
      : []),
  ];
}

/** Names that a release of before they were set has no value of. */
export function unsetSecrets({ services, accessories }: EnvironmentSpec): readonly string[] {
  const all = [...Object.values<ServiceSpec>(services), ...Object.values(accessories ?? {})];
  const names = all.flatMap(({ secrets = {} }) => Object.keys(secrets).filter((name) => secrets[name] === null));
  return [...new Set(names)];
}

/** Who notices that a service is stopped before its successor starts. The edge is the one that requests come through meanwhile. */
function interruptions(course: Course, { live, release }: PlanInput): string[] {
  return course.rollouts.filter(isStopFirst).map((rollout) => {
    const name = rollout.service;
    const service = release.spec.services[name];
    if (live === null || service === undefined || !takesRequests(rollout, "stable"))
      return `${name} does not run while it is replaced`;
    if (!canHold(live.spec.edge))
      return `requests to ${name} get 503 while it is replaced: a Caddy on another machine cannot make them wait`;
    const waits = `requests to ${name} wait up to ${formatDuration(holdMs(service))} while it is replaced`;
    return outlastsHold(service)
      ? `${waits}, and get 503 after that: its start may take ${formatDuration(service.health.deadlineMs)}`
      : waits;
  });
}

/** With one service nobody else asks for the way. */
function unreachableEdge(spec: EnvironmentSpec): string[] {
  if (Object.keys(spec.services).length < 2 || edgeUrl(spec) !== null) return [];
  return [
    "SLIPWAY_EDGE_URL is not set: the edge is here and containers are on other machines; services that call each other need edge.address",
  ];
}

function warningsOf(input: PlanInput, course: Course): string[] {
  const { release, live, standing, open, making } = input;
  const paths = making?.dirtyPaths ?? 0;
  return [
    ...(paths > 0
      ? [
          `the working tree differs from HEAD in ${paths} ${paths === 1 ? "path" : "paths"}: commit, or deploy with --dirty`,
        ]
      : []),
    ...(standing === "bad" ? [`r${release.number} failed here the last time`] : []),
    ...(open > 0 && release.spec.rollout.whenBusy !== "refuse"
      ? [
          `${open} ${open === 1 ? "deployment is" : "deployments are"} under way or waiting: ${release.spec.rollout.whenBusy}`,
        ]
      : []),
    ...(live?.id === release.id ? [] : interruptions(course, input)),
    ...canaryWarnings(course, input),
    ...unreachableEdge(release.spec),
    ...httpsWarnings(release.spec, live?.spec ?? null),
    ...rootUsers(release.spec, input.artifacts.release).flatMap(({ policy, says }) =>
      policy === "warn" ? [says] : [],
    ),
    ...(release.spec.rollout.bakeMs === 0 ? ["there is no bake: nobody watches after the switch"] : []),
  ];
}

function rollbackText(course: Course, spec: EnvironmentSpec): string {
  if (course.stable === null) return "nothing is live before this one, so there is nothing to go back to";
  if (spec.rollout.strategy === "rolling")
    return "the old release's instances are started again, then traffic goes back";
  const stopped = course.rollouts.filter(isStopFirst).map(({ service }) => service);
  if (stopped.length === 0)
    return course.canary === undefined
      ? "the old release stays warm: going back is one change of weights"
      : "the old release stays whole in every step, and then warm: going back is one change of weights";
  return course.canary !== undefined
    ? `one change of weights in every step; after the last, ${stopped.join(", ")} is first stopped here and started again there`
    : `the old release stays warm but for ${stopped.join(", ")}: stopped here, started again there, then traffic goes back`;
}
