import { createHash } from "node:crypto";
import { mkdir, mkdtemp, open, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { create } from "tar";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { z } from "zod";
import { makeAuthority } from "../../testing/conformance/edge/authority.ts";
import { type EngineOptions, startEngine, type TestEngine } from "../../testing/hosts/engine.ts";
import { startHosts, type TestHost, type TestHosts } from "../../testing/hosts/hosts.ts";
import { noise, sampleImage } from "../../testing/hosts/sample-image.ts";
import { freePort } from "../../testing/ports.ts";
import { type Docker, openDocker } from "../docker/docker.ts";
import { getImages, inspectImage, listImages, removeImage } from "../docker/images.ts";
import { type ImportedImage, importArchive } from "./import-archive.ts";
import { Layout } from "./layout.ts";
import { ship } from "./ship.ts";

const containerCreated = z.object({ Id: z.string() });
const waited = z.object({ StatusCode: z.number() });

const signal = new AbortController().signal;
const quiet = (): void => {};
let directory: string;
let layout: Layout;
let maker: TestEngine;
let makerDocker: Docker;
const images = new Map<string, ImportedImage>();

const made = (
  version: string,
): { readonly digest: ImportedImage["digest"]; readonly id: ImportedImage["id"]; readonly layout: string } => {
  const image = images.get(version);
  if (image === undefined) throw new Error(`${version} was not made`);
  return { digest: image.digest, id: image.id, layout: directory };
};

async function make(from: TestEngine, docker: Docker, version: string, ballast?: Buffer): Promise<ImportedImage> {
  const { name } = await sampleImage(from, { version, base: "shell", ...(ballast === undefined ? {} : { ballast }) });
  return importArchive(layout, await getImages(docker, [name], signal), { signal });
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "slipway-ship-"));
  layout = await Layout.open(directory);
  maker = await startEngine();
  makerDocker = openDocker({ url: maker.url });
  for (const version of ["v1", "v2"]) images.set(version, await make(maker, makerDocker, version));
  images.set("big", await make(maker, makerDocker, "big", noise(70_000_000)));
});
afterAll(async () => {
  await makerDocker.close();
  await maker.down();
  await rm(directory, { recursive: true, force: true });
});

describe.each<EngineOptions>([
  { version: "20.10" },
  { version: "newest" },
  { version: "newest", containerdStore: true },
])("an engine $version, containerd store $containerdStore", (options) => {
  let engine: TestEngine;
  let docker: Docker;
  beforeEach(async () => {
    engine = await startEngine(options);
    docker = openDocker({ url: engine.url });
  });
  afterEach(async () => {
    await docker.close();
    await engine.down();
  });

  const runs = async (version: string): Promise<void> => {
    const { Id } = await docker.json(
      {
        method: "POST",
        path: "/containers/create",
        body: { Image: await nameOf(version), Cmd: ["head", "-n", "1", "/app/server.js"] },
        signal,
      },
      containerCreated,
    );
    await docker.send({ method: "POST", path: `/containers/${Id}/start`, signal });
    const { StatusCode } = await docker.json({ method: "POST", path: `/containers/${Id}/wait`, signal }, waited);
    expect(StatusCode).toBe(0);
  };
  const nameOf = async (version: string): Promise<string> =>
    options.containerdStore === true ? made(version).digest : made(version).id;

  it("is the origin of the same digests as every other", async () => {
    const { name } = await sampleImage(engine, { version: "v1", base: "shell" });
    const again = await importArchive(layout, await getImages(docker, [name], signal), { signal });
    expect(again).toEqual(images.get("v1"));
  });

  it("gets an image whole, then of the next release only its own layer, then nothing", async () => {
    const progress: number[] = [];
    const first = await ship(made("v1"), docker, ({ doneBytes }) => progress.push(doneBytes), signal);
    expect(first).toMatchObject({ layersSent: 2, layersThere: 0 });
    expect(progress.at(-1)).toBe(first.bytes);
    const second = await ship(made("v2"), docker, quiet, signal);
    expect(second).toMatchObject({ layersSent: 1, layersThere: 1 });
    expect(second.bytes).toBeLessThan(20_000);
    expect(await ship(made("v2"), docker, quiet, signal)).toEqual({ bytes: 0, layersSent: 0, layersThere: 2 });
    await runs("v1");
    await runs("v2");
  });

  it("gets the whole when a layer that it has cannot be used, or is used from what it has: in the end the image runs", async () => {
    // As `docker load` or a pull brought it: the same layer, perhaps in another packing.
    await sampleImage(engine, { version: "v1", base: "shell" });
    await ship(made("v2"), docker, quiet, signal);
    await removeImage(docker, "slipway-test/web:v1", signal);
    await runs("v2");
  });

  it("does not get what was changed on disk", async () => {
    const bad = await make(maker, makerDocker, `bad-${options.version}-${options.containerdStore}`);
    const layer = (await layout.manifest(bad.digest)).layers.at(-1)?.digest ?? "";
    const file = await open(join(directory, "blobs/sha256", layer.slice(7)), "r+");
    await file.write(Buffer.from("!!"), 0, 2, 100);
    await file.close();
    const shipped = ship({ ...bad, layout: directory }, docker, quiet, signal);
    await expect(shipped).rejects.toThrow(/changed on disk/);
  });
});

