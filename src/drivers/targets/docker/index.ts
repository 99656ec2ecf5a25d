import { setMaxListeners } from "node:events";
import { join } from "node:path";
import { reasonOf, SlipwayError } from "../../../core/errors/error.ts";
import type { EnvironmentName, EpochMs, InstanceId, RevisionId } from "../../../core/ids.ts";
import { defaultWaitAtMostMs } from "../../../core/product/environment.ts";
import { restartContainer } from "../../../lib/docker/containers.ts";
import { linkedSignal } from "../../../lib/linked-signal.ts";
import type { Forward } from "../../../lib/ssh/forward.ts";
import type { Clearing } from "../../../ports/clearing.ts";
import type { HostCondition, HostStatus, Hosts } from "../../../ports/hosts.ts";
import type { Log } from "../../../ports/log.ts";
import type { Restarts } from "../../../ports/restarts.ts";
import type { Session, SessionSpec, Sessions } from "../../../ports/session.ts";
import type { Stopping } from "../../../ports/stopping.ts";
import type {
  HostsAway,
  LogLine,
  LogQuery,
  RevisionSelector,
  RevisionSpec,
  RevisionStatus,
  Target,
  TargetCan,
} from "../../../ports/target.ts";
import { conditionOf } from "./condition.ts";
import { checkHostPorts, ensureRevision, groundOf, needsImage, type Room, stopRevision } from "./ensure.ts";
import { Fleet, type Look, type WhenAway } from "./fleet.ts";
import type { Host, HostOptions } from "./host.ts";
import { Images, type LoginOf, type Shipper } from "./images.ts";
import { KeptLogs } from "./kept-logs.ts";
import { containerName, type Identity } from "./labels.ts";
import { readLogs } from "./logs.ts";
import { Networks } from "./networks.ts";
import { Owed } from "./owed.ts";
import { ComposePredecessors } from "./predecessors.ts";
import { Prepared } from "./prepared.ts";
import { Removal } from "./remove.ts";
import { openExecSession, openFreshSession } from "./session.ts";
import { revisionsOf, type Seen } from "./status.ts";
import { Turns } from "./turns.ts";
import { watchRevisions } from "./watch.ts";

export type { WhenAway } from "./fleet.ts";
export type { HostOptions } from "./host.ts";
export type { Shipper } from "./images.ts";

export type DockerTargetOptions = {
  /** Whose revisions these are. Containers, networks and volumes of others, or of nobody, are never seen nor touched. */
  readonly product: string;
  readonly hosts: readonly HostOptions[];
  /** For the last lines of removed containers, what is owed to hosts that are away, and what was brought to hosts in advance. */
  readonly directory: string;
  /** Default `stop`. */
  readonly whenAway?: WhenAway;
  /** With `whenAway: "wait"`, for one call. Default 15 minutes. */
  readonly waitAtMostMs?: number;
  /** Brings an image that no registry has. Default: such an image is missing. */
  readonly shipper?: Shipper;
  /** Name and password for a repository; null pulls without. */
  readonly registryLogin?: LoginOf;
  /** A pull of a host that tells of no progress for so long is given up. Default 2 minutes. */
  readonly pullSilenceMs?: number;
  /** Followed log lines wait so long for older ones of other containers, so that they come in order of time. Default 60 ms. */
  readonly settleMs?: number;
  readonly log?: Log;
};

/**
 * Revisions as containers on one or many hosts, kept running by the engines themselves: they outlive the control plane and are
 * found again by their labels. Services find each other through the edge, and accessories by their name on the environment's network.
 *
 * Restarts: a service's and an accessory's container is started again by its engine, a job's never. Stopped
 * containers keep their place for a quick way back; removed ones leave their last log lines here. Named volumes are only removed with their environment, by `clear`.
 * An accessory is never replaced: while another revision of it is there, `ensure` keeps that one running and answers with it, so its id
 * and configDigest say what runs; to replace it, stop that one, then ensure one that `replaces` it; the named volumes stay.
 */
export function dockerTarget(options: DockerTargetOptions): Target & Sessions & Restarts & Stopping & Clearing & Hosts {
  return new DockerTarget(options);
}

/** Engines tell of every layer that is fetched or unpacked several times a second; what is left is a registry that takes its time. */
const pullSilenceMs = 120_000;
const settleMs = 60;

class DockerTarget implements Target, Sessions, Restarts, Stopping, Clearing, Hosts {
  readonly name = "docker";
  readonly can: TargetCan = {
    jobs: true,
    warm: true,
    endsWithMachine: false,
    memoryLimit: true,
    cpuLimit: true,
    artifacts: ["image"],
    accessories: true,
    volumes: true,
  };
  readonly predecessors: ComposePredecessors;
  readonly #product: string;
  readonly #fleet: Fleet;
  readonly #images: Images;
  readonly #networks: Networks;
  readonly #removal: Removal;
  readonly #kept: KeptLogs;
  readonly #settleMs: number;
  readonly #log: Log | null;
  /** Calls for the same revision. */
  readonly #turns = new Turns();
  readonly #tunnels = new Map<InstanceId, { readonly address: string; readonly way: Forward }>();
  readonly #settling = new Set<Host>();
  readonly #closed = new AbortController();

