import { createHash } from "node:crypto";
import { type ReleaseView, revisionOf } from "../../core/deploy/course.ts";
import { SlipwayError } from "../../core/errors/error.ts";
import type { Digest, ServiceName } from "../../core/ids.ts";
import { canonicalJson } from "../../core/product/canonical.ts";
import type { ServiceSpec } from "../../core/product/spec.ts";
import type { RevisionSpec } from "../../ports/target.ts";
import { artifactsOf, releaseRow } from "../release/read.ts";
import type { World } from "../world.ts";

/** What a target needs to run one service of a release in an environment: all of it from the release, nothing from today. */
export async function revisionSpec(world: World, view: ReleaseView, name: ServiceName): Promise<RevisionSpec> {
  const service = view.spec.services[name];
  const row = await releaseRow(world.store.db, view.id);
  const digest = artifactsOf(row)[name];
  if (service === undefined || digest === undefined) {
    throw new SlipwayError("UNKNOWN_SERVICE", { message: `release r${row.number} has no service ${name}` });
  }
  return {
    id: revisionOf(view, name),
    product: view.spec.product,
    environment: view.spec.environment,
    service: name,
    release: view.id,
    configDigest: configDigest(service),
    mode: service.kind === "job" ? "job" : "service",
    artifact: { kind: "directory", digest, file: world.artifacts.file(digest) },
    container: null,
    command: service.kind === "static" ? world.staticCommand(service.fallbackFile) : service.command,
    env: {
      ...service.env,
      SLIPWAY_VERSION: row.version,
      SLIPWAY_COMMIT: row.commit_hash,
      SLIPWAY_EDGE_URL: edgeUrl(view),
    },
    listens: service.kind === "web" || service.kind === "static",
    stopGraceMs: service.stopGraceMs,
    memoryBytes: service.resources.memoryBytes,
    cpus: service.resources.cpus,
  };
}

export function configDigest(service: ServiceSpec): Digest {
  return `sha256:${createHash("sha256").update(canonicalJson(service)).digest("hex")}`;
}

/** Where the product's own services find each other: through the edge, which knows what is live. */
function edgeUrl({ spec }: ReleaseView): string {
  const { host, port } = spec.edge.listen;
  return `http://${host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host}:${port}`;
}
