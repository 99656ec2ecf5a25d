import { mkdtemp, open, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import type { Digest } from "../../../core/ids.ts";
import { Secret } from "../../../core/secret.ts";
import { type Docker, openDocker } from "../../../lib/docker/docker.ts";
import { getImages, inspectImage, pullImage } from "../../../lib/docker/images.ts";
import { digestOf, mediaTypes } from "../../../lib/oci/documents.ts";
import { importArchive } from "../../../lib/oci/import-archive.ts";
import { Layout } from "../../../lib/oci/layout.ts";
import type { Shipment } from "../../../lib/oci/ship.ts";
import type { Registry } from "../../../ports/registry.ts";
import { startEngine } from "../../../testing/hosts/engine.ts";
import { type RegistryOptions, startRegistry, type TestRegistry } from "../../../testing/hosts/registry.ts";
import { noise, sampleImage } from "../../../testing/hosts/sample-image.ts";
import { makeOciRegistry } from "./index.ts";
import { placeOf } from "./repository.ts";
import { makeShipper } from "./shipper.ts";

const signal = new AbortController().signal;
const quiet = (): void => {};
let directory: string;
let layout: Layout;

/** An image of two layers, of which the first is the same for all. */
const base = noise(3_000_000);
async function image(
  seed: string,
  layerBytes = 50_000,
  own: object = {},
): Promise<{ readonly layout: string; readonly digest: Digest }> {
  const config = JSON.stringify({
    architecture: "amd64",
    os: "linux",
    created: "2026-05-04T03:02:01Z",
    rootfs: { type: "layers", diff_ids: [] },
    config: own,
    seed,
  });
  const limit = { maxBytes: 1e9 };
  const blobs = [await layout.write(base, limit), await layout.write(noise(layerBytes), limit)];
  const { digest } = await layout.add({
    mediaType: mediaTypes.manifest,
    config: { mediaType: mediaTypes.config, ...(await layout.write(Buffer.from(config), limit)) },
    layers: blobs.map((blob) => ({ mediaType: mediaTypes.layerGzip, ...blob })),
  });
  return { layout: directory, digest };
}

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "slipway-oci-"));
  layout = await Layout.open(directory);
});
afterEach(() => rm(directory, { recursive: true, force: true }));

