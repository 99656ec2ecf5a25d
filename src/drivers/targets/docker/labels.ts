import type { Digest, EnvironmentName, InstanceId, ReleaseId, RevisionId, ServiceName } from "../../../core/ids.ts";
import type { RevisionSelector, RevisionSpec } from "../../../ports/target.ts";

/** What a container says of itself: whose it is, and what is needed to handle it without its spec. */
export type Identity = {
  readonly product: string;
  readonly environment: EnvironmentName;
  readonly service: ServiceName;
  readonly release: ReleaseId;
  readonly revision: RevisionId;
  readonly index: number;
  readonly configDigest: Digest;
  readonly mode: RevisionSpec["mode"];
  /** `host:port` it was published at; null when it does not listen. */
  readonly address: string | null;
  readonly stopGraceMs: number;
};

const prefix = "slipway.";
/** Of a container, and of a network that one release has for itself. */
export const releaseLabel = `${prefix}release`;

export function labelsOf(identity: Identity): Record<string, string> {
  const { product, environment, service, release, revision, index, configDigest, mode, address, stopGraceMs } =
    identity;
  const labels = {
    product,
    environment,
    service,
    release,
    revision,
    instance: String(index),
    "config-digest": configDigest,
    mode,
    address: address ?? "",
    "stop-grace-ms": String(stopGraceMs),
  };
  return Object.fromEntries(Object.entries(labels).map(([name, value]) => [prefix + name, value]));
}

/** Null for a container that is not ours, or whose labels make no sense. */
export function identityOf(labels: Readonly<Record<string, string>>, product: string): Identity | null {
  const read = (name: string): string => labels[prefix + name] ?? "";
  const mode = read("mode");
  const index = Number(read("instance"));
  const stopGraceMs = Number(read("stop-grace-ms"));
  const isOurs = read("product") === product && read("revision") !== "" && read("environment") !== "";
  if (!isOurs || !isMode(mode) || !isCount(index) || !isCount(stopGraceMs)) return null;
  return {
    product,
    environment: read("environment") as EnvironmentName,
    service: read("service") as ServiceName,
    release: read("release") as ReleaseId,
    revision: read("revision") as RevisionId,
    index,
    configDigest: read("config-digest") as Digest,
    mode,
    address: read("address") === "" ? null : read("address"),
    stopGraceMs,
  };
}

/** For the engine's own filter, so that nothing else is even sent. */
export function labelsThatSelect(product: string, selector: RevisionSelector = {}): Record<string, string> {
  const { environment, service, revision } = selector;
  return {
    [`${prefix}product`]: product,
    ...(environment !== undefined && { [`${prefix}environment`]: environment }),
    ...(service !== undefined && { [`${prefix}service`]: service }),
    ...(revision !== undefined && { [`${prefix}revision`]: revision }),
  };
}

export function isSelected(
  identity: Pick<Identity, "environment" | "service" | "revision">,
  { environment, service, revision }: RevisionSelector,
): boolean {
  return (
    (environment === undefined || identity.environment === environment) &&
    (service === undefined || identity.service === service) &&
    (revision === undefined || identity.revision === revision)
  );
}

/** One name, one container: two that create the same instance at once meet here. Names of instances are unique already. */
export function containerName(instance: InstanceId | RevisionId): string {
  return instance.replaceAll(/[^a-zA-Z0-9_.-]/g, "_");
}

/** Of what an environment shares: its network and its volumes. */
export function environmentLabels(product: string, environment: EnvironmentName): Record<string, string> {
  return { [`${prefix}product`]: product, [`${prefix}environment`]: environment };
}

export function environmentPrefix(product: string, environment: EnvironmentName): string {
  return `${product}-${environment.replaceAll("/", "_")}`;
}

function isMode(text: string): text is RevisionSpec["mode"] {
  return text === "service" || text === "job" || text === "accessory";
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}
