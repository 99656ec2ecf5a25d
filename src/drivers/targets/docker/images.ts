import type { ErrorCode } from "../../../core/errors/catalogue.ts";
import { type Evidence, isSlipwayError, reasonOf, SlipwayError } from "../../../core/errors/error.ts";
import type { ServiceName } from "../../../core/ids.ts";
import { formatDuration } from "../../../core/product/units.ts";
import { isRoot } from "../../../core/release/root-user.ts";
import type { Secret } from "../../../core/secret.ts";
import { listContainers } from "../../../lib/docker/containers.ts";
import type { Docker } from "../../../lib/docker/docker.ts";
import { DockerError } from "../../../lib/docker/errors.ts";
import { type Image, inspectImage, listImages, pullImage, removeImage, tagImage } from "../../../lib/docker/images.ts";
import type { Log } from "../../../ports/log.ts";
import type { ImageArtifact, RevisionSpec } from "../../../ports/target.ts";
import { containerOf } from "./container-config.ts";
import { diskFull } from "./errors.ts";
import type { Host } from "./host.ts";
import { labelsThatSelect } from "./labels.ts";
import { Turns } from "./turns.ts";

/** Brings an image to an engine without a registry. Resolves when the engine has it. */
export type Shipper = (image: ImageArtifact, engine: Docker, signal: AbortSignal) => Promise<void>;

export type ImageSources = {
  readonly shipper: Shipper | null;
  readonly login: LoginOf;
  /** A pull that tells of no progress for so long is given up. */
  readonly pullSilenceMs: number;
};

/** Who pulls from a repository; null pulls without a name. `refused` is a password that its registry does not take any more. */
export type LoginOf = (
  repository: string,
  refused: Secret | null,
) => Promise<{ readonly username: string; readonly password: Secret } | null>;

/** An image that is on a host. */
export type Brought = {
  readonly image: Image;
  /** Resolves when it has our name there too, so that nobody prunes it. A container can be made of it meanwhile. */
  readonly named: Promise<void>;
};

/** The images of a product on its hosts: brought when they are missing, named as ours so that nobody prunes them, let go at the end. */
export class Images {
  readonly #product: string;
  readonly #sources: ImageSources;
  readonly #log: Log | null;
  readonly #underWay = new Map<string, Promise<Brought>>();
  readonly #present = new Map<string, Brought>();
  /** Several services may have one image: on a host it comes once, and goes once. */
  readonly #turns = new Turns();

  constructor(product: string, sources: ImageSources, log: Log | null) {
    this.#product = product;
    this.#sources = sources;
    this.#log = log;
  }

