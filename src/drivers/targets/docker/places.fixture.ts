import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { TlsFiles } from "../../../lib/docker/tls-files.ts";
import { compiledFile } from "../../../lib/entry.ts";
import type { ImageArtifact, RevisionSpec } from "../../../ports/target.ts";
import { makeAuthority, type TestAuthority } from "../../../testing/conformance/edge/authority.ts";
import type { TargetHarness } from "../../../testing/conformance/target.ts";
import { startEngine } from "../../../testing/hosts/engine.ts";
import { engineRequest } from "../../../testing/hosts/engine-request.ts";
import { startHosts, type TestHosts } from "../../../testing/hosts/hosts.ts";
import { layerOf, loadImage } from "../../../testing/hosts/image-archive.ts";
import { nodeConfig, nodeLayer } from "../../../testing/hosts/node-image.ts";
import { architecture } from "../../../testing/hosts/shell-image.ts";
import { freePort } from "../../../testing/ports.ts";
import { type DockerTargetOptions, dockerTarget, type HostOptions } from "./index.ts";

type Reachable = { readonly socket: string };

/** One or more real engines with an empty target, and its harness for the conformance suite. */
export type Place = TargetHarness & {
  readonly directory: string;
  readonly hosts: readonly HostOptions[];
  readonly engines: readonly Reachable[];
  options(product: string, more?: Partial<DockerTargetOptions>): DockerTargetOptions;
};

export async function localPlace(
  version: "20.10" | "newest",
): Promise<Place & { engine: Awaited<ReturnType<typeof startEngine>> }> {
  const engine = await startEngine({ version });
  const hosts = [{ name: "local", url: engine.url, address: null }];
  return { ...(await placeOf(hosts, [engine], () => engine.down())), engine };
}

/** An engine that listens by tcp and speaks only to who shows a certificate of its authority. */
export async function tcpPlace(): Promise<
  Place & { engine: Awaited<ReturnType<typeof startEngine>>; authority: TestAuthority; tls: Required<TlsFiles> }
> {
  const authority = await makeAuthority();
  const server = await authority.issue("engine", ["127.0.0.1"]);
  const { certFile, keyFile } = await authority.issue("client", ["127.0.0.1"]);
  const tls = { ca: authority.caFile, cert: certFile, key: keyFile };
  const url = `tcp://127.0.0.1:${await freePort()}`;
  const verified = { tlsverify: true, tlscacert: authority.caFile, tlscert: server.certFile, tlskey: server.keyFile };
  const engine = await startEngine({ daemon: { hosts: ["unix:///run/docker.sock", url], ...verified } });
  const place = await placeOf([{ name: "tcp", url, address: "127.0.0.1", tls }], [engine], async () => {
    await engine.down();
    await authority.dispose();
  });
  return { ...place, engine, authority, tls };
}

export async function sshPlace(count: number): Promise<Place & { machines: TestHosts }> {
  const machines = await startHosts(count);
  const controlDirectory = await mkdtemp(join(tmpdir(), "slipway-ctl-"));
  const hosts = machines.hosts.map(({ name, url, address, sshConfig }) => ({
    name,
    url,
    address,
    // On a bridge of this machine: who is not there in 4 s has been cut off.
    ssh: { controlDirectory, configFile: sshConfig, connectTimeoutMs: 4_000 },
  }));
  const place = await placeOf(hosts, machines.hosts, async () => {
    await machines.down();
    await rm(controlDirectory, { recursive: true, force: true });
  });
  return { ...place, machines };
}

async function placeOf(
  hosts: readonly HostOptions[],
  engines: readonly Reachable[],
  down: () => Promise<void>,
): Promise<Place> {
  const directory = await mkdtemp(join(tmpdir(), "slipway-docker-"));
  const options = (product: string, more: Partial<DockerTargetOptions> = {}): DockerTargetOptions => ({
    product,
    directory,
    hosts,
    ...more,
  });
  return {
    directory,
    hosts,
    engines,
    options,
    open: async (product) => dockerTarget(options(product)),
    ensureAndDie: (product, spec, instances) => killedControlPlane(options(product), { spec, instances }),
    image: (files) => imageOf(engines, files),
    leftovers: () => leftovers(engines),
    close: async () => {
      await down();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** The same image on every engine: files over this machine's node and busybox. */
export async function imageOf(
  engines: readonly Reachable[],
  files: Readonly<Record<string, string>>,
): Promise<ImageArtifact> {
  const prefixed = Object.fromEntries(Object.entries(files).map(([name, content]) => [`app/${name}`, content]));
  const image = { architecture, config: nodeConfig, layers: [await nodeLayer(), layerOf(prefixed)] };
  const loaded = await Promise.all(engines.map((engine) => loadImage(engine, "slipway-test/suite:1", image)));
  const id = loaded[0]?.id ?? `sha256:${"0".repeat(64)}`;
  return { kind: "image", id, digest: id, repository: null, layout: null };
}

/** Containers of anybody, networks and volumes of ours. */
export async function leftovers(engines: readonly Reachable[]): Promise<readonly string[]> {
  const found = await Promise.all(
    engines.map(async (engine) => {
      const ask = async (path: string): Promise<unknown> => JSON.parse(await engineRequest(engine, "GET", path));
      const containers = (await ask("/containers/json?all=1")) as { Names: string[] }[];
      const networks = (await ask("/networks")) as { Name: string }[];
      const volumes = (await ask("/volumes")) as { Volumes: { Name: string }[] | null };
      const images = (await ask("/images/json")) as { RepoTags: string[] | null }[];
      return [
        ...containers.map(({ Names }) => `container ${Names[0]}`),
        ...networks
          .filter(({ Name }) => !["bridge", "host", "none"].includes(Name))
          .map(({ Name }) => `network ${Name}`),
        ...(volumes.Volumes ?? []).map(({ Name }) => `volume ${Name}`),
        ...images
          .flatMap(({ RepoTags }) => RepoTags ?? [])
          .filter((tag) => tag.startsWith("slipway/"))
          .map((tag) => `image ${tag}`),
      ];
    }),
  );
  return found.flat();
}

/** A process of its own that deploys, says so, and is killed. */
async function killedControlPlane(
  options: DockerTargetOptions,
  { spec, instances }: { readonly spec: RevisionSpec; readonly instances: number },
): Promise<void> {
  const module = pathToFileURL(compiledFile(import.meta.url, "./index.ts")).href;
  const script = `
    import { dockerTarget } from ${JSON.stringify(module)};
    const target = dockerTarget(${JSON.stringify(options)});
    await target.ensure(${JSON.stringify(spec)}, ${instances}, new AbortController().signal);
    process.stdout.write("done");
    setInterval(() => {}, 1000);
  `;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(child.stdout, "data");
  child.kill("SIGKILL");
  await once(child, "exit");
}
