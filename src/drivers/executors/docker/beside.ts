import { createConnection } from "node:net";
import type { StackService } from "../../../core/compose/stack.ts";
import { splitReference } from "../../../core/product/mounts.ts";
import { formatDuration } from "../../../core/product/units.ts";
import {
  type Container,
  type ContainerConfig,
  createContainer,
  inspectContainer,
  putArchive,
  startContainer,
} from "../../../lib/docker/containers.ts";
import type { Docker } from "../../../lib/docker/docker.ts";
import { extrasConfig, extrasHost } from "../../../lib/docker/extras.ts";
import { archiveOf } from "../../../lib/docker/files-archive.ts";
import { inspectImage, pullImage } from "../../../lib/docker/images.ts";
import { connectNetwork } from "../../../lib/docker/networks.ts";
import { giveWay } from "./container.ts";

const lookMs = 100;
const connectMs = 1_000;
/** What crashes at its start does so within this: until then what can only be seen to run says nothing. */
const lifeMs = 1_000;
/** Of one that names no bound of its own. */
const pids = 2_048;

/** Where the things of one step are: their names begin with its own. */
export type Where = {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
};

export const nameOf = ({ name }: Pick<Where, "name">, service: string): string => `${name}-${service}`;
/** Compose's own network has the step's name. */
export const networkName = ({ name }: Pick<Where, "name">, key: string): string =>
  key === "default" ? name : `${name}-${key}`;
export const volumeName = ({ name }: Pick<Where, "name">, key: string): string => `${name}-${key}`;

/** Brings an image, unless the engine has it. */
export async function needImage(docker: Docker, image: string, signal: AbortSignal): Promise<void> {
  if ((await inspectImage(docker, image, signal)) !== null) return;
  const { repository, tag, digest } = splitReference(image);
  await pullImage(docker, { repository, reference: digest ?? tag ?? "latest", auth: null }, { signal });
}

/** The container of a service, made and not yet started: in its networks, under its names, with the files that it is given. */
export async function makeContainer(
  docker: Docker,
  service: StackService,
  { container, image, where }: { readonly container: string; readonly image: string; readonly where: Where },
  signal: AbortSignal,
): Promise<string> {
  const [first, ...others] = service.networks;
  const { files, aliases } = service.settings;
  const names = [...new Set([service.name, ...aliases])];
  const primary = first === undefined ? "none" : networkName(where, first);
  const config = {
    ...configOf(service, image, where),
    ...(first === undefined ? {} : { NetworkingConfig: { EndpointsConfig: { [primary]: { Aliases: names } } } }),
  };
  const id = await createContainer(
    docker,
    container,
    { ...config, HostConfig: { ...config.HostConfig, NetworkMode: primary } },
    signal,
  );
  for (const key of others) await connectNetwork(docker, networkName(where, key), id, names, signal);
  if (files.length > 0) await putArchive(docker, id, archiveOf(files), signal);
  return id;
}

/** Starts what a step needs beside it. */
export async function startBeside(
  docker: Docker,
  service: StackService,
  at: { readonly image: string; readonly where: Where },
  signal: AbortSignal,
): Promise<void> {
  const id = await makeContainer(docker, service, { ...at, container: nameOf(at.where, service.name) }, signal);
  await startContainer(docker, id, signal);
}