  constructor(options: DockerTargetOptions) {
    const { product, directory } = options;
    const log = options.log ?? null;
    this.#product = product;
    this.#log = log;
    this.#fleet = new Fleet(options.hosts, {
      product,
      whenAway: options.whenAway ?? "stop",
      waitAtMostMs: options.waitAtMostMs ?? defaultWaitAtMostMs,
      log,
      onAnswer: (host) => void this.#settle(host),
    });
    this.#images = new Images(
      product,
      {
        shipper: options.shipper ?? null,
        login: options.registryLogin ?? (async () => null),
        pullSilenceMs: options.pullSilenceMs ?? pullSilenceMs,
      },
      log,
    );
    this.predecessors = new ComposePredecessors(this.#fleet, join(directory, "predecessors.json"));
    this.#networks = new Networks(product);
    this.#kept = new KeptLogs(join(directory, "logs"));
    this.#settleMs = options.settleMs ?? settleMs;
    this.#removal = new Removal({
      product,
      fleet: this.#fleet,
      images: this.#images,
      networks: this.#networks,
      logs: this.#kept,
      owed: new Owed(join(directory, "owed.json")),
      prepared: new Prepared(join(directory, "prepared.json")),
    });
  }

  async ensure(
    spec: RevisionSpec,
    instances: number,
    signal: AbortSignal,
    hostsAway?: HostsAway,
  ): Promise<RevisionStatus> {
    const { artifact } = spec;
    if (artifact.kind !== "image") throw needsImage(spec);
    checkHostPorts(spec, { instances, hosts: this.#fleet.hosts.length });
    return this.#turns.take(turnOf({ ...spec, revision: spec.id }), async () => {
      this.#removal.forgive(spec.id);
      return this.#within(signal, (until) => {
        return ensureRevision({ ...this.#room, hostsAway }, spec, artifact, { instances, signal: until });
      });
    });
  }

  get #room(): Room {
    return {
      fleet: this.#fleet,
      images: this.#images,
      networks: this.#networks,
      removal: this.#removal,
      log: this.#log,
    };
  }

  async observe(selector: RevisionSelector): Promise<readonly RevisionStatus[]> {
    return this.#statusesOf(await this.#fleet.look(selector, this.#closed.signal));
  }

  async present(selector: RevisionSelector): Promise<readonly RevisionStatus[]> {
    return this.#statusesOf(await this.#fleet.look(selector, this.#closed.signal, { unseen: "nothing" }));
  }

  #statusesOf(looks: readonly Look[]): readonly RevisionStatus[] {
    for (const { host, seen } of looks) host.sample(seen.filter(({ lastSeen }) => lastSeen === undefined));
    return revisionsOf(looks.flatMap(({ seen }) => seen));
  }

  watch(selector: RevisionSelector, signal: AbortSignal): AsyncIterable<readonly RevisionStatus[]> {
    return watchRevisions(this.#fleet, this.#product, selector, this.#until(signal));
  }

  async stop(revision: RevisionId, signal: AbortSignal): Promise<void> {
    await this.#within(signal, async (until) => {
      const [first] = (await this.#fleet.look({ revision }, until)).flatMap(({ seen }) => seen);
      if (first === undefined) return;
      await this.#turns.take(turnOf(first.identity), () => stopRevision(this.#room, revision, until));
    });
  }

  async remove(revision: RevisionId, signal: AbortSignal): Promise<void> {
    await this.#turns.take(revision, async () => {
      for (const instance of [...this.#tunnels.keys()]) {
        if (instance.slice(0, instance.lastIndexOf(".")) === revision) await this.#closeTunnel(instance);
      }
      await this.#within(signal, (until) => this.#removal.revision(revision, until));
    });
  }

  clear(environment: EnvironmentName, signal: AbortSignal): Promise<void> {
    return this.#within(signal, (until) => this.#removal.environment(environment, until));
  }

  logs(query: LogQuery, signal: AbortSignal): AsyncIterable<LogLine> {
    return readLogs({ fleet: this.#fleet, kept: this.#kept, settleMs: this.#settleMs }, query, this.#until(signal));
  }

  async session({ place, command, terminal }: SessionSpec, signal: AbortSignal): Promise<Session> {
    const until = this.#until(signal);
    const wanted = { command, terminal };
    if ("instance" in place) {
      const { host, seen } = await this.#find(place.instance, until);
      return host.do(() => openExecSession(host, seen.container.Id, wanted, until));
    }
    const { fresh } = place;
    if (fresh.artifact.kind !== "image") throw needsImage(fresh);
    const ground = await groundOf(this.#room, fresh, fresh.artifact, until);
    return ground.host.do(() => openFreshSession(fresh, ground, wanted, until));
  }

  async restart(instance: InstanceId, startedAt: EpochMs, signal: AbortSignal): Promise<void> {
    const revision = instance.slice(0, instance.lastIndexOf("."));
    await this.#turns.take(revision, () =>
      this.#within(signal, async (until) => {
        const { host, seen } = await this.#find(instance, until);
        if (seen.container.State.StartedAt !== startedAt) return;
        await host.do(() => restartContainer(host.docker, seen.container.Id, seen.identity.stopGraceMs, until));
      }),
    );
  }

  hosts(): readonly HostStatus[] {
    return this.#fleet.status();
  }

  giveUp(url: string): void {
    this.#fleet.giveUp(url);
  }

  conditions(signal: AbortSignal): Promise<readonly HostCondition[]> {
    return this.#within(signal, (until) => Promise.all(this.#fleet.hosts.map((host) => conditionOf(host, until))));
  }

  reach(instance: InstanceId, signal: AbortSignal): Promise<string> {
    return this.#within(signal, (until) => this.#reach(instance, until));
  }

  async #reach(instance: InstanceId, until: AbortSignal): Promise<string> {
    // Asked for every probe of every instance: what the engines have told of is not asked for again.
    const { host, address } = this.#recall(instance) ?? (await this.#addressOf(instance, until));
    if (address === null) throw notThere(instance, "does not listen");
    const { ssh } = host.docker;
    if (ssh === null) return address;
    return host.do(async () => {
      const known = this.#tunnels.get(instance);
      if (known !== undefined && known.address !== address) await this.#closeTunnel(instance);
      const colon = address.lastIndexOf(":");
      const remote = { host: address.slice(0, colon).replace(/^\[|\]$/g, ""), port: Number(address.slice(colon + 1)) };
      const way = await ssh.forward(remote, until);
      this.#tunnels.set(instance, { address, way });
      return `127.0.0.1:${await way.localPort(until)}`;
    });
  }

  async close(): Promise<void> {
    this.#closed.abort();
    await this.#turns.over();
    await this.#fleet.close();
  }

  /** What was to be removed while the host was away; tried again at its next answer. */
  async #settle(host: Host): Promise<void> {
    if (this.#settling.has(host) || this.#removal.owedAt(host).length === 0) return;
    this.#settling.add(host);
    try {
      await this.#settleAll(host);
    } finally {
      this.#settling.delete(host);
    }
  }

  async #settleAll(host: Host): Promise<void> {
    for (const revision of this.#removal.owedAt(host)) {
      try {
        await this.#turns.take(revision, () => this.#removal.settle(host, revision, this.#closed.signal));
      } catch (error) {
        if (this.#closed.signal.aborted) return;
        this.#log?.warn("container.left", { host: host.name, revision, reason: reasonOf(error) });
      }
    }
  }

  #recall(instance: InstanceId): { readonly host: Host; readonly address: string | null } | null {
    const name = containerName(instance);
    for (const host of this.#fleet.hosts) {
      const known = host.recall(name);
      if (known !== null) return { host, address: known.identity.address };
    }
    return null;
  }

  async #addressOf(
    instance: InstanceId,
    signal: AbortSignal,
  ): Promise<{ readonly host: Host; readonly address: string | null }> {
    const { host, seen } = await this.#find(instance, signal);
    return { host, address: seen.identity.address };
  }

  async #find(instance: InstanceId, signal: AbortSignal): Promise<{ readonly host: Host; readonly seen: Seen }> {
    const dot = instance.lastIndexOf(".");
    const revision = instance.slice(0, dot) as RevisionId;
    const index = Number(instance.slice(dot + 1));
    const found = await this.#fleet.first(async (host) => {
      const all = await host.look({ revision }, signal);
      const seen = all.find(({ identity, container }) => identity.index === index && container.State.Running);
      return seen === undefined ? null : { host, seen };
    }, signal);
    if (found === null) throw notThere(instance, "runs here");
    return found;
  }

  async #closeTunnel(instance: InstanceId): Promise<void> {
    const tunnel = this.#tunnels.get(instance);
    this.#tunnels.delete(instance);
    await tunnel?.way.close();
  }

  async #within<T>(signal: AbortSignal, work: (until: AbortSignal) => Promise<T>): Promise<T> {
    const { signal: until, release } = linkedSignal([signal, this.#closed.signal]);
    try {
      return await work(until);
    } finally {
      release();
    }
  }

  /** For what goes on after the call that asks for it. */
  #until(signal: AbortSignal): AbortSignal {
    const either = AbortSignal.any([signal, this.#closed.signal]);
    // As many calls as there are instances and hosts listen at once: that is no leak.
    setMaxListeners(0, either);
    return either;
  }
}

function notThere(instance: InstanceId, what: string): SlipwayError {
  return new SlipwayError("INSTANCE_NOT_FOUND", { message: `no instance ${instance} ${what}` });
}

/** Of calls that may be about the same containers: all of an accessory's are, for it has one place. */
function turnOf({
  mode,
  environment,
  service,
  revision,
}: Pick<Identity, "mode" | "environment" | "service" | "revision">) {
  return mode === "accessory" ? `${environment}/${service}` : revision;
}