describe.each<RegistryOptions>([{}, { auth: "basic", tls: true }, { auth: "token" }])(
  "a real registry with auth $auth, TLS $tls",
  (options) => {
    let server: TestRegistry;
    let registry: Registry;
    let repository: string;
    let count = 0;

    const tls = async (): Promise<{ ca?: string; plainHosts?: string[] }> =>
      server.caFile === null ? {} : { ca: await readFile(server.caFile, "utf8"), plainHosts: [] };
    const connect = async (password?: string): Promise<Registry> =>
      makeOciRegistry({
        login: async () => ({ username: server.user, password: new Secret(password ?? server.password) }),
        ...(await tls()),
        attempts: 3,
        backoffMs: 5,
      });
    const sentBytes = (): number => server.seen.reduce((sum, each) => sum + each.bodyBytes, 0);

    beforeAll(async () => {
      server = await startRegistry(options);
    });
    afterAll(() => server.down());
    beforeEach(async () => {
      registry = await connect();
      repository = `${server.host}/acme/web-${count++}`;
      server.forget();
    });
    afterEach(async () => {
      server.deny(null);
      server.slow(0);
      await registry.close();
    });

    it("pushes an image under its tags and finds it again", async () => {
      const one = await image("one");
      const progress: number[] = [];
      await registry.push(one, repository, ["v1", "latest"], ({ doneBytes }) => progress.push(doneBytes), signal);
      expect(await registry.has(repository, one.digest, signal)).toBe(true);
      expect(await registry.resolve(repository, "v1", signal)).toBe(one.digest);
      expect(await registry.resolve(repository, "v2", signal)).toBeNull();
      expect(await registry.list(repository, signal)).toEqual(
        ["latest", "v1"].map((tag) => ({ tag, digest: one.digest, createdAt: Date.UTC(2026, 4, 4, 3, 2, 1) })),
      );
      expect(progress.at(-1)).toBeGreaterThan(3_050_000);
      expect(progress).toEqual([...progress].sort((a, b) => a - b));
    });

    it("says which user an image has", async () => {
      const one = await image("one");
      const other = await image("other", 50_000, { User: "1000:1000" });
      await registry.push(one, repository, ["v1"], quiet, signal);
      await registry.push(other, repository, ["v2"], quiet, signal);
      expect(await registry.user(repository, one.digest, signal)).toBe("");
      expect(await registry.user(repository, other.digest, signal)).toBe("1000:1000");
      expect(await registry.user(repository, digestOf("absent"), signal)).toBeNull();
    });

    it("uploads nothing that is there: not when pushed again, and a new release only its own layer", async () => {
      const one = await image("one");
      await registry.push(one, repository, ["v1"], quiet, signal);
      server.forget();
      let total = -1;
      await registry.push(one, repository, ["v1"], ({ totalBytes }) => (total = totalBytes), signal);
      expect(total).toBe(0);
      expect(sentBytes()).toBeLessThan(4_000);
      server.forget();
      await registry.push(await image("two"), repository, ["v2"], quiet, signal);
      expect(sentBytes()).toBeGreaterThan(50_000);
      expect(sentBytes()).toBeLessThan(60_000);
    });

    it("mounts what another repository of the registry has", async () => {
      await registry.push(await image("one"), repository, ["v1"], quiet, signal);
      server.forget();
      await registry.push(await image("two"), `${repository}-api`, ["v1"], quiet, signal);
      expect(sentBytes()).toBeLessThan(60_000);
    });

    it("promotes by another tag of the same digest, without an upload", async () => {
      const one = await image("one");
      await registry.push(one, repository, ["staging-1.0.0"], quiet, signal);
      server.forget();
      await registry.tag(repository, one.digest, "production-1.0.0", signal);
      expect(await registry.resolve(repository, "production-1.0.0", signal)).toBe(one.digest);
      expect(server.seen.some((each) => each.path.includes("/blobs/"))).toBe(false);
      const absent = digestOf("absent");
      await expect(registry.tag(repository, absent, "x", signal)).rejects.toMatchObject({ code: "ARTIFACT_MISSING" });
    });

    it("goes on where it stood when the line is cut in the middle of an upload", async () => {
      const one = await image("one");
      server.cutNextUpload(1_500_000);
      await registry.push(one, repository, ["v1"], quiet, signal);
      expect(await registry.has(repository, one.digest, signal)).toBe(true);
      // Everything once, and what was on the line when it was cut.
      expect(sentBytes()).toBeLessThan(3_060_000 + 1_700_000);
    });

    it("keeps SBOM and provenance with the image, and removes them with it", async () => {
      const one = await image("one");
      const document = await layout.attach(one.digest, {
        artifactType: "application/spdx+json",
        content: Buffer.from('{"spdxVersion":"SPDX-2.3"}'),
      });
      await registry.push(one, repository, ["v1"], quiet, signal);
      expect(await registry.has(repository, document.digest, signal)).toBe(true);
      expect(await registry.resolve(repository, one.digest.replace(":", "-"), signal)).not.toBeNull();
      await registry.remove(repository, one.digest, signal);
      await registry.remove(repository, one.digest, signal);
      for (const each of [one.digest, document.digest])
        expect(await registry.has(repository, each, signal)).toBe(false);
      expect(await registry.list(repository, signal)).toEqual([]);
    });

    it("is denied by name when it may not push", async () => {
      server.deny((method) => (method === "POST" ? 403 : null));
      const pushed = registry.push(await image("one"), repository, ["v1"], quiet, signal);
      await expect(pushed).rejects.toMatchObject({ code: "REGISTRY_DENIED" });
    });

    it("tries again when the registry is busy for a moment, and says so when it stays so", async () => {
      let left = 2;
      server.deny(() => (left-- > 0 ? 503 : null));
      await registry.push(await image("one"), repository, ["v1"], quiet, signal);
      server.deny(() => 429);
      await expect(registry.resolve(repository, "v1", signal)).rejects.toMatchObject({
        code: "REGISTRY_AWAY",
        message: expect.stringContaining("429"),
      });
    });

    it("says that the registry is away, and is right again when it is back", async () => {
      const one = await image("one");
      await registry.push(one, repository, ["v1"], quiet, signal);
      await server.stop();
      await expect(registry.resolve(repository, "v1", signal)).rejects.toMatchObject({ code: "REGISTRY_AWAY" });
      await server.start();
      expect(await registry.resolve(repository, "v1", signal)).toBe(one.digest);
    });

    it("does not wait for ever for a slow one, and is called off at once", async () => {
      server.slow(60_000);
      const off = new AbortController();
      const asked = registry.resolve(repository, "v1", off.signal);
      off.abort(new Error("called off"));
      await expect(asked).rejects.toThrow("called off");
      const hasty = makeOciRegistry({
        login: async () => null,
        timeoutMs: 50,
        attempts: 1,
        ...(await tls()),
      });
      await expect(hasty.resolve(repository, "v1", signal)).rejects.toMatchObject({ code: "REGISTRY_AWAY" });
      await hasty.close();
    });

    it("does not upload a blob that was changed on disk", async () => {
      const one = await image("one");
      const layer = (await layout.manifest(one.digest)).layers[0]?.digest ?? "";
      const file = await open(join(directory, "blobs/sha256", layer.slice(7)), "r+");
      await file.write(Buffer.from("!"), 0, 1, 1_000);
      await file.close();
      const pushed = registry.push(one, repository, ["v1"], quiet, signal);
      await expect(pushed).rejects.toMatchObject({ code: "ARTIFACT_CORRUPT" });
      expect(await registry.has(repository, one.digest, signal)).toBe(false);
    });

    // Who asks for no password takes every one.
    if (options.auth === undefined) return;
    it("asks for the password again when its own is refused, and takes no other to be right", async () => {
      const one = await image("one");
      const refusals: (string | null)[] = [];
      let asked = server.password;
      const mine = makeOciRegistry({
        login: async (_, refused) => {
          refusals.push(refused?.reveal() ?? null);
          // What was kept, until it is refused.
          if (refused?.reveal() === asked) asked = server.password;
          return { username: server.user, password: new Secret(asked) };
        },
        ...(await tls()),
      });
      onTestFinished(async () => {
        await server.changePassword();
        await mine.close();
      });
      const first = server.password;
      await mine.push(one, repository, ["v1"], quiet, signal);
      expect(new Set(refusals.splice(0))).toEqual(new Set([null]));
      // Known to the client, where it is the password itself; of another repository, for which there is no token yet.
      await server.changePassword("the second");
      await mine.push(one, `${repository}-api`, ["v1"], quiet, signal);
      expect(refusals.splice(0)).toContain(first);
      // Kept by who is asked, and refused at its first use.
      const other = await connect(first);
      await expect(other.resolve(repository, "v1", signal)).rejects.toMatchObject({ code: "REGISTRY_DENIED" });
      await other.close();
      expect(await mine.resolve(`${repository}-worker`, "v1", signal)).toBeNull();
    });

    it("says that the password is wrong, and does not say the password", async () => {
      const wrong = await connect("hunter2-wrong");
      const failure: unknown = await wrong.resolve(repository, "v1", signal).catch((error: unknown) => error);
      expect(failure).toMatchObject({ code: "REGISTRY_DENIED" });
      expect(JSON.stringify(failure)).not.toContain("hunter2");
      await wrong.close();
    });
  },
);

