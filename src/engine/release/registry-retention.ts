import { imageTags } from "../../core/build/tags.ts";
import { reasonOf } from "../../core/errors/error.ts";
import type { Digest, EnvironmentName, ServiceName } from "../../core/ids.ts";
import type { EnvironmentSpec, KeptRegistrySpec } from "../../core/product/spec.ts";
import { planRegistryRetention } from "../../core/release/registry-retention.ts";
import type { Registry } from "../../ports/registry.ts";
import type { ReleaseRow } from "../../ports/tables.ts";
import type { World } from "../world.ts";
import { repositoryIn } from "./images.ts";
import { artifactsOf, type ReleaseConfig, releaseFacts } from "./read.ts";

type Deps = Pick<World, "store" | "images" | "clock" | "log">;

/** A registry from which something may be removed. */
export type RetainedRegistry = KeptRegistrySpec & { readonly retention: NonNullable<KeptRegistrySpec["retention"]> };

/** What nobody has: a registry that removes images says so of this one too, and nothing is removed. */
const absent: Digest = `sha256:${"0".repeat(64)}`;

/**
 * Removes from registries the images of releases that are pruned here, when the config's retention lets them go. Only what this
 * store knows to have made is touched, never what a kept release has, nor what somebody else has given a tag. Safe to repeat; what
 * a registry refuses is told in the log, and by `doctor`.
 */
export async function pruneRegistries(world: Deps, product: string, signal: AbortSignal): Promise<void> {
  const newest = await newestOf(world, product);
  const retained = newest === undefined ? [] : retainedRegistries(await releaseFacts(world.store.db, newest.id));
  // Most have none, and of them not all that they ever released is read after each deployment.
  if (retained.length === 0) return;
  const releases = await releasesOf(world, product);
  const made = imagesOf(releases);
  const needed = new Set(imagesOf(releases.filter((row) => row.pruned_at === null)).map(({ digest }) => digest));
  const services = new Set(made.filter(({ digest }) => !needed.has(digest)).map(({ service }) => service));
  if (services.size === 0) return;
  for (const spec of retained) {
    const registry = world.images.registry(spec);
    try {
      for (const service of services) {
        const repository = repositoryIn(spec, service);
        await pruneRepository(world, { registry, repository, spec, releases, needed }, signal);
      }
    } catch (error) {
      signal.throwIfAborted();
      world.log.warn("registry.not-pruned", { registry: spec.repository, reason: reasonOf(error) });
    } finally {
      await registry.close();
    }
  }
}

/** Says what a registry refuses of what its retention asks for, by removing what is not there. Errors: REGISTRY_*. */
export async function askToRemove(
  world: Pick<World, "images">,
  { spec, service }: { readonly spec: RetainedRegistry; readonly service: ServiceName },
  signal: AbortSignal,
): Promise<void> {
  const registry = world.images.registry(spec);
  await registry.remove(repositoryIn(spec, service), absent, signal).finally(() => registry.close());
}

/** The registries that the newest release's config prunes, each with a service whose images it has. */
export async function prunedRegistries(
  world: Pick<World, "store">,
): Promise<readonly { readonly spec: RetainedRegistry; readonly service: ServiceName }[]> {
  const newest = await world.store.db
    .selectFrom("release")
    .selectAll()
    .orderBy("created_at", "desc")
    .executeTakeFirst();
  if (newest === undefined) return [];
  const [image] = imagesOf([newest]);
  return image === undefined ? [] : retainedRegistries(newest).map((spec) => ({ spec, service: image.service }));
}

type Repository = {
  readonly registry: Registry;
  readonly repository: string;
  readonly spec: RetainedRegistry;
  readonly releases: readonly ReleaseRow[];
  readonly needed: ReadonlySet<Digest>;
};

