import { constants } from "node:os";
import type { EpochMs } from "../../../core/ids.ts";
import { instanceId } from "../../../core/ids.ts";
import type { Container } from "../../../lib/docker/containers.ts";
import type { InstanceState, InstanceStatus, LastExit, RevisionStatus } from "../../../ports/target.ts";
import { wantedPolicy } from "./container-config.ts";
import type { Identity } from "./labels.ts";

/** One container of ours as its host last showed it. */
export type Seen = {
  readonly identity: Identity;
  /** Null where the target has only one. */
  readonly host: string | null;
  readonly container: Container;
  /** The newest exit that its host told of; the engine forgets the code when it starts the container again. */
  readonly exit: LastExit | null;
  /** Its host is reached by ssh, so it is too. */
  readonly tunnelled: boolean;
  readonly usage: { readonly cpu: number | null; readonly memoryBytes: number } | null;
  /** Its host is away, and this is what it showed then. */
  readonly lastSeen?: EpochMs;
};

/** The engine restarts at once, then after 100 ms, 200 ms … 60 s; it begins anew when a life was longer than this. */
const goodLifeMs = 10_000;
const loopRestarts = 4;

/** Revisions of what was seen, in order of their names. Pure. */
export function revisionsOf(all: readonly Seen[]): RevisionStatus[] {
  const groups = new Map<string, Seen[]>();
  for (const seen of all) {
    const group = groups.get(seen.identity.revision) ?? [];
    groups.set(seen.identity.revision, [...group, seen]);
  }
  return [...groups.values()].map((group) => revisionOf(group)).sort((one, other) => (one.id < other.id ? -1 : 1));
}

function revisionOf(group: readonly Seen[]): RevisionStatus {
  const all = group.map(instanceOf);
  const instances = onePlaceEach(all).sort((one, other) => one.index - other.index);
  const [first] = group;
  if (first === undefined) throw new Error("a revision has at least one container");
  const { identity } = first;
  return {
    id: identity.revision,
    product: identity.product,
    environment: identity.environment,
    service: identity.service,
    release: identity.release,
    configDigest: identity.configDigest,
    // Also those that are one too many.
    wanted: all.filter(isToRun).length,
    instances,
  };
}

const isToRun = ({ state }: InstanceStatus): boolean => state !== "stopped" && state !== "stopping";

/**
 * After a host was away, one index may be in two places, until the elder is stopped. Only the younger is told of: it took the place, and
 * requests that went back to the elder would be lost with it.
 */
function onePlaceEach(all: readonly InstanceStatus[]): InstanceStatus[] {
  const found = new Map<number, InstanceStatus>();
  for (const each of all) {
    const known = found.get(each.index);
    const isBetter =
      known === undefined ||
      (isToRun(each) === isToRun(known) ? (each.startedAt ?? 0) > (known.startedAt ?? 0) : isToRun(each));
    if (isBetter) found.set(each.index, each);
  }
  return [...found.values()];
}

export function instanceOf({ identity, host, container, exit, usage, tunnelled, lastSeen }: Seen): InstanceStatus {
  const state = stateOf(identity, container);
  const { State } = container;
  const isThere = state !== "stopped" && state !== "exited";
  const health = healthOf(State.Health?.Status);
  return {
    id: instanceId(identity.revision, identity.index),
    index: identity.index,
    host,
    state,
    address: isThere ? identity.address : null,
    pid: State.Pid > 0 ? State.Pid : null,
    startedAt: isThere ? State.StartedAt : null,
    restarts: container.RestartCount,
    lastExit: lastExitOf(container, exit),
    cpu: isThere ? (usage?.cpu ?? null) : null,
    memoryBytes: isThere ? (usage?.memoryBytes ?? null) : null,
    ...(health !== null && { health }),
    ...(tunnelled && isThere && { tunnelled: true as const }),
    ...(lastSeen !== undefined && { lastSeen }),
  };
}

function stateOf(identity: Identity, container: Container): InstanceState {
  const { State, RestartCount } = container;
  switch (State.Status) {
    case "running":
    case "paused":
      return "running";
    case "restarting": {
      const lifeMs = (State.FinishedAt ?? 0) - (State.StartedAt ?? 0);
      return RestartCount >= loopRestarts && lifeMs < goodLifeMs ? "crash-looping" : "backoff";
    }
    case "removing":
      return "stopping";
    default:
      // A job that was made and never started has not ended.
      if (identity.mode === "job") return State.Status === "created" ? "stopped" : "exited";
      if (!isWanted({ identity, container })) return "stopped";
      // Its engine is only coming up, or it could not start it again because its port or its mount is gone.
      return State.Error === "" ? "backoff" : "crash-looping";
  }
}

/** Whether it should run; a stop on request takes that away before it stops. */
export function isWanted({ identity, container }: Pick<Seen, "identity" | "container">): boolean {
  return identity.mode !== "job" && container.HostConfig.RestartPolicy?.Name === wantedPolicy;
}

function lastExitOf({ State, RestartCount }: Container, exit: LastExit | null): LastExit | null {
  const hasEnded = State.Status === "exited" || State.Status === "restarting" || State.Status === "dead";
  if (hasEnded && State.FinishedAt !== null)
    return exitOf(State.ExitCode, State.OOMKilled || exit?.oom === true, State.FinishedAt);
  if (exit !== null) return exit;
  return RestartCount > 0 && State.FinishedAt !== null ? { code: null, signal: null, at: State.FinishedAt } : null;
}

/** Shells and engines write a death by signal n as 128 + n. */
export function exitOf(exitCode: number, oom: boolean, at: EpochMs): LastExit {
  const signal = exitCode > 128 ? signalNames.get(exitCode - 128) : undefined;
  const common = { at, ...(oom && { oom }) };
  return signal === undefined ? { code: exitCode, signal: null, ...common } : { code: null, signal, ...common };
}

const signalNames = new Map(Object.entries(constants.signals).map(([name, number]) => [number, name]));

function healthOf(status: string | undefined): NonNullable<InstanceStatus["health"]> | null {
  return status === "starting" || status === "healthy" || status === "unhealthy" ? status : null;
}
