import { setTimeout as sleep } from "node:timers/promises";
import type { EpochMs } from "../../../core/ids.ts";
import {
  type Container,
  inspectContainer,
  type ListedContainer,
  listContainers,
  sampleContainer,
  stopContainer,
} from "../../../lib/docker/containers.ts";
import { type Docker, type DockerOptions, openDocker } from "../../../lib/docker/docker.ts";
import { containerEvents, type DockerEvent } from "../../../lib/docker/events.ts";
import { unlessAborted } from "../../../lib/unless-aborted.ts";
import type { LastExit, RevisionSelector } from "../../../ports/target.ts";
import { atHost } from "./errors.ts";
import { type Identity, identityOf, isSelected, labelsThatSelect } from "./labels.ts";
import { Shared } from "./shared.ts";
import { exitOf, type Seen } from "./status.ts";

export type HostOptions = {
  /** A person's name for it: in status, errors and logs. */
  readonly name: string;
  /** `unix:///path`, `ssh://user@host:port[/path]` or `tcp://host:port`. */
  readonly url: string;
  /**
   * Its address as the edge and the other hosts reach it: instances publish their ports there and nowhere else. Null: only programs
   * on the host itself reach them, and we through its ssh.
   */
  readonly address: string | null;
  /** For `ssh://`. */
  readonly ssh?: NonNullable<DockerOptions["ssh"]>;
  /** For `tcp://`. */
  readonly tls?: NonNullable<DockerOptions["tls"]>;
};

/** Something happened to one of our containers; `event` is null when any of them may have changed. */
export type Listener = (event: DockerEvent | null) => void;

const followed = ["create", "start", "die", "oom", "stop", "pause", "unpause", "destroy", "health_status"];
const firstRetryMs = 100;
const longestRetryMs = 5_000;
/** A look at CPU and memory costs the engine some milliseconds a container. */
const sampleEveryMs = 1_000;
/** For two looks of who measures, and so that what is ended again and again is at its limit all the time. */
const atLimitMs = 10_000;
const inspectsAtOnce = 8;

/**
 * One engine as this product sees it. A look is one list; details are asked again only of containers of which the engine has told
 * something since, as long as its events come. Without events everything is asked.
 */
export class Host {
  readonly name: string;
  readonly address: string | null;
  readonly docker: Docker;
  /** Whether the engine's addresses are this machine's. */
  readonly isLocal: boolean;
  readonly #product: string;
  readonly #shownAs: string | null;
  readonly #closing = new AbortController();
  readonly #listeners = new Set<Listener>();
  readonly #details = new Map<string, Container>();
  readonly #inspecting = new Shared<Container | null>();
  readonly #looking = new Shared<readonly Seen[]>();
  readonly #exits = new Map<string, LastExit>();
  /** When the kernel last ended a process of a container for want of memory, the container's own first one or another. */
  readonly #outOfMemory = new Map<string, number>();
  readonly #usage = new Map<string, { cpuNs: number; atMs: number; cpu: number | null; memoryBytes: number }>();
  readonly #sampling = new Set<string>();
  readonly #stops = new Map<string, Promise<void>>();
  #last: { readonly seen: readonly Seen[]; readonly at: EpochMs } | null = null;
  #events: Promise<void> | null = null;
  #isTold = false;
  #told = 0;

  constructor(options: HostOptions, { product, isOnly }: { readonly product: string; readonly isOnly: boolean }) {
    this.name = options.name;
    this.address = options.address;
    this.isLocal = options.url.startsWith("unix:");
    this.docker = openDocker(options);
    this.#product = product;
    this.#shownAs = isOnly ? null : options.name;
  }

