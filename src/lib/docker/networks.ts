import { z } from "zod";
import { labelFilter, nullIfAbsent } from "./containers.ts";
import { type Docker, pathOf } from "./docker.ts";
import { DockerError } from "./errors.ts";
import { list, map, text } from "./shapes.ts";

const network = z.object({
  Id: z.string(),
  Name: z.string(),
  Driver: text,
  Labels: map(z.string()),
  IPAM: z.object({ Config: list(z.object({ Subnet: text, Gateway: text })) }).nullish(),
  Containers: map(z.object({ Name: text })),
});
export type Network = z.output<typeof network>;

/** Null when it is not there. */
export function inspectNetwork(docker: Docker, name: string, signal: AbortSignal): Promise<Network | null> {
  return nullIfAbsent(docker.json({ method: "GET", path: pathOf`/networks/${name}`, signal }, network));
}

export function listNetworks(
  docker: Docker,
  labels: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<Network[]> {
  const query = { filters: { label: labelFilter(labels) } };
  return docker.json({ method: "GET", path: "/networks", query, signal }, z.array(network));
}

/** A bridge of its own. A name that is taken is a refusal (409). */
export async function createNetwork(
  docker: Docker,
  name: string,
  labels: Readonly<Record<string, string>>,
  signal: AbortSignal,
  { internal = false }: { readonly internal?: boolean } = {},
): Promise<void> {
  // Two engines' calls at once would else make two networks of one name.
  const body = { Name: name, Driver: "bridge", CheckDuplicate: true, Internal: internal, Labels: labels };
  await docker.send({ method: "POST", path: "/networks/create", body, signal });
}

/** Running or not. Does nothing when it is in it already. */
export async function connectNetwork(
  docker: Docker,
  network: string,
  container: string,
  aliases: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const body = { Container: container, EndpointConfig: { Aliases: aliases } };
  try {
    await docker.send({ method: "POST", path: pathOf`/networks/${network}/connect`, body, signal });
  } catch (error) {
    if (!(error instanceof DockerError) || !/already exists in network|already attached/i.test(error.message))
      throw error;
  }
}

/** Takes a container out of a network at once. Does nothing when one of them is not there. */
export async function disconnectNetwork(
  docker: Docker,
  network: string,
  container: string,
  signal: AbortSignal,
): Promise<void> {
  const body = { Container: container, Force: true };
  try {
    await nullIfAbsent(docker.send({ method: "POST", path: pathOf`/networks/${network}/disconnect`, body, signal }));
  } catch (error) {
    if (!(error instanceof DockerError) || !/is not connected to/i.test(error.message)) throw error;
  }
}

/** Does nothing when it is not there; in use is a refusal (403). */
export async function removeNetwork(docker: Docker, name: string, signal: AbortSignal): Promise<void> {
  await nullIfAbsent(docker.send({ method: "DELETE", path: pathOf`/networks/${name}`, signal }));
}