it("an engine by tcp with TLS gets an image whole, and of the next release only its own layer", async () => {
  const authority = await makeAuthority();
  onTestFinished(() => authority.dispose());
  const [server, client] = [await authority.issue("engine", ["127.0.0.1"]), await authority.issue("us", ["127.0.0.1"])];
  const url = `tcp://127.0.0.1:${await freePort()}`;
  const verified = { tlsverify: true, tlscacert: authority.caFile, tlscert: server.certFile, tlskey: server.keyFile };
  const engine = await startEngine({ daemon: { hosts: ["unix:///run/docker.sock", url], ...verified } });
  onTestFinished(() => engine.down());
  const docker = openDocker({ url, tls: { ca: authority.caFile, cert: client.certFile, key: client.keyFile } });
  onTestFinished(() => docker.close());
  expect(await ship(made("big"), docker, quiet, signal)).toMatchObject({ layersSent: 3, layersThere: 0 });
  expect(await ship(made("v1"), docker, quiet, signal)).toMatchObject({ layersSent: 1, layersThere: 1 });
});

describe("hosts over SSH", () => {
  let hosts: TestHosts;
  let host: TestHost;
  let docker: Docker;
  const connect = (): Docker =>
    openDocker({
      url: host.url,
      ssh: { controlDirectory: join(hosts.directory, "ssh"), configFile: host.sshConfig },
    });
  beforeAll(async () => {
    hosts = await startHosts(1);
    host = hosts.hosts[0] as TestHost;
    docker = connect();
  });
  afterAll(async () => {
    await docker.close();
    await hosts.down();
  });

  /**
   * Ends every connection to the host once, when 20 MB have gone over of the archive that comes as `inArchive`. Says where each try began.
   * `meanwhile` is done as soon as the first byte is on its way.
   */
  const shippedWithDrop = async (
    inArchive: 1 | 2,
    meanwhile: () => Promise<void> = () => Promise.resolve(),
  ): Promise<readonly number[]> => {
    const starts: number[] = [];
    const archives = new Set<number>();
    let last: number | null = null;
    let done: Promise<void> | null = null;
    let cut: Promise<string> | null = null;
    const { bytes } = await ship(
      made("big"),
      docker,
      ({ doneBytes, totalBytes }) => {
        done ??= meanwhile();
        archives.add(totalBytes);
        if (archives.size === inArchive && doneBytes > 20_000_000)
          cut ??= host.run(["pkill", "-KILL", "-x", "-f", "sshd: root.*"]);
        if (last === null || doneBytes < last) starts.push(doneBytes);
        last = doneBytes;
      },
      signal,
    );
    await done;
    expect(await cut).toBe("");
    expect(bytes).toBeGreaterThan(70_000_000);
    expect(last).toBe(bytes);
    return starts;
  };
  /** The image as it was made, and of its journey nothing, neither of ours nor of the engine's. */
  const expectIt = async (): Promise<void> => {
    const image = await inspectImage(docker, made("big").id, signal);
    expect(image?.RootFS?.Layers).toHaveLength(3);
    const files = "find /root/.cache /var/lib/docker/tmp -type f 2>/dev/null || true";
    expect(await host.run(["sh", "-c", files])).toBe("");
    expect(await listImages(docker, { dangling: ["true"] }, signal)).toMatchObject([{ Id: made("big").id }]);
  };

  it("go on where they stood when the connection is lost in the middle", async () => {
    const starts = await shippedWithDrop(1);
    expect(starts.length).toBeGreaterThan(1);
    expect(starts.at(-1)).toBeGreaterThan(0);
    await expectIt();
  });

  it("without a docker program get it over the engine's own connection, from its beginning after a drop", async () => {
    await removeImage(docker, made("big").id, signal);
    const programs = (await host.run(["which", "-a", "docker"])).trim().split("\n");
    const move = (from: string, to: string) => host.run(["sh", "-c", `[ ! -e ${from} ] || mv ${from} ${to}`]);
    for (const each of programs) await move(each, `${each}.away`);
    expect(await shippedWithDrop(1)).toEqual([0, 0]);
    await expectIt();
    for (const each of programs) await move(`${each}.away`, each);
  });

  it("without room for the file get it over the engine's own connection too", async () => {
    await removeImage(docker, made("big").id, signal);
    await host.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", "/root/.cache"]);
    await ship(made("big"), docker, quiet, signal);
    await expectIt();
    await host.run(["umount", "/root/.cache"]);
  });

  it("that lose a layer while the others come are sent the whole, and go on with that after a drop", async () => {
    await removeImage(docker, made("big").id, signal);
    await ship(made("v1"), docker, quiet, signal);
    const starts = await shippedWithDrop(2, () => removeImage(docker, made("v1").id, signal));
    expect(starts.slice(0, 2)).toEqual([0, 0]);
    expect(starts.at(-1)).toBeGreaterThan(0);
    await expectIt();
  });

  it("get small differences over the engine's own connection", async () => {
    const shipment = await ship(made("v1"), docker, quiet, signal);
    expect(shipment).toMatchObject({ layersSent: 1, layersThere: 1 });
  });

  it("say that their disk is full, and keep nothing of it", async () => {
    const small = await startHosts(1, { diskBytes: 64 * 1024 ** 2 });
    onTestFinished(() => small.down());
    const full = small.hosts[0] as TestHost;
    const ssh = { controlDirectory: join(small.directory, "ssh"), configFile: full.sshConfig };
    const engine = openDocker({ url: full.url, ssh });
    onTestFinished(() => engine.close());
    await expect(ship(made("big"), engine, quiet, signal)).rejects.toMatchObject({ code: "NO_SPACE" });
    expect(await full.run(["find", "/root/.cache/slipway/ship", "-type", "f"])).toBe("");
  });

  it("are not waited for when it is called off", async () => {
    const off = new AbortController();
    onTestFinished(() => off.abort());
    await removeImage(docker, made("v1").id, signal);
    const shipped = ship(made("v1"), docker, () => off.abort(new Error("called off")), off.signal);
    await expect(shipped).rejects.toThrow("called off");
  });
});

