import { imageTags } from "../../core/build/tags.ts";
import { reasonOf } from "../../core/errors/error.ts";
import type { DeploymentId, ServiceName } from "../../core/ids.ts";
import type { World } from "../world.ts";
import { repositoryIn } from "./images.ts";
import { artifactsOf, releaseFacts, releaseView } from "./read.ts";

/**
 * Gives the images of a release that has gone live the name of its environment and version in the registry: the same digest, so
 * nothing is built or uploaded again. Names are for people; a registry that is away costs a name, never a deployment. Safe to repeat.
 */
export async function nameImages(world: World, id: DeploymentId, signal: AbortSignal): Promise<null> {
  const { db } = world.store;
  const deployment = await db
    .selectFrom("deployment")
    .select(["release_id", "environment", "phase"])
    .where("id", "=", id)
    .executeTakeFirstOrThrow();
  if (deployment.phase !== "succeeded") return null;
  const { registry, services } = (await releaseView(db, deployment.release_id, deployment.environment)).spec;
  if (registry === null) return null;
  const row = await releaseFacts(db, deployment.release_id);
  const artifacts = artifactsOf(row);
  const [, ...tags] = imageTags({
    commit: row.commit_hash,
    dirty: row.dirty === 1,
    branch: null,
    nightlyAt: null,
    release: { environment: deployment.environment, version: row.version },
    latest: false,
  });
  try {
    for (const service of Object.keys(services) as ServiceName[]) {
      const image = artifacts[service]?.image ?? null;
      if (image === null || image.from !== null) continue;
      const repository = repositoryIn(registry, service);
      for (const tag of tags) await world.images.registry(registry).tag(repository, image.digest, tag, signal);
    }
  } catch (error) {
    signal.throwIfAborted();
    world.log.warn("image.not-named", { deployment: id, registry: registry.repository, reason: reasonOf(error) });
  }
  return null;
}
