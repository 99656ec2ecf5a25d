import { lookup } from "node:dns/promises";
import { once } from "node:events";
import { createServer, isIP } from "node:net";
import { SlipwayError } from "../../../core/errors/error.ts";
import type { EnvironmentName } from "../../../core/ids.ts";
import type { ComposedNetwork } from "../../../core/product/spec.ts";
import { listContainers } from "../../../lib/docker/containers.ts";
import { isConflict, isRefusal } from "../../../lib/docker/errors.ts";
import {
  createNetwork,
  inspectNetwork,
  listNetworks,
  type Network,
  removeNetwork,
} from "../../../lib/docker/networks.ts";
import type { RevisionSpec } from "../../../ports/target.ts";
import { containerOf } from "./container-config.ts";
import type { Host } from "./host.ts";
import { environmentLabels, environmentPrefix, releaseLabel } from "./labels.ts";

export type NetworkAt = {
  readonly name: string;
  /** Where instances on this host publish their ports. */
  readonly publishAt: string;
};

type Wanted = {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly internal?: boolean;
};

/** All networks of one instance: the first is the one its ports are published in. */
export type NetworksAt = {
  readonly first: NetworkAt;
  /** Names of those that it joins besides, before it starts. */
  readonly others: readonly string[];
};

/**
 * One bridge an environment on each host: what is in it finds its accessories by name; other environments and products are apart.
 *
 * Services of a Compose file find each other by name too, and each finds those of its own release: a release has a network of its own,
 * in which they have their names. Accessories have theirs in the networks of the Compose project, which all join, so that nothing has to
 * be done to one that docker compose has made. Where both know a name, the engine asks the networks in the order of their names: that
 * of the release comes first by its capital letter, for Compose's names have none.
 */
export class Networks {
  readonly #product: string;
  readonly #known = new Map<string, NetworkAt>();
  readonly #making = new Map<string, Promise<Network>>();

  constructor(product: string) {
    this.#product = product;
  }

  async ensure(host: Host, environment: EnvironmentName, signal: AbortSignal): Promise<NetworkAt> {
    const name = environmentPrefix(this.#product, environment);
    const key = `${host.name} ${name}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const labels = environmentLabels(this.#product, environment);
    const made = { name, publishAt: await publishAt(host, await this.#made(host, { name, labels }, signal)) };
    this.#known.set(key, made);
    return made;
  }

  /** Those of an instance of this revision, made where they are missing. Errors: START_FAILED. */
  async of(host: Host, spec: RevisionSpec, signal: AbortSignal): Promise<NetworksAt> {
    const composed = containerOf(spec).composed;
    if (composed === undefined) return { first: await this.ensure(host, spec.environment, signal), others: [] };
    const labels = environmentLabels(spec.product, spec.environment);
    const joined = await Promise.all(
      composed.networks.map((network) => this.#ofProject(host, network, { labels, project: composed.project }, signal)),
    );
    const [project, ...more] = joined;
    if (spec.mode === "accessory" && project !== undefined)
      return { first: await this.#at(host, project), others: more.map(({ Name }) => Name) };
    const name = `Slipway-${environmentPrefix(spec.product, spec.environment)}-${spec.release}`;
    const own = await this.#made(host, { name, labels: { ...labels, [releaseLabel]: spec.release } }, signal);
    return { first: await this.#at(host, own), others: joined.map(({ Name }) => Name) };
  }

  /** It was there, and is not: somebody removed it past us. */
  forget(host: Host): void {
    for (const key of this.#known.keys()) if (key.startsWith(`${host.name} `)) this.#known.delete(key);
  }

  /** Removes those that no container of the environment, or of their release, is left for on the host. */
  async release(host: Host, environment: EnvironmentName, signal: AbortSignal): Promise<void> {
    const labels = environmentLabels(this.#product, environment);
    const [containers, networks] = await Promise.all([
      listContainers(host.docker, { labels }, signal),
      listNetworks(host.docker, labels, signal),
    ]);
    const releases = new Set(containers.map((container) => container.Labels[releaseLabel]));
    if (containers.length === 0) this.forget(host);
    for (const network of networks) {
      const release = network.Labels[releaseLabel];
      if (release === undefined ? containers.length > 0 : releases.has(release)) continue;
      try {
        await removeNetwork(host.docker, network.Id, signal);
      } catch (error) {
        // Somebody connected a container of their own to it, or it is that of a start under way.
        if (!isRefusal(error, 403) && !isConflict(error)) throw error;
      }
    }
  }

  async #at(host: Host, network: Network): Promise<NetworkAt> {
    const key = `${host.name} ${network.Id}`;
    const known = this.#known.get(key) ?? { name: network.Name, publishAt: await publishAt(host, network) };
    this.#known.set(key, known);
    return known;
  }

  /** One of a Compose project, whoever made it: what we make carries the labels by which docker compose takes it for its own. */
  async #ofProject(
    host: Host,
    { name, key, internal }: ComposedNetwork,
    { labels, project }: { readonly labels: Readonly<Record<string, string>>; readonly project: string },
    signal: AbortSignal,
  ): Promise<Network> {
    const there = await inspectNetwork(host.docker, name, signal);
    if (there !== null) return there;
    if (key !== null) {
      const asCompose = { "com.docker.compose.project": project, "com.docker.compose.network": key };
      return this.#made(host, { name, labels: { ...labels, ...asCompose }, internal }, signal);
    }
    throw new SlipwayError("START_FAILED", {
      message: `host ${host.name}: there is no network ${name}, and the Compose file says that others make it`,
      hint: `make it: docker network create ${name}`,
    });
  }

  /** One at a time for a name: an engine that is asked twice at once may make two networks of it, and tells nobody. */
  #made(host: Host, wanted: Wanted, signal: AbortSignal): Promise<Network> {
    const key = `${host.name} ${wanted.name}`;
    const underWay = this.#making.get(key);
    if (underWay !== undefined) return underWay;
    const made = this.#make(host, wanted, signal).finally(() => this.#making.delete(key));
    this.#making.set(key, made);
    return made;
  }

  async #make(host: Host, { name, labels, internal = false }: Wanted, signal: AbortSignal): Promise<Network> {
    let network = await inspectNetwork(host.docker, name, signal);
    if (network === null) {
      try {
        await createNetwork(host.docker, name, labels, signal, { internal });
      } catch (error) {
        // Another process was faster.
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