it.each([
  ["nothing", Buffer.alloc(0)],
  ["noise", noise(10_000)],
  ["zeros", Buffer.alloc(10_240)],
])("an archive that is %s is refused in words", async (_, content) => {
  const scratch = await mkdtemp(join(tmpdir(), "slipway-ship-"));
  onTestFinished(() => rm(scratch, { recursive: true, force: true }));
  const refused = importArchive(await Layout.open(scratch), Readable.from([content]), { signal });
  await expect(refused).rejects.toMatchObject({ code: "CORRUPT" });
});

describe("an archive that names its layers by their content", () => {
  const hexOf = (content: string): string => createHash("sha256").update(content).digest("hex");
  const layerOf = "the layer of the first image";

  /** As engines since 25 write it, with `content` under the layer's name. */
  async function archiveOf(home: string, content: string, diffId: string): Promise<Readable> {
    const config = JSON.stringify({
      architecture: "amd64",
      os: "linux",
      config: {},
      rootfs: { type: "layers", diff_ids: [`sha256:${diffId}`] },
    });
    const [blob, layer] = [`blobs/sha256/${hexOf(config)}`, `blobs/sha256/${hexOf(layerOf)}`];
    await mkdir(join(home, "blobs/sha256"), { recursive: true });
    await writeFile(join(home, blob), config);
    await writeFile(join(home, layer), content);
    await writeFile(join(home, "manifest.json"), JSON.stringify([{ Config: blob, Layers: [layer] }]));
    return Readable.from(create({ cwd: home }, [blob, layer, "manifest.json"]));
  }

  it("is not read again where a layer is kept, which is taken for no other", async () => {
    const scratch = await mkdtemp(join(tmpdir(), "slipway-ship-"));
    onTestFinished(() => rm(scratch, { recursive: true, force: true }));
    const kept = await Layout.open(join(scratch, "layout"));
    const home = join(scratch, "archive");
    const first = await importArchive(kept, await archiveOf(home, layerOf, hexOf(layerOf)), { signal });
    const again = await importArchive(kept, await archiveOf(home, "never looked at", hexOf(layerOf)), { signal });
    expect(again).toEqual(first);
    const other = importArchive(kept, await archiveOf(home, layerOf, hexOf("another")), { signal });
    await expect(other).rejects.toMatchObject({ code: "CORRUPT" });
    // Nothing is kept of it: what comes under its name is read, and is found to be something else.
    const fresh = await Layout.open(join(scratch, "fresh"));
    const wrong = importArchive(fresh, await archiveOf(home, "something else", hexOf(layerOf)), { signal });
    await expect(wrong).rejects.toMatchObject({ code: "CORRUPT" });
  });
});
