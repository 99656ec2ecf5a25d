import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import { type Digest, releaseId, serviceName } from "../../core/ids.ts";
import type { KeptRegistrySpec } from "../../core/product/spec.ts";
import { writeArtifacts } from "../../core/release/artifacts.ts";
import { makeOciRegistry } from "../../drivers/registries/oci/index.ts";
import { openSqliteStore } from "../../drivers/stores/sqlite/index.ts";
import { mediaTypes } from "../../lib/oci/documents.ts";
import { Layout } from "../../lib/oci/layout.ts";
import { systemClock } from "../../lib/system-clock.ts";
import type { Store } from "../../ports/store.ts";
import { startRegistry, type TestRegistry } from "../../testing/hosts/registry.ts";
import type { World } from "../world.ts";
import { forgetReleases } from "./read.ts";
import { askToRemove, prunedRegistries, pruneRegistries } from "./registry-retention.ts";

const signal = new AbortController().signal;
const dayMs = 86_400_000;
const web = serviceName("web");

let directory: string;
let layout: Layout;
let server: TestRegistry;
const registry = makeOciRegistry({ login: async () => null });

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "slipway-registry-retention-"));
  layout = await Layout.open(join(directory, "images"));
  server = await startRegistry();
});

afterAll(async () => {
  await registry.close();
  await server.down();
  await rm(directory, { recursive: true, force: true });
});

/** An image that was made so many days ago. */
async function image(seed: string, daysAgo: number): Promise<Digest> {
  const limit = { maxBytes: 1e6 };
  const config = {
    architecture: "amd64",
    os: "linux",
    created: new Date(Date.now() - daysAgo * dayMs).toISOString(),
    rootfs: { type: "layers", diff_ids: [] },
    seed,
  };
  const written = await layout.write(Buffer.from(JSON.stringify(config)), limit);
  const { digest } = await layout.add({
    mediaType: mediaTypes.manifest,
    config: { mediaType: mediaTypes.config, ...written },
    layers: [{ mediaType: mediaTypes.layerGzip, ...(await layout.write(Buffer.from(seed), limit)) }],
  });
  return digest;
}

type Made = {
  readonly daysAgo: number;
  readonly pruned?: true;
  readonly tags?: readonly string[];
  readonly like?: number;
};

/** A store and a registry with releases 1, 2, 3 …, oldest first, as deployments have left them. */
async function productOf(
  made: readonly Made[],
  at: {
    readonly name: string;
    readonly server: TestRegistry;
    readonly retentions: readonly KeptRegistrySpec["retention"][];
  },
) {
  const repository = `${at.server.host}/acme/${at.name}`;
  const store: Store = await openSqliteStore({ directory: await mkdtemp(join(directory, "state-")) });
  // Each test has releases of the same ids in a store of its own.
  forgetReleases();
  onTestFinished(() => store.close());
  const registries = at.retentions.map((retention) => ({ repository, user: null, passwordFrom: null, retention }));
  const [production, staging = production] = registries.map((spec) => ({ registry: spec }));
  const config = JSON.stringify({ product: "shop", environments: { production, staging } });
  const digests: Digest[] = [];
  for (const [index, { daysAgo, pruned, like, tags = [] }] of made.entries()) {
    const number = index + 1;
    const digest = digests[(like ?? 0) - 1] ?? (await image(`${at.name} ${number}`, daysAgo));
    digests.push(digest);
    const hash = `${number}`.repeat(40);
    const own = [`sha-${hash.slice(0, 12)}`, "branch-main", `production-1.${number}.0`];
    await registry.push({ layout: join(directory, "images"), digest }, `${repository}/web`, own, () => {}, signal);
    for (const tag of tags) await registry.tag(`${repository}/web`, digest, tag, signal);
    await store.db
      .insertInto("release")
      .values({
        id: releaseId(`rel_${number}`),
        product: "shop",
        number,
        version: `1.${number}.0`,
        commit_hash: hash,
        dirty: 0,
        subject: "",
        author: "",
        branch: "main",
        config_digest: `sha256:${"0".repeat(64)}`,
        config,
        artifacts: writeArtifacts({ web: { directory: null, image: { digest, id: digest, from: null } } }),
        commits: "[]",
        created_at: number,
        created_by: "ada",
        pinned: 0,
        pruned_at: pruned === true ? 1 : null,
      })
      .execute();
  }
  const warnings: unknown[] = [];
  const log = { info: () => {}, warn: (event: string, fields: object) => warnings.push({ event, ...fields }) };
  const world = {
    store,
    clock: systemClock,
    log,
    images: { registry: () => makeOciRegistry({ login: async () => null, attempts: 1 }) },
  } as unknown as World;
  const kept = async (): Promise<number[]> => {
    const there = await Promise.all(digests.map((digest) => registry.has(`${repository}/web`, digest, signal)));
    return made.flatMap((_, index) => (there[index] === true ? [index + 1] : []));
  };
  return { world, repository, warnings, kept, digests };
}

