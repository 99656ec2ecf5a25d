import { createConnection } from "node:net";
import { splitReference } from "../../../core/product/mounts.ts";
import { formatDuration } from "../../../core/product/units.ts";
import { type Container, createContainer, inspectContainer, startContainer } from "../../../lib/docker/containers.ts";
import type { Docker } from "../../../lib/docker/docker.ts";
import { inspectImage, pullImage } from "../../../lib/docker/images.ts";
import type { Beside } from "../../../ports/executor.ts";

const lookMs = 100;
const connectMs = 1_000;
/** Of one that names no bound of its own. */
const pids = 2_048;

type Where = { readonly network: string; readonly labels: Readonly<Record<string, string>> };

export const nameOf = (network: string, { name }: Pick<Beside, "name">): string => `${network}-${name}`;

/** Brings an image, unless the engine has it. */
export async function needImage(docker: Docker, image: string, signal: AbortSignal): Promise<void> {
  if ((await inspectImage(docker, image, signal)) !== null) return;
  const { repository, tag, digest } = splitReference(image);
  await pullImage(docker, { repository, reference: digest ?? tag ?? "latest", auth: null }, { signal });
}

/** Starts what a step needs beside it, in the step's own network, where it is known by its name. */
export async function startBeside(
  docker: Docker,
  beside: Beside,
  { network, labels }: Where,
  signal: AbortSignal,
): Promise<void> {
  await needImage(docker, beside.image, signal);
  const id = await createContainer(
    docker,
    nameOf(network, beside),
    {
      Image: beside.image,
      ...(beside.command.length === 0 ? {} : { Cmd: beside.command }),
      Env: Object.entries(beside.env).map(([name, value]) => `${name}=${value}`),
      Labels: labels,
      Hostname: beside.name,
      HostConfig: {
        NetworkMode: network,
        PidsLimit: pids,
        SecurityOpt: ["no-new-privileges"],
        ...(beside.memoryBytes === null ? {} : { Memory: beside.memoryBytes, MemorySwap: beside.memoryBytes }),
      },
      NetworkingConfig: { EndpointsConfig: { [network]: { Aliases: [beside.name] } } },
    },
    signal,
  );
  await startContainer(docker, id, signal);
}

/**
 * Null when it is well: as its image's or its own health check says; without one, when its port takes connections; without a port,
 * when it runs. Else why it is not, after so long.
 */
export async function whyNotReady(
  docker: Docker,
  beside: Beside,
  { network, readyMs }: Pick<Where, "network"> & { readonly readyMs: number },
  signal: AbortSignal,
): Promise<string | null> {
  const until = Date.now() + readyMs;
  let last = "was not seen";
  for (;;) {
    signal.throwIfAborted();
    const seen = await inspectContainer(docker, nameOf(network, beside), signal);
    if (seen === null) return `${beside.name} was removed`;
    if (!seen.State.Running && seen.State.Status !== "created")
      return `${beside.name} ended with exit code ${seen.State.ExitCode} before it was ready`;
    const why = await whyNotYet(seen, beside, network);
    if (why === null) return null;
    last = why;
    if (Date.now() >= until) return `${beside.name} was not ready within ${formatDuration(readyMs)}: ${last}`;
    await new Promise((resolve) => setTimeout(resolve, lookMs));
  }
}

async function whyNotYet(
  { State, NetworkSettings }: Container,
  { port }: Beside,
  network: string,
): Promise<string | null> {
  if (!State.Running) return "it does not run yet";
  if (State.Health != null && State.Health.Status !== "none")
    return State.Health.Status === "healthy" ? null : `its health check says ${State.Health.Status}`;
  if (port === null) return null;
  const address = NetworkSettings.Networks[network]?.IPAddress ?? "";
  if (address === "") return "it has no address yet";
  return (await takesConnections(address, port)) ? null : `it takes no connections on port ${port}`;
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