  /**
   * The image of a revision on a host, fit to run there; `there` is a look for it that the caller has begun. Calls at the same time share
   * one pull. Errors: IMAGE_MISSING, IMAGE_WRONG_PLATFORM, ROOT_REFUSED, REGISTRY_DENIED, REGISTRY_AWAY, DISK_FULL.
   */
  async ensure(
    host: Host,
    spec: RevisionSpec,
    artifact: ImageArtifact,
    { there, signal }: { readonly there?: Promise<Image | null> | undefined; readonly signal: AbortSignal },
  ): Promise<Brought> {
    const key = keyOf(host, spec.service, artifact);
    let brought = this.#present.get(key);
    if (brought === undefined) {
      let work = this.#underWay.get(key);
      if (work === undefined) {
        const look = there ?? present(host, artifact, signal);
        work = this.#bring(host, spec, artifact, { look, signal }).finally(() => this.#underWay.delete(key));
        this.#underWay.set(key, work);
      }
      brought = await work;
      this.#present.set(key, brought);
      // One that could not be named is brought again by whoever asks next.
      brought.named.catch(() => this.#present.delete(key));
    }
    this.#checkUser(host, spec, brought.image);
    return brought;
  }

  /** Looks whether a host has an image of which that is not known yet, for an `ensure` that follows. Changes nothing. */
  look(
    host: Host,
    { service }: RevisionSpec,
    artifact: ImageArtifact,
    signal: AbortSignal,
  ): Promise<Image | null> | undefined {
    if (this.#present.has(keyOf(host, service, artifact))) return undefined;
    const seen = host.do(() => present(host, artifact, signal));
    seen.catch(() => {}); // told to the ensure that takes it
    return seen;
  }

  /** It was there, and is not: somebody removed it past us. */
  forget(host: Host): void {
    for (const key of this.#present.keys()) if (key.startsWith(`${host.name} `)) this.#present.delete(key);
  }

  /**
   * Takes our name from an image, which may be named by its id or as it was pulled, when none of our containers uses it any more. It goes
   * with its last name; the digest by which it was pulled is none, so an image that only has that goes too.
   */
  async release(host: Host, service: ServiceName, reference: string, signal: AbortSignal): Promise<void> {
    const image = await inspectImage(host.docker, reference, signal);
    if (image === null) return;
    const labels = labelsThatSelect(this.#product, { service });
    const users = await listContainers(host.docker, { labels, ancestor: image.Id }, signal);
    if (users.length > 0) return;
    this.forget(host);
    const ours = `${this.#repositoryOf(service)}:${tagOf(image.Id)}`;
    await this.#turns.take(turnOf(host, image.Id), async () => {
      if (image.RepoTags.includes(ours)) await this.#let(host, ours, signal);
      await this.#letNameless(host, image.Id, signal);
    });
  }

  /** What an engine that died in the middle has kept from being let go: images of a service that no container of ours was made from. */
  async sweep(host: Host, service: ServiceName, needed: ReadonlySet<string>, signal: AbortSignal): Promise<void> {
    const named = await listImages(host.docker, { reference: [this.#repositoryOf(service)] }, signal);
    for (const { Id, RepoDigests } of named) {
      const isNeeded = [Id, ...(RepoDigests ?? [])].some((each) => needed.has(each));
      if (!isNeeded) await this.release(host, service, Id, signal);
    }
  }

  async #letNameless(host: Host, id: string, signal: AbortSignal): Promise<void> {
    const image = await inspectImage(host.docker, id, signal);
    if (image === null || image.RepoTags.length > 0) return;
    for (const pulled of image.RepoDigests) await this.#let(host, pulled, signal);
    if (image.RepoDigests.length === 0) await this.#let(host, id, signal);
  }

  /** Another's container uses it (409): then it is theirs now. */
  async #let(host: Host, name: string, signal: AbortSignal): Promise<void> {
    try {
      await removeImage(host.docker, name, signal);
    } catch (error) {
      if (!(error instanceof DockerError) || error.status !== 409) throw error;
    }
  }

  async #bring(
    host: Host,
    spec: RevisionSpec,
    artifact: ImageArtifact,
    { look, signal }: { readonly look: Promise<Image | null>; readonly signal: AbortSignal },
  ): Promise<Brought> {
    const before = await look;
    const image = before ?? (await this.#fetchedOnce(host, artifact, signal));
    try {
      await checkPlatform(host, spec, image, signal);
    } catch (error) {
      // Brought in vain.
      if (before === null) await this.#letNameless(host, image.Id, signal).catch(() => {});
      throw error;
    }
    const name = { repository: this.#repositoryOf(spec.service), tag: tagOf(image.Id) };
    const isNamed = image.RepoTags.includes(`${name.repository}:${name.tag}`);
    const named = isNamed ? Promise.resolve() : tagImage(host.docker, image.Id, name, signal);
    return { image, named };
  }

  /** Who waited while it came for another service finds it there. */
  #fetchedOnce(host: Host, artifact: ImageArtifact, signal: AbortSignal): Promise<Image> {
    const turn = turnOf(host, artifact.id);
    const isFirst = !this.#turns.isTaken(turn);
    return this.#turns.take(turn, async () => {
      signal.throwIfAborted();
      const image = isFirst ? null : await present(host, artifact, signal);
      return image ?? this.#fetched(host, artifact, signal);
    });
  }

  async #fetched(host: Host, artifact: ImageArtifact, signal: AbortSignal): Promise<Image> {
    const tried: Evidence[] = [];
    let failure: SlipwayError | null = null;
    if (artifact.repository !== null) {
      try {
        await this.#pull(host, artifact.repository, artifact, signal);
      } catch (error) {
        signal.throwIfAborted();
        failure = isSlipwayError(error) ? error : this.#pullFailure(host, artifact.repository, error);
        tried.push(["pull", reasonOf(error)]);
      }
    }
    let image = await present(host, artifact, signal);
    if (image !== null) return image;
    if (this.#sources.shipper !== null && artifact.layout !== null) {
      this.#log?.info("image.shipped", { host: host.name, image: artifact.digest });
      try {
        await this.#sources.shipper(artifact, host.docker, signal);
      } catch (error) {
        throw isFull(error) ? diskFull(host.name, error) : error;
      }
      image = await present(host, artifact, signal);
      if (image !== null) return image;
      tried.push(["ship", "the engine does not have it afterwards"]);
    }
    if (failure !== null && failure.code !== "IMAGE_MISSING") throw failure;
    throw new SlipwayError("IMAGE_MISSING", {
      message: `host ${host.name} does not have the image ${artifact.repository ?? ""}@${artifact.digest}, and it could not be brought there`,
      evidence: tried.length > 0 ? tried : [["sources", "it is in no registry, and no layout of it was kept"]],
      cause: failure ?? undefined,
    });
  }