function configOf(service: StackService, image: string, where: Where): ContainerConfig {
  const { settings, mounts, memoryBytes, cpus, readOnlyRoot } = service;
  const writesCheckout = mounts.some(({ is, readOnly }) => is === "bind" && !readOnly);
  const user = service.user ?? (writesCheckout ? `${process.getuid?.() ?? 0}:${process.getgid?.() ?? 0}` : null);
  const host = extrasHost(settings, { readOnlyRoot });
  return {
    Image: image,
    ...extrasConfig(settings),
    ...(settings.command === null ? {} : { Cmd: settings.command }),
    Env: Object.entries(service.env).map(([name, value]) => `${name}=${value}`),
    Labels: where.labels,
    ...(user === null ? {} : { User: user }),
    ...(service.hostname === null ? {} : { Hostname: service.hostname }),
    HostConfig: {
      ...host,
      ...giveWay,
      PidsLimit: pids,
      SecurityOpt: [...new Set([...(host.SecurityOpt ?? []), "no-new-privileges"])],
      RestartPolicy: { Name: "no" },
      LogConfig: { Type: "json-file", Config: {} },
      Init: service.init,
      ReadonlyRootfs: readOnlyRoot,
      CapAdd: service.addCapabilities,
      CapDrop: service.dropCapabilities,
      ExtraHosts: settings.extraHosts,
      ...(memoryBytes === null ? {} : { Memory: memoryBytes, MemorySwap: memoryBytes }),
      ...(cpus === null ? {} : { NanoCpus: Math.round(cpus * 1e9) }),
      Mounts: mounts.map(({ is, source, path, readOnly }) => ({
        Type: is,
        ...(source === null ? {} : { Source: is === "bind" ? source : volumeName(where, source) }),
        Target: path,
        ReadOnly: readOnly,
      })),
    },
  };
}

export type Until = "started" | "ready" | "ended";

/**
 * Null when it is as far as it is waited for. Ready is what its image's or its own health check calls healthy; without one, what
 * takes connections at its port; without a port, what has run for a while or has ended well. Else why it is not, after so long.
 */
export async function whyNotYetThere(
  docker: Docker,
  service: StackService,
  { where, readyMs, until }: { readonly where: Pick<Where, "name">; readonly readyMs: number; readonly until: Until },
  signal: AbortSignal,
): Promise<string | null> {
  const deadline = Date.now() + readyMs;
  const what = until === "ended" ? "had not ended" : "was not ready";
  for (;;) {
    signal.throwIfAborted();
    const seen = await inspectContainer(docker, nameOf(where, service.name), signal);
    if (seen === null) return `${service.name} was removed`;
    const looked = await lookAt(seen, service, { where, until });
    if (looked.is === "there") return null;
    if (looked.is === "never") return `${service.name} ${looked.why}`;
    if (Date.now() >= deadline) return `${service.name} ${what} within ${formatDuration(readyMs)}: ${looked.why}`;
    await new Promise((resolve) => setTimeout(resolve, lookMs));
  }
}

type Look = { readonly is: "there" } | { readonly is: "never" | "wait"; readonly why: string };

const there: Look = { is: "there" };

async function lookAt(
  { State, NetworkSettings }: Container,
  service: StackService,
  { where, until }: { readonly where: Pick<Where, "name">; readonly until: Until },
): Promise<Look> {
  if (State.Status === "created") return { is: "wait", why: "it does not run yet" };
  if (until === "started") return there;
  const health = State.Health == null || State.Health.Status === "none" ? null : State.Health.Status;
  if (!State.Running) {
    // What has no port and no health check is there to do something, and has done it.
    const isDone = State.ExitCode === 0 && (until === "ended" || (health === null && service.port === null));
    return isDone ? there : { is: "never", why: `ended with exit code ${State.ExitCode} before it was ready` };
  }
  if (until === "ended") return { is: "wait", why: "it runs" };
  if (health !== null) return health === "healthy" ? there : { is: "wait", why: `its health check says ${health}` };
  if (service.port === null) {
    const hasLived = State.StartedAt !== null && Date.now() - State.StartedAt >= lifeMs;
    return hasLived ? there : { is: "wait", why: "it has only just started" };
  }
  const address = service.networks
    .map((key) => NetworkSettings.Networks[networkName(where, key)]?.IPAddress ?? "")
    .find((each) => each !== "");
  if (address === undefined) return { is: "wait", why: "it has no address yet" };
  return (await takesConnections(address, service.port))
    ? there
    : { is: "wait", why: `it takes no connections on port ${service.port}` };
}

function takesConnections(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ host, port, timeout: connectMs });
    const end = (isOpen: boolean) => (): void => {
      socket.destroy();
      resolve(isOpen);
    };
    socket.once("connect", end(true)).once("error", end(false)).once("timeout", end(false));
  });
}
