import { z } from "zod";
import { labelFilter, nullIfAbsent } from "./containers.ts";
import { type Docker, pathOf } from "./docker.ts";
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
): Promise<void> {
  // Two engines' calls at once would else make two networks of one name.
  const body = { Name: name, Driver: "bridge", CheckDuplicate: true, Labels: labels };
  await docker.send({ method: "POST", path: "/networks/create", body, signal });
}

/** Does nothing when it is not there; in use is a refusal (403). */
export async function removeNetwork(docker: Docker, name: string, signal: AbortSignal): Promise<void> {
  await nullIfAbsent(docker.send({ method: "DELETE", path: pathOf`/networks/${name}`, signal }));
}