  async #pull(host: Host, repository: string, artifact: ImageArtifact, signal: AbortSignal): Promise<void> {
    this.#log?.info("image.pulled", { host: host.name, repository, image: artifact.digest });
    const { pullSilenceMs: silenceMs } = this.#sources;
    const pull = (login: Awaited<ReturnType<LoginOf>>): Promise<void> => {
      const auth = login === null ? null : { username: login.username, password: login.password.reveal() };
      return pullImage(host.docker, { repository, reference: artifact.digest, auth }, { signal, silenceMs });
    };
    const login = await this.#sources.login(repository, null);
    try {
      await pull(login);
    } catch (error) {
      signal.throwIfAborted();
      if (login === null || !isDenied(error)) throw error;
      const fresh = await this.#sources.login(repository, login.password);
      if (fresh === null || fresh.password.reveal() === login.password.reveal()) throw error;
      await pull(fresh);
    }
  }

  /** In the words of the catalogue; what is a failure of the engine stays one. */
  #pullFailure(host: Host, repository: string, error: unknown): SlipwayError {
    if (!(error instanceof DockerError) || (error.code !== "REFUSED" && error.code !== "TIMED_OUT")) throw error;
    // The engine waits for its registry; should it be deaf itself, the look that follows says so.
    const isSilent = error.code === "TIMED_OUT";
    if (!isSilent && isFull(error)) return diskFull(host.name, error);
    const words = isSilent ? `nothing came for ${formatDuration(this.#sources.pullSilenceMs)}` : error.message;
    return new SlipwayError(isSilent ? "REGISTRY_AWAY" : codeOf(error), {
      message: `host ${host.name} could not pull from ${repository}: ${words}`,
      evidence: [["engine", error.call]],
      cause: error,
    });
  }

  #checkUser(host: Host, spec: RevisionSpec, image: Image): void {
    const policy = containerOf(spec).rootUser;
    const user = containerOf(spec).user ?? image.Config?.User ?? "";
    if (policy === "allow" || !isRoot(user)) return;
    if (policy === "warn") {
      this.#log?.warn("container.root", { host: host.name, service: spec.service, release: spec.release });
      return;
    }
    throw new SlipwayError("ROOT_REFUSED", {
      message: `${spec.service} would run as root, and its rootUser policy refuses that`,
      evidence: [["image's user", user === "" ? "none, which is root" : user]],
    });
  }

  #repositoryOf(service: string): string {
    return `slipway/${this.#product}/${service}`;
  }
}

function turnOf(host: Host, id: string): string {
  return `${host.name} ${id}`;
}

function keyOf(host: Host, service: ServiceName, { id }: ImageArtifact): string {
  return `${host.name} ${service} ${id}`;
}

/** By its id; engines that keep images in containerd call it by its manifest's digest instead. Or as it was pulled. */
export function referencesOf({ id, digest, repository }: ImageArtifact): readonly string[] {
  return [...new Set([id, digest, ...(repository === null ? [] : [`${repository}@${digest}`])])];
}

async function present(host: Host, artifact: ImageArtifact, signal: AbortSignal): Promise<Image | null> {
  for (const name of referencesOf(artifact)) {
    const image = await inspectImage(host.docker, name, signal);
    if (image !== null) return image;
  }
  return null;
}

async function checkPlatform(host: Host, spec: RevisionSpec, image: Image, signal: AbortSignal): Promise<void> {
  const { os, arch } = await host.docker.version(signal);
  const isSame = image.Os === os && (image.Architecture === arch || (image.Architecture === "386" && arch === "amd64"));
  if (isSame || image.Architecture === "") return;
  throw new SlipwayError("IMAGE_WRONG_PLATFORM", {
    message: `${spec.service}: the image is for ${image.Os}/${image.Architecture}, and host ${host.name} is ${os}/${arch}`,
    hint: `build it for ${os}/${arch}: set image.platforms`,
  });
}

function isDenied(error: unknown): boolean {
  const words = /unauthorized|denied|forbidden|no basic auth|authentication required|incorrect username/i;
  return error instanceof DockerError && error.code === "REFUSED" && words.test(error.message);
}

function codeOf(error: DockerError): ErrorCode {
  if (isDenied(error)) return "REGISTRY_DENIED";
  return /not found|manifest unknown|does not exist|repository name/i.test(error.message)
    ? "IMAGE_MISSING"
    : "REGISTRY_AWAY";
}

function isFull(error: unknown): boolean {
  if (isSlipwayError(error)) return error.code === "DISK_FULL";
  return error instanceof DockerError && /no space left on device/i.test(error.message);
}

function tagOf(imageId: string): string {
  return imageId.replace("sha256:", "").slice(0, 24);
}
