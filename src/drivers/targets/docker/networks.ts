import { lookup } from "node:dns/promises";
import { once } from "node:events";
import { createServer, isIP } from "node:net";
import { SlipwayError } from "../../../core/errors/error.ts";
import type { EnvironmentName } from "../../../core/ids.ts";
import { listContainers } from "../../../lib/docker/containers.ts";
import { isConflict, isRefusal } from "../../../lib/docker/errors.ts";
import { createNetwork, inspectNetwork, type Network, removeNetwork } from "../../../lib/docker/networks.ts";
import type { Host } from "./host.ts";
import { environmentLabels, environmentPrefix } from "./labels.ts";

export type NetworkAt = {
  readonly name: string;
  /** Where instances on this host publish their ports. */
  readonly publishAt: string;
};

/** One bridge an environment on each host: what is in it finds its accessories by name; other environments and products are apart. */
export class Networks {
  readonly #product: string;
  readonly #known = new Map<string, NetworkAt>();

  constructor(product: string) {
    this.#product = product;
  }

  async ensure(host: Host, environment: EnvironmentName, signal: AbortSignal): Promise<NetworkAt> {
    const name = environmentPrefix(this.#product, environment);
    const key = `${host.name} ${name}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const made = { name, publishAt: await publishAt(host, await this.#made(host, environment, name, signal)) };
    this.#known.set(key, made);
    return made;
  }

  /** It was there, and is not: somebody removed it past us. */
  forget(host: Host): void {
    for (const key of this.#known.keys()) if (key.startsWith(`${host.name} `)) this.#known.delete(key);
  }

  /** Removes it when no container of the environment is left on the host. */
  async release(host: Host, environment: EnvironmentName, signal: AbortSignal): Promise<void> {
    const labels = environmentLabels(this.#product, environment);
    if ((await listContainers(host.docker, { labels }, signal)).length > 0) return;
    this.forget(host);
    const network = await inspectNetwork(host.docker, environmentPrefix(this.#product, environment), signal);
    if (network === null || !isOurs(network, labels)) return;
    try {
      await removeNetwork(host.docker, network.Id, signal);
    } catch (error) {
      // Somebody connected a container of their own to it.
      if (!isRefusal(error, 403) && !isConflict(error)) throw error;
    }
  }

  async #made(host: Host, environment: EnvironmentName, name: string, signal: AbortSignal): Promise<Network> {
    const labels = environmentLabels(this.#product, environment);
    let network = await inspectNetwork(host.docker, name, signal);
    if (network === null) {
      try {
        await createNetwork(host.docker, name, labels, signal);
      } catch (error) {
        // Another call was faster.
        if (!isConflict(error)) throw error;
      }
      network = await inspectNetwork(host.docker, name, signal);
    }
    if (network !== null && isOurs(network, labels)) return network;
    throw new SlipwayError("START_FAILED", {
      message: `host ${host.name}: the network ${name} is there and is not ours`,
      hint: `remove or rename it: docker network rm ${name}`,
    });
  }
}

/**
 * The address of the host, where it has one. On this machine's own engine the bridge's own address: the kernel passes those
 * packets on by itself, while 127.0.0.1 goes through a process of the engine; engines in a virtual machine have neither.
 */
async function publishAt(host: Host, network: Network): Promise<string> {
  if (host.address !== null) return isIP(host.address) === 0 ? addressOf(host.name, host.address) : host.address;
  const gateway = network.IPAM?.Config.find(({ Gateway }) => Gateway !== "")?.Gateway;
  if (!host.isLocal || gateway === undefined) return thisMachine;
  return (await isOurOwn(gateway)) ? gateway : thisMachine;
}

const thisMachine = "127.0.0.1";

/** Ports are published at addresses, and who routes to them should not ask a name server for each request. */
async function addressOf(host: string, name: string): Promise<string> {
  try {
    return (await lookup(name, { verbatim: true })).address;
  } catch (error) {
    throw new SlipwayError("START_FAILED", {
      message: `host ${host}: ${name} has no address that is known here`,
      hint: `say at which address the edge reaches its containers: hosts: [{ url: "…", address: "10.0.0.5" }]`,
      cause: error,
    });
  }
}

/** Asked of the kernel: a bridge that nobody is on yet is missing in the list of interfaces that are up. */
async function isOurOwn(address: string): Promise<boolean> {
  const server = createServer().listen(0, address);
  try {
    await once(server, "listening");
    return true;
  } catch {
    return false;
  } finally {
    server.close();
  }
}

function isOurs(network: Network, labels: Readonly<Record<string, string>>): boolean {
  return Object.entries(labels).every(([name, value]) => network.Labels[name] === value);
}
