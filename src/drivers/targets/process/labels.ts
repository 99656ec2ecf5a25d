import type { Digest, EnvironmentName, InstanceId, ReleaseId, RevisionId, ServiceName } from "../../../core/ids.ts";
import type { InstanceReport, LogRecord, Selector, UnitReport } from "../../../lib/supervisor/contract.ts";
import type {
  InstanceState,
  InstanceStatus,
  LogLine,
  RevisionSelector,
  RevisionSpec,
  RevisionStatus,
} from "../../../ports/target.ts";

/** A revision is one unit of the supervisor: its key is the revision's id, and its labels say whose it is. */
export function labelsOf(spec: RevisionSpec): Record<string, string> {
  return {
    product: spec.product,
    environment: spec.environment,
    service: spec.service,
    release: spec.release,
    revision: spec.id,
  };
}

export function selectorOf(product: string, selector: RevisionSelector): Selector {
  const { environment, service, revision } = selector;
  return {
    ...(revision !== undefined && { key: revision }),
    labels: { product, ...(environment !== undefined && { environment }), ...(service !== undefined && { service }) },
  };
}

export function statusOf(unit: UnitReport): RevisionStatus {
  return {
    id: unit.key as RevisionId,
    product: unit.labels.product ?? "",
    environment: unit.labels.environment as EnvironmentName,
    service: unit.labels.service as ServiceName,
    release: unit.labels.release as ReleaseId,
    configDigest: unit.notes.configDigest as Digest,
    wanted: unit.wanted,
    instances: unit.instances.map(instanceStatusOf),
  };
}

/** The files of it are there, and the supervisor does not know it yet. */
export function preparedOf(spec: RevisionSpec): RevisionStatus {
  const { id, product, environment, service, release, configDigest } = spec;
  return { id, product, environment, service, release, configDigest, wanted: 0, instances: [] };
}

function instanceStatusOf(instance: InstanceReport): InstanceStatus {
  const { index, pid, startedAt, restarts, lastExit, cpu, memoryBytes } = instance;
  const state = states[instance.state];
  const isThere = state !== "stopped" && state !== "exited";
  const address = instance.port !== null && isThere ? `127.0.0.1:${instance.port}` : null;
  return {
    id: instance.id as InstanceId,
    index,
    host: null,
    state,
    address,
    pid,
    startedAt,
    restarts,
    lastExit,
    cpu,
    memoryBytes,
  };
}

/** `waiting` is the moment before a start: like a backoff that is just over. */
const states: Record<InstanceReport["state"], InstanceState> = {
  waiting: "backoff",
  running: "running",
  backoff: "backoff",
  "crash-looping": "crash-looping",
  stopping: "stopping",
  stopped: "stopped",
  exited: "exited",
};

export function logLineOf(record: LogRecord): LogLine {
  return {
    at: record.at,
    stream: record.stream === "supervisor" ? "slipway" : record.stream,
    text: record.text,
    service: record.labels.service as ServiceName,
    release: record.labels.release as ReleaseId,
    revision: record.unit as RevisionId,
    instance: record.instance as InstanceId,
  };
}
