import { isSettings } from "./contents.ts";
import type { ComposeModel, ComposeMount, ComposeService } from "./model.ts";

/** What a Compose service is to us, and why: `accessory` is left running, the others are released. */
export type ComposeRole = {
  readonly kind: "web" | "worker" | "job" | "accessory";
  /** One sentence without a subject, for the plan. */
  readonly why: string;
};

/** Service to role. */
export type ComposeRoles = ReadonlyMap<string, ComposeRole>;

/** The role of every service of a project: see `classify`. */
export function classifyAll(model: ComposeModel): ComposeRoles {
  const waiters = waitersByService(model);
  const all = Object.values(model.services);
  return new Map(all.map((service) => [service.name, roleOf(service, waiters.get(service.name) ?? [])] as const));
}

/**
 * Which part a service has in a deployment. What `x-slipway` says holds; else a step that others wait for to end is a job;
 * what keeps data and is not built here is an accessory; what publishes or exposes a port is web; the rest are workers.
 */
export function classify(service: ComposeService, model: ComposeModel): ComposeRole {
  return roleOf(service, waitersByService(model).get(service.name) ?? []);
}

function roleOf(service: ComposeService, waiters: readonly string[]): ComposeRole {
  const told = service.slipway?.kind ?? null;
  if (told !== null) return { kind: told, why: "x-slipway says so" };
  const comesBack = service.restart === "always" || service.restart === "unless-stopped";
  if (waiters.length > 0 && !comesBack)
    return { kind: "job", why: `${waiters.join(", ")} waits until it has ended well` };
  const state = service.build === null ? stateOf(service) : null;
  if (state !== null) return { kind: "accessory", why: state };
  const port = portOf(service);
  return port === null
    ? { kind: "worker", why: "publishes and exposes no port" }
    : { kind: "web", why: `listens on ${port}` };
}

/** The TCP port inside that it answers on; null when the file names none. */
export function portOf(service: ComposeService): number | null {
  if (service.slipway?.port != null) return service.slipway.port;
  const published = service.ports.filter(({ protocol }) => protocol === "tcp");
  const http = published.find((port) => port.published === "80") ?? published[0];
  if (http !== undefined) return http.target;
  const exposed = service.expose.find((port) => /^\d+(\/tcp)?$/.test(port));
  return exposed === undefined ? null : Number.parseInt(exposed, 10);
}

/** The mounts in which a service may leave something behind that the next one must find. */
export function writtenMounts({ mounts }: Pick<ComposeService, "mounts">): readonly ComposeMount[] {
  return mounts.filter(({ type, source, target, readOnly }) => {
    if (readOnly || (type !== "volume" && type !== "bind" && type !== "cluster")) return false;
    return type !== "bind" || !isSettings(source ?? target);
  });
}

/** Service to those that start only when it has ended well. */
function waitersByService(model: ComposeModel): ReadonlyMap<string, readonly string[]> {
  const waiters = new Map<string, string[]>();
  for (const { name, dependsOn } of Object.values(model.services))
    for (const [needed, { condition }] of Object.entries(dependsOn)) {
      if (condition !== "service_completed_successfully") continue;
      waiters.set(needed, [...(waiters.get(needed) ?? []), name]);
    }
  return waiters;
}

function stateOf(service: ComposeService): string | null {
  const keeper = service.image === null ? null : keeperIn(service.image);
  if (keeper !== null) return `its image is ${keeper}, which keeps data`;
  const [written] = writtenMounts(service);
  if (written === undefined) return null;
  const where = written.type === "volume" ? `the volume ${written.source ?? "without a name"}` : String(written.source);
  return service.containerName === null
    ? `writes to ${where}`
    : `is the one container ${service.containerName}, and writes to ${where}`;
}

/**
 * What people run as a database, queue or store. The last word of the image's name must be one of these, so that
 * `bitnami/postgresql` and `registry:5000/pg/postgres` are found, and `postgres-exporter` and `minio/mc` are not.
 */
const keepers: readonly string[] = [
  "arangodb",
  "cassandra",
  "clickhouse",
  "clickhouse-server",
  "cockroach",
  "consul",
  "couchbase",
  "couchdb",
  "dragonfly",
  "elasticsearch",
  "etcd",
  "eventstore",
  "influxdb",
  "kafka",
  "keydb",
  "mariadb",
  "meilisearch",
  "memcached",
  "milvus",
  "minio",
  "mongo",
  "mongodb",
  "mongodb-community-server",
  "mssql",
  "mysql",
  "mysql-server",
  "nats",
  "neo4j",
  "opensearch",
  "percona",
  "percona-server",
  "pgvector",
  "postgis",
  "postgres",
  "postgresql",
  "qdrant",
  "rabbitmq",
  "redis",
  "redis-stack",
  "redis-stack-server",
  "redpanda",
  "rethinkdb",
  "scylla",
  "solr",
  "surrealdb",
  "timescaledb",
  "timescaledb-ha",
  "typesense",
  "valkey",
  "vault",
  "weaviate",
  "zookeeper",
];

function keeperIn(image: string): string | null {
  const path = image.split("@")[0]!.replace(/:[^/:]*$/, "");
  const parts = path.toLowerCase().split("/");
  // Microsoft's is called `mssql/server`.
  const last = parts.at(-2) === "mssql" ? "mssql" : parts.at(-1)!;
  return keepers.includes(last) ? last : null;
}
