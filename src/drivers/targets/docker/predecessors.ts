import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import {
  inspectContainer,
  type ListedContainer,
  listContainers,
  setRestartPolicy,
  startContainer,
  stopContainer,
} from "../../../lib/docker/containers.ts";
import { connectNetwork, disconnectNetwork } from "../../../lib/docker/networks.ts";
import type { Predecessor, Predecessors } from "../../../ports/target.ts";
import type { Fleet } from "./fleet.ts";
import type { Host } from "./host.ts";

/** What one was like before we stopped it. */
type Stopped = {
  readonly project: string;
  readonly host: string;
  readonly id: string;
  readonly policy: string;
  readonly networks: Readonly<Record<string, readonly string[]>>;
};

const up = ["running", "restarting", "paused"];

/**
 * Containers that docker compose has made, found by its labels. What was stopped is on disk, because whoever starts them again may be
 * another control plane than the one that stopped them.
 */
export class ComposePredecessors implements Predecessors {
  readonly #fleet: Fleet;
  readonly #file: string;

  constructor(fleet: Fleet, file: string) {
    this.#fleet = fleet;
    this.#file = file;
  }

  async look(project: string, signal: AbortSignal): Promise<readonly Predecessor[]> {
    const labels = { "com.docker.compose.project": project };
    const one = this.#fleet.hosts.length === 1;
    const looks = await this.#fleet.each(async (host) => {
      const listed = await host.do(() => listContainers(host.docker, { labels }, signal));
      return listed.filter(isMade).map((each) => predecessorOf(each, one ? null : host.name));
    }, signal);
    return looks.flat();
  }

  async stop(containers: readonly Predecessor[], graceMs: number, signal: AbortSignal): Promise<void> {
    await Promise.all(
      containers.map((each) => {
        const host = this.#hostOf(each.host);
        return host.do(async () => {
          await this.#remember(host, each.id, signal);
          await stopContainer(host.docker, each.id, graceMs, signal);
          // Down, it holds no port; and whoever starts it by hand finds it as it was.
          await this.#reconnect(each.id, signal);
        });
      }),
    );
  }

  async letGo(containers: readonly Predecessor[], signal: AbortSignal): Promise<void> {
    await Promise.all(
      containers.map((each) => {
        const host = this.#hostOf(each.host);
        return host.do(async () => {
          const networks = await this.#remember(host, each.id, signal);
          for (const name of Object.keys(networks)) await disconnectNetwork(host.docker, name, each.id, signal);
        });
      }),
    );
  }

  async startAgain(project: string, signal: AbortSignal): Promise<void> {
    for (const { id, host: name, policy } of this.#all().filter((each) => each.project === project)) {
      const host = this.#hostOf(name);
      await host.do(async () => {
        if ((await inspectContainer(host.docker, id, signal)) !== null) {
          await this.#reconnect(id, signal);
          await setRestartPolicy(
            host.docker,
            id,
            policy === "always" || policy === "unless-stopped" ? policy : "no",
            signal,
          );
          await startContainer(host.docker, id, signal);
        }
      });
      this.#write(this.#all().filter((each) => each.id !== id));
    }
  }

  settle(project: string): void {
    const left = this.#all().filter((each) => each.project !== project);
    if (left.length < this.#all().length) this.#write(left);
  }

  /** Before anything is done to it. What is known of it already stays: by now it may have been changed. */
  async #remember(host: Host, id: string, signal: AbortSignal): Promise<Stopped["networks"]> {
    const known = this.#all().find((each) => each.id === id);
    if (known !== undefined) return known.networks;
    const container = await inspectContainer(host.docker, id, signal);
    if (container === null) return {};
    const networks = Object.fromEntries(
      Object.entries(container.NetworkSettings.Networks).map(([name, { Aliases }]) => [name, Aliases] as const),
    );
    const project = container.Config.Labels["com.docker.compose.project"] ?? "";
    const policy = container.HostConfig.RestartPolicy?.Name ?? "no";
    this.#write([...this.#all(), { project, host: host.name, id, policy, networks }]);
    await setRestartPolicy(host.docker, id, "no", signal);
    return networks;
  }

  async #reconnect(id: string, signal: AbortSignal): Promise<void> {
    const known = this.#all().find((each) => each.id === id);
    if (known === undefined) return;
    const { docker } = this.#hostOf(known.host);
    for (const [name, aliases] of Object.entries(known.networks))
      await connectNetwork(docker, name, id, aliases, signal);
  }

  #hostOf(name: string | null): Host {
    const found = this.#fleet.hosts.find((host) => name === null || host.name === name);
    if (found === undefined) throw new Error(`there is no host ${name}`);
    return found;
  }

  #all(): readonly Stopped[] {
    try {
      return JSON.parse(readFileSync(this.#file, "utf8")) as Stopped[];
    } catch {
      return [];
    }
  }

  #write(all: readonly Stopped[]): void {
    mkdirSync(dirname(this.#file), { recursive: true, mode: 0o700 });
    writeFileSync(`${this.#file}.tmp`, JSON.stringify(all), { mode: 0o600 });
    renameSync(`${this.#file}.tmp`, this.#file);
  }
}

/** Not what `docker compose run` left. */
function isMade({ Labels }: ListedContainer): boolean {
  return Labels["com.docker.compose.oneoff"] !== "True";
}

function predecessorOf({ Id, Names, State, Labels, Ports }: ListedContainer, host: string | null): Predecessor {
  const ports = Ports.flatMap(({ PublicPort, Type }) =>
    PublicPort === undefined || Type !== "tcp" ? [] : [PublicPort],
  );
  return {
    id: Id,
    host,
    name: (Names[0] ?? Id).replace(/^\//, ""),
    service: Labels["com.docker.compose.service"] ?? "",
    running: up.includes(State),
    hostPorts: [...new Set(ports)],
  };
}