it("what was pushed is pulled by its digest by real engines, and shipped past the registry to others", async () => {
  const server = await startRegistry();
  onTestFinished(() => server.down());
  const [maker, puller, other] = await Promise.all([
    startEngine(),
    startEngine({ version: "newest" }),
    startEngine({ version: "newest", containerdStore: true }),
  ]);
  const dockers = [maker, puller, other].map((engine) => openDocker({ url: engine.url }));
  onTestFinished(async () => {
    await Promise.all(dockers.map((docker) => docker.close()));
    await Promise.all([maker, puller, other].map((engine) => engine.down()));
  });
  const [making, pulling, receiving] = dockers as [Docker, Docker, Docker];
  const { name } = await sampleImage(maker, { version: "v1", base: "shell", ballast: noise(8_000_000) });
  const { digest, id } = await importArchive(layout, await getImages(making, [name], signal), { signal });
  const registry = makeOciRegistry({ login: async () => null });
  onTestFinished(() => registry.close());
  const repository = `${server.host}/acme/web`;
  await registry.push({ layout: directory, digest }, repository, ["v1"], quiet, signal);
  await pullImage(pulling, { repository, reference: digest, auth: null }, { signal });
  expect((await inspectImage(pulling, `${repository}@${digest}`, signal))?.Id).toBe(id);
  const shipments: Shipment[] = [];
  const underWay = new Map<string, number[]>();
  const shipper = makeShipper({
    onProgress: ({ engine }, { doneBytes }) => underWay.set(engine, [...(underWay.get(engine) ?? []), doneBytes]),
    onShipped: (_, shipment) => shipments.push(shipment),
    onEnd: ({ engine }) => {
      // What was there already never was under way.
      const seen = underWay.get(engine) ?? [];
      if (engine === receiving.url) expect(seen.at(-1)).toBeGreaterThan(seen[0] ?? 0);
      else expect(seen).toEqual([]);
      underWay.delete(engine);
    },
  });
  const artifact = { kind: "image", digest, id, repository: null, layout: directory } as const;
  await shipper(artifact, pulling, signal);
  await shipper(artifact, receiving, signal);
  expect(shipments.map((each) => each.layersSent)).toEqual([0, 3]);
  expect(underWay.size).toBe(0);
  expect(await inspectImage(receiving, digest, signal)).not.toBeNull();
  await expect(shipper({ ...artifact, layout: null }, pulling, signal)).rejects.toMatchObject({
    code: "ARTIFACT_MISSING",
  });
});