  /** What is there now, of what is selected. Changes nothing. */
  async look(selector: RevisionSelector, signal: AbortSignal): Promise<readonly Seen[]> {
    return this.do(async () => {
      this.#listen();
      const listed = await listContainers(this.docker, { labels: labelsThatSelect(this.#product, selector) }, signal);
      const seen: Seen[] = [];
      for (let from = 0; from < listed.length; from += inspectsAtOnce) {
        const some = listed.slice(from, from + inspectsAtOnce);
        const all = await Promise.all(some.map((each) => this.#seen(each, selector, signal)));
        seen.push(...all.filter((each) => each !== null));
      }
      if (Object.keys(selector).length === 0) this.#last = { seen, at: Date.now() };
      return seen;
    });
  }

  /** What the newest whole look has shown, for when it is away, with that look's time; null before the first. */
  seenLast(selector: RevisionSelector): readonly Seen[] | null {
    if (this.#last === null) return null;
    const { seen, at: lastSeen } = this.#last;
    return seen.filter(({ identity }) => isSelected(identity, selector)).map((each) => ({ ...each, lastSeen }));
  }

  /** The same for who is woken by `onChange`: a look that another began after that news is as good. */
  lookAfterNews(selector: RevisionSelector, signal: AbortSignal): Promise<readonly Seen[]> {
    return this.#looking.get(JSON.stringify(selector), this.#isTold ? this.#told : null, signal, () =>
      this.look(selector, this.#closing.signal),
    );
  }

  /**
   * A container of ours that runs, as it was last seen, without a question to the engine: null where its events do not come, or tell
   * that something has happened to it since.
   */
  recall(name: string): { readonly container: Container; readonly identity: Identity } | null {
    if (!this.#isTold) return null;
    for (const container of this.#details.values()) {
      if (container.Name !== `/${name}` || !container.State.Running) continue;
      const identity = identityOf(container.Config.Labels, this.#product);
      return identity === null ? null : { container, identity };
    }
    return null;
  }

  /** CPU and memory of these, for the next look. Nobody waits for it; each at most once a second. */
  sample(all: readonly Seen[]): void {
    const now = performance.now();
    for (const { container } of all) {
      const { Id, State } = container;
      const before = this.#usage.get(Id);
      if (State.Status !== "running") this.#usage.delete(Id);
      else if (!this.#sampling.has(Id) && now - (before?.atMs ?? Number.NEGATIVE_INFINITY) >= sampleEveryMs) {
        this.#sampling.add(Id);
        // What cannot be measured now is measured the next time.
        void this.#sample(Id)
          .catch(() => {})
          .finally(() => this.#sampling.delete(Id));
      }
    }
  }

  /** Calls back whenever something of ours changes, until the answer is called. */
  onChange(listener: Listener): () => void {
    this.#listeners.add(listener);
    this.#listen();
    return () => this.#listeners.delete(listener);
  }

  /** Work at this host, its failures in the catalogue's words. */
  async do<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw atHost(this.name, error);
    }
  }

  /**
   * Stops a container; does nothing where it is not there. Its engine goes on with a stop that is called off, and until it has ended shows
   * what is ending as running: see `stopped`.
   */
  async stop(container: string, graceMs: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const stop = stopContainer(this.docker, container, graceMs, this.#closing.signal).finally(() => {
      if (this.#stops.get(container) === stop) this.#stops.delete(container);
      this.forget(container);
    });
    this.#stops.set(container, stop);
    await unlessAborted(stop, signal);
  }

  /** Waits for the stops of these that were called off, whatever came of them; false where there were none. */
  async stopped(containers: readonly string[], signal: AbortSignal): Promise<boolean> {
    const stops = containers.flatMap((container) => this.#stops.get(container) ?? []);
    if (stops.length === 0) return false;
    await unlessAborted(Promise.allSettled(stops), signal);
    return true;
  }

  /** What we did ourselves need not wait until the engine tells it. */
  forget(container: string): void {
    this.#told += 1;
    this.#details.delete(container);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.docker.close();
    await this.#events;
  }

  async #seen(listed: ListedContainer, selector: RevisionSelector, signal: AbortSignal): Promise<Seen | null> {
    const identity = identityOf(listed.Labels, this.#product);
    if (identity === null || !isSelected(identity, selector)) return null;
    const container = await this.#detailsOf(listed, signal);
    if (container === null) return null;
    const { Id } = container;
    return {
      identity,
      host: this.#shownAs,
      container,
      exit: this.#exits.get(Id) ?? null,
      usage: this.#usageOf(container),
      tunnelled: this.docker.ssh !== null,
    };
  }

  /**
   * What it uses. Where the kernel has just ended one of its processes for want of memory, while the first one goes on, that is its limit: a look
   * comes after that, and would see the least when there was the most.
   */
  #usageOf({ Id, HostConfig }: Container): Seen["usage"] {
    const usage = this.#usage.get(Id) ?? null;
    const endedAt = this.#outOfMemory.get(Id) ?? Number.NEGATIVE_INFINITY;
    if (usage === null || performance.now() - endedAt > atLimitMs) return usage;
    return { ...usage, memoryBytes: Math.max(usage.memoryBytes, HostConfig.Memory ?? 0) };
  }

  async #detailsOf({ Id, State }: ListedContainer, signal: AbortSignal): Promise<Container | null> {
    const known = this.#details.get(Id);
    if (this.#isTold && known?.State.Status === State) return known;
    const told = this.#told;
    const container = await this.#inspecting.get(Id, this.#isTold ? told : null, signal, () =>
      inspectContainer(this.docker, Id, this.#closing.signal),
    );
    // Something happened meanwhile: what was seen may be older than that.
    if (container !== null && this.#isTold && told === this.#told) this.#details.set(Id, container);
    return container;
  }

  async #sample(id: string): Promise<void> {
    const before = this.#usage.get(id);
    const sample = await sampleContainer(this.docker, id, this.#closing.signal);
    if (sample === null) return;
    const atMs = performance.now();
    const { cpuNs, memoryBytes } = sample;
    // Nanoseconds of CPU in a millisecond of time are millionths of a core.
    const cpu = before === undefined ? null : Math.max(0, (cpuNs - before.cpuNs) / ((atMs - before.atMs) * 1e6));
    this.#usage.set(id, { cpuNs, atMs, cpu, memoryBytes });
  }

  #listen(): void {
    if (this.#events !== null || this.#closing.signal.aborted) return;
    this.#events = this.#hear().finally(() => {
      this.#events = null;
    });
  }

  /** Listens as long as somebody wants to hear; else until the first drop, and the next look begins anew. */
  async #hear(): Promise<void> {
    const { signal } = this.#closing;
    for (let retryMs = firstRetryMs; !signal.aborted; retryMs = Math.min(retryMs * 2, longestRetryMs)) {
      try {
        const query = {
          labels: labelsThatSelect(this.#product),
          actions: followed,
          onListening: () => {
            retryMs = firstRetryMs;
            this.#isTold = true;
            this.#tell(null);
          },
        };
        for await (const event of containerEvents(this.docker, query, signal)) this.#take(event);
      } catch {
        // The next look says why, to whom it concerns.
      }
      this.#isTold = false;
      this.#details.clear();
      if (this.#listeners.size === 0 || signal.aborted) return;
      this.#tell(null);
      await sleep(retryMs, null, { signal, ref: false }).catch(() => {});
    }
  }

  #take(event: DockerEvent): void {
    const { ID, Attributes } = event.Actor;
    this.forget(ID);
    if (event.Action === "oom") this.#outOfMemory.set(ID, performance.now());
    if (event.Action === "die") {
      const at = Math.floor((event.timeNano ?? event.time * 1e9) / 1e6);
      this.#exits.set(ID, exitOf(Number(Attributes.exitCode ?? 0), this.#outOfMemory.delete(ID), at));
    }
    if (event.Action === "destroy") {
      this.#exits.delete(ID);
      this.#outOfMemory.delete(ID);
      if (this.#last !== null)
        this.#last = { ...this.#last, seen: this.#last.seen.filter(({ container }) => container.Id !== ID) };
      this.#usage.delete(ID);
    }
    this.#tell(event);
  }

  #tell(event: DockerEvent | null): void {
    for (const listener of this.#listeners) listener(event);
  }
}
