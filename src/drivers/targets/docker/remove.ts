import type { EnvironmentName, RevisionId } from "../../../core/ids.ts";
import { inspectContainer, removeContainer } from "../../../lib/docker/containers.ts";
import { listVolumes, removeVolume } from "../../../lib/docker/volumes.ts";
import type { ImageArtifact, RevisionSpec } from "../../../ports/target.ts";
import { isAway } from "./errors.ts";
import type { Fleet } from "./fleet.ts";
import type { Host } from "./host.ts";
import { type Images, referencesOf } from "./images.ts";
import { isDown, stopForGood } from "./instance.ts";
import type { KeptLogs } from "./kept-logs.ts";
import { environmentLabels, identityOf } from "./labels.ts";
import type { Networks } from "./networks.ts";
import type { Owed } from "./owed.ts";
import type { Prepared } from "./prepared.ts";
import type { Seen } from "./status.ts";

type Parts = {
  readonly product: string;
  readonly fleet: Fleet;
  readonly images: Images;
  readonly networks: Networks;
  readonly logs: KeptLogs;
  readonly owed: Owed;
  readonly prepared: Prepared;
};

/** Takes revisions away whole: containers, their nameless volumes, the network and the image when nobody uses them any more. Never a named volume, but with its environment. */
export class Removal {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /**
   * Everywhere. A host that is away gets it when it is back, whatever is to be done about its absence otherwise: what is taken away
   * must not wait for it, or a release that was refused because of that host could not be cleaned up after.
   */
  async revision(revision: RevisionId, signal: AbortSignal): Promise<void> {
    const { hosts } = this.#parts.fleet;
    const results = await Promise.allSettled(hosts.map((host) => this.#at(host, revision, signal)));
    signal.throwIfAborted();
    const failures = results.flatMap((result, index) =>
      result.status === "rejected" ? [{ host: hosts[index] as Host, error: result.reason as unknown }] : [],
    );
    for (const { host, error } of failures) {
      if (!isAway(error)) throw error;
      this.#parts.owed.add(host.name, revision);
    }
  }

  /** An image is about to be brought there for a revision that has no container yet: it goes with the revision all the same. */
  note(host: Host, { id: revision, environment, service }: RevisionSpec, image: ImageArtifact): void {
    this.#parts.prepared.add({ host: host.name, revision, environment, service, images: referencesOf(image) });
  }

  /** What could not be taken back there. */
  owe(host: Host, revision: RevisionId): void {
    this.#parts.owed.add(host.name, revision);
  }

  /** Whoever wants the revision again does not want it removed later. */
  forgive(revision: RevisionId): void {
    this.#parts.owed.forgive(revision);
  }

  owedAt(host: Host): readonly RevisionId[] {
    return this.#parts.owed.at(host.name);
  }

  /** Pays what is owed, unless that was forgiven meanwhile. */
  async settle(host: Host, revision: RevisionId, signal: AbortSignal): Promise<void> {
    if (!this.owedAt(host).includes(revision)) return;
    await this.#at(host, revision, signal);
    this.#parts.owed.done(host.name, revision);
  }

  /** One container that has been stopped, its last lines kept. */
  async container(host: Host, seen: Seen, signal: AbortSignal): Promise<void> {
    const { Id } = seen.container;
    await this.#parts.logs.keep(host, Id, seen.identity, signal);
    await removeContainer(host.docker, Id, signal);
    host.forget(Id);
  }

  async byId(host: Host, container: string, signal: AbortSignal): Promise<void> {
    const there = await inspectContainer(host.docker, container, signal);
    const identity = there === null ? null : identityOf(there.Config.Labels, this.#parts.product);
    if (identity !== null) await this.#parts.logs.keep(host, container, identity, signal);
    await removeContainer(host.docker, container, signal);
    host.forget(container);
  }

  /**
   * All that an environment has, its named volumes too: it is gone for good. What a host that was away still owes is paid first, and a
   * host that is away now is an error. Only what has our labels: a volume that somebody else made keeps its own.
   */
  async environment(environment: EnvironmentName, signal: AbortSignal): Promise<void> {
    const { fleet, networks, product } = this.#parts;
    for (const host of fleet.hosts) {
      for (const revision of this.owedAt(host)) await this.settle(host, revision, signal);
      const left = await host.look({ environment }, signal);
      for (const id of new Set(left.map(({ identity }) => identity.revision))) await this.#at(host, id, signal);
      await host.do(async () => {
        for (const { Name } of await listVolumes(host.docker, environmentLabels(product, environment), signal))
          await removeVolume(host.docker, Name, signal);
        await networks.release(host, environment, signal);
      });
    }
  }

  /** Networks that nobody is in any more, and our name on an image that none of ours runs. What cannot be done now is not worth a failure. */
  async leftovers(
    { id: revision, environment, service }: RevisionSpec,
    image: ImageArtifact,
    signal: AbortSignal,
  ): Promise<void> {
    await Promise.allSettled(
      this.#parts.fleet.hosts.map((host) =>
        host.do(async () => {
          await this.#parts.networks.release(host, environment, signal);
          for (const reference of referencesOf(image)) {
            await this.#parts.images.release(host, service, reference, signal);
          }
          this.#parts.prepared.done(host.name, revision);
        }),
      ),
    );
  }

  async #at(host: Host, revision: RevisionId, signal: AbortSignal): Promise<void> {
    const all = await host.look({ revision }, signal);
    await host.do(async () => {
      await Promise.all(
        all.map(async (seen) => {
          const { container, identity } = seen;
          if (!isDown(seen)) await stopForGood(host, container.Id, identity.stopGraceMs, signal);
          await this.container(host, seen, signal);
        }),
      );
      const [first] = all;
      const prepared = this.#parts.prepared.at(host.name, revision);
      const { environment, service } = first?.identity ?? prepared ?? {};
      if (environment === undefined || service === undefined) return;
      const images = new Set([...all.map(({ container }) => container.Image), ...(prepared?.images ?? [])]);
      for (const image of images) await this.#parts.images.release(host, service, image, signal);
      if (prepared !== null) this.#parts.prepared.done(host.name, revision);
      await this.#parts.images.sweep(host, service, this.#parts.prepared.images(host.name), signal);
      await this.#parts.networks.release(host, environment, signal);
    });
  }
}