it("content that is not what it was announced as is not kept", async () => {
  const expected = digestOf("good");
  await expect(layout.write(Buffer.from("evil"), { digest: expected, maxBytes: 100 })).rejects.toMatchObject({
    code: "CORRUPT",
  });
  await expect(layout.write(Readable.from([noise(101)]), { maxBytes: 100 })).rejects.toMatchObject({
    code: "TOO_LARGE",
  });
  expect(await layout.has(expected)).toBe(false);
});

it("what no needed image is made of is collected; documents stay with their image", async () => {
  const [one, two] = [await image("one"), await image("two")];
  const document = await layout.attach(one.digest, { artifactType: "text/plain", content: Buffer.from("about one") });
  expect(await layout.collect(new Set([one.digest]), 0)).toBe(0);
  const freed = await layout.collect(new Set([one.digest]), Date.now() + 10_000);
  expect(freed).toBeGreaterThan(50_000);
  expect(freed).toBeLessThan(60_000);
  for (const kept of [one.digest, document.digest]) expect(await layout.has(kept)).toBe(true);
  expect(await layout.has(two.digest)).toBe(false);
  for (const layer of (await layout.manifest(one.digest)).layers) expect(await layout.has(layer.digest)).toBe(true);
  expect((await stat(join(directory, "index.json"))).isFile()).toBe(true);
});

it.each([
  ["ghcr.io/acme/web", "https://ghcr.io", "acme/web"],
  ["redis", "https://registry-1.docker.io", "library/redis"],
  ["acme/web", "https://registry-1.docker.io", "acme/web"],
  ["docker.io/acme/web", "https://registry-1.docker.io", "acme/web"],
  ["127.0.0.1:5000/web", "https://127.0.0.1:5000", "web"],
  ["registry.lan:5000/web", "http://registry.lan:5000", "web"],
  ["1234.dkr.ecr.eu-central-1.amazonaws.com/web", "https://1234.dkr.ecr.eu-central-1.amazonaws.com", "web"],
])("%s is at %s", (repository, url, path) => {
  expect(placeOf(repository, new Set(["registry.lan:5000"]))).toMatchObject({ url, path });
});

it("this machine itself is spoken to in clear, as engines do, unless that is said otherwise", () => {
  expect(placeOf("localhost:5000/web", null).url).toBe("http://localhost:5000");
  expect(placeOf("localhost:5000/web", new Set()).url).toBe("https://localhost:5000");
  expect(placeOf("ghcr.io/acme/web", null).url).toBe("https://ghcr.io");
});

it.each(["", "UPPER/case", "ghcr.io/", "ghcr.io/a b", "ghcr.io/../x", "ghcr.io/web:v1", "a@b.c/x"])(
  "%j is no repository",
  (repository) => {
    expect(() => placeOf(repository, new Set())).toThrow(/no repository/);
  },
);