async function pruneRepository(
  world: Deps,
  { registry, repository, spec, releases, needed }: Repository,
  signal: AbortSignal,
): Promise<void> {
  const { images: keepNewest, ageMs: keepMs } = spec.retention;
  const mine = new Set(imagesOf(releases).map(({ digest }) => digest));
  const tags = await registry.list(repository, signal);
  const foreign = tags.map(({ digest }) => digest).filter((digest) => !mine.has(digest));
  const known = tagsOf(releases);
  const { remove } = planRegistryRetention({
    tags,
    needed: new Set([...needed, ...foreign]),
    keepNewest,
    keepMs,
    isProtected: (tag) => !known.has(tag) && !isNightly(tag),
    now: world.clock.now(),
  });
  for (const digest of remove) {
    // A run under way may be making that very image again, and no release says so yet. The next prune finds it.
    if (await isBuilding(world)) return;
    await registry.remove(repository, digest, signal);
    world.log.info("image.removed", { repository, digest });
  }
}

/**
 * By repository. Where environments share one, it keeps what any of them wants kept; one of them without a retention keeps all.
 */
function retainedRegistries({ config }: Pick<ReleaseRow, "config">): readonly RetainedRegistry[] {
  const { environments } = JSON.parse(config) as ReleaseConfig;
  const found = new Map<string, KeptRegistrySpec>();
  for (const { registry } of Object.values<EnvironmentSpec>(environments)) {
    if (registry === null) continue;
    const other = found.get(registry.repository);
    found.set(registry.repository, other === undefined ? registry : { ...registry, retention: wider(registry, other) });
  }
  return [...found.values()].filter(isRetained);
}

function wider(a: KeptRegistrySpec, b: KeptRegistrySpec): RetainedRegistry["retention"] | null {
  if (!isRetained(a) || !isRetained(b)) return null;
  return {
    images: Math.max(a.retention.images, b.retention.images),
    ageMs: Math.max(a.retention.ageMs, b.retention.ageMs),
  };
}

function isRetained(spec: KeptRegistrySpec): spec is RetainedRegistry {
  return (spec.retention ?? null) !== null;
}

function newestOf({ store }: Pick<World, "store">, product: string): Promise<Pick<ReleaseRow, "id"> | undefined> {
  const newest = store.db.selectFrom("release").select("id").where("product", "=", product);
  return newest.orderBy("number", "desc").limit(1).executeTakeFirst();
}

/** Newest first, also those that were pruned: they say what was made. */
function releasesOf({ store }: Pick<World, "store">, product: string): Promise<ReleaseRow[]> {
  return store.db.selectFrom("release").selectAll().where("product", "=", product).orderBy("number", "desc").execute();
}

function imagesOf(releases: readonly ReleaseRow[]): { readonly service: ServiceName; readonly digest: Digest }[] {
  return releases.flatMap((row) =>
    Object.entries(artifactsOf(row)).flatMap(([service, { image }]) =>
      image === null || image.from !== null ? [] : [{ service: service as ServiceName, digest: image.digest }],
    ),
  );
}

/** What a schedule had made: no release says on which days. `latest` is not ours to take away: it goes with the next image. */
const isNightly = (tag: string): boolean => /^nightly-\d{4}-\d{2}-\d{2}$/.test(tag);

/** Every other name that images of these releases were given by us, in any environment. */
function tagsOf(releases: readonly ReleaseRow[]): ReadonlySet<string> {
  return new Set(
    releases.flatMap((row) => {
      const { environments } = JSON.parse(row.config) as ReleaseConfig;
      return (Object.keys(environments) as EnvironmentName[]).flatMap((environment) =>
        imageTags({
          commit: row.commit_hash,
          dirty: row.dirty === 1,
          branch: row.branch,
          nightlyAt: null,
          release: { environment, version: row.version },
          latest: false,
        }),
      );
    }),
  );
}

async function isBuilding({ store }: Pick<World, "store">): Promise<boolean> {
  const run = await store.db.selectFrom("run").select("id").where("ended_at", "is", null).executeTakeFirst();
  return run !== undefined;
}