it("removes only old images of pruned releases, and never what a kept release has or somebody else has named", async () => {
  const retention = { images: 2, ageMs: 30 * dayMs };
  const made: Made[] = [
    { daysAgo: 90 },
    { daysAgo: 80, pruned: true },
    { daysAgo: 70, pruned: true, tags: ["customer-demo"] },
    { daysAgo: 60, pruned: true },
    { daysAgo: 20, pruned: true },
    { daysAgo: 10, pruned: true },
    { daysAgo: 1 },
    // Kept, and has the very image of one that is not.
    { daysAgo: 1, like: 4 },
  ];
  const { world, repository, kept, warnings } = await productOf(made, {
    name: "old",
    server,
    retentions: [retention],
  });
  const foreign = await image("another control plane's", 400);
  const pushed = { layout: join(directory, "images"), digest: foreign };
  await registry.push(pushed, `${repository}/web`, ["sha-999999999999"], () => {}, signal);

  await pruneRegistries(world, "shop", signal);
  expect(await kept()).toEqual([1, 3, 4, 5, 6, 7, 8]);
  expect(await registry.has(`${repository}/web`, foreign, signal)).toBe(true);
  await pruneRegistries(world, "shop", signal);
  expect(warnings).toEqual([]);
});

it("removes nothing without a retention, nor where one of the environments wants everything kept", async () => {
  const made: Made[] = [{ daysAgo: 90, pruned: true }, { daysAgo: 1 }];
  const retention = { images: 1, ageMs: 0 };
  for (const [index, retentions] of [[null], [retention, null], [undefined]].entries()) {
    const { world, kept } = await productOf(made, { name: `all-${index}`, server, retentions });
    await pruneRegistries(world, "shop", signal);
    expect(await kept()).toEqual([1, 2]);
  }
  const shared = [retention, { images: 1, ageMs: 30 * dayMs }];
  const { world, kept } = await productOf(made, { name: "shared", server, retentions: shared });
  await pruneRegistries(world, "shop", signal);
  expect(await kept()).toEqual([2]);
});

it("says what a registry refuses, to the log and to who asks, and no deployment hears of it", async () => {
  const stubborn = await startRegistry({ removes: "no" });
  onTestFinished(() => stubborn.down());
  const made: Made[] = [{ daysAgo: 90, pruned: true }, { daysAgo: 1 }];
  const retention = { images: 1, ageMs: 0 };
  const { world, kept, warnings } = await productOf(made, { name: "kept", server: stubborn, retentions: [retention] });
  await pruneRegistries(world, "shop", signal);
  expect(await kept()).toEqual([1, 2]);
  expect(warnings).toMatchObject([{ event: "registry.not-pruned", reason: /does not remove images/ }]);
  const [place] = await prunedRegistries(world);
  if (place === undefined) throw new Error("no registry is pruned");
  expect(place.service).toBe(web);
  await expect(askToRemove(world, place, signal)).rejects.toMatchObject({
    code: "REGISTRY_DENIED",
    message: expect.stringContaining("UNSUPPORTED"),
    hint: expect.stringContaining("registry.retention"),
  });
  const willing = { ...place, spec: { ...place.spec, repository: `${server.host}/acme/old` } };
  await askToRemove(world, willing, signal);
});
