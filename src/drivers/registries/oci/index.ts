import type { Digest } from "../../../core/ids.ts";
import { Secret } from "../../../core/secret.ts";
import { mediaTypes, parseConfig, parseIndex, parseManifest } from "../../../lib/oci/documents.ts";
import { OciError } from "../../../lib/oci/errors.ts";
import { Layout } from "../../../lib/oci/layout.ts";
import { pushImage } from "../../../lib/oci/push.ts";
import { RegistryClient } from "../../../lib/oci/registry-client.ts";
import type { Registry, TaggedImage } from "../../../ports/registry.ts";
import { translated } from "./errors.ts";
import { placeOf } from "./repository.ts";

export type RegistryLogin = { readonly username: string; readonly password: Secret };

export type OciRegistryOptions = {
  /**
   * Who we are at a host (`ghcr.io`, `docker.io`, `123.dkr.ecr.eu-central-1.amazonaws.com`); null is nobody. GHCR takes a user name
   * and a token with `write:packages`; Docker Hub a user and an access token; ECR the user `AWS` and a password that ends after 12
   * hours, so who has been refused with one asks for another: `refused` says with which. The same again is not tried again.
   */
  readonly login: (host: string, refused: Secret | null) => Promise<RegistryLogin | null>;
  /** Hosts with port that are spoken to without TLS, by choice: a registry inside a private network. Default: this machine itself. */
  readonly plainHosts?: readonly string[];
  /** PEM of a CA of one's own. */
  readonly ca?: string;
  /** In all, of each request. Default 4. */
  readonly attempts?: number;
  /** Before the second attempt; doubles. Default 250 ms. */
  readonly backoffMs?: number;
  /** Until the first byte of an answer. Default 30 s. */
  readonly timeoutMs?: number;
};

const listsAtOnce = 4;
/** The manifests of an index that are asked how old they are: one says it, unless it is no image. */
const maxParts = 4;

/** Any registry that speaks the OCI distribution API. */
export function makeOciRegistry(options: OciRegistryOptions): Registry {
  return new OciRegistry(options);
}

class OciRegistry implements Registry {
  readonly name = "oci";
  readonly #options: OciRegistryOptions;
  readonly #plainHosts: ReadonlySet<string> | null;
  readonly #clients = new Map<string, RegistryClient>();
  /** The repository that was pushed to last, by host: what the next one shares with it is mounted. */
  readonly #pushed = new Map<string, string>();
  /** An image's config never changes. */
  readonly #created = new Map<Digest, number | null>();

  constructor(options: OciRegistryOptions) {
    this.#options = options;
    this.#plainHosts = options.plainHosts === undefined ? null : new Set(options.plainHosts);
  }

  async push(...[image, repository, tags, onProgress, signal]: Parameters<Registry["push"]>): Promise<void> {
    const { client, path, host } = this.#at(repository);
    const before = this.#pushed.get(host);
    await translated(repository, async () => {
      const layout = await Layout.open(image.layout);
      await pushImage(
        client,
        layout,
        { digest: image.digest, repository: path, tags },
        { ...(before === undefined || before === path ? {} : { mountFrom: before }), onProgress, signal },
      );
    });
    this.#pushed.set(host, path);
  }

  async has(repository: string, digest: Digest, signal: AbortSignal): Promise<boolean> {
    const { client, path } = this.#at(repository);
    return translated(repository, async () => (await client.resolve(path, digest, signal)) !== null);
  }

  async tag(repository: string, digest: Digest, tag: string, signal: AbortSignal): Promise<void> {
    const { client, path } = this.#at(repository);
    await translated(repository, async () => {
      const manifest = await client.manifest(path, digest, signal);
      if (manifest === null) throw new OciError("MISSING", `${repository}@${digest} is not in the registry`);
      await client.putManifest(path, tag, manifest, signal);
    });
  }

  async resolve(repository: string, tag: string, signal: AbortSignal): Promise<Digest | null> {
    const { client, path } = this.#at(repository);
    return translated(repository, () => client.resolve(path, tag, signal));
  }

  async user(repository: string, digest: Digest, signal: AbortSignal): Promise<string | null> {
    const { client, path } = this.#at(repository);
    return translated(repository, async () => {
      let manifest = await client.manifest(path, digest, signal);
      if (manifest !== null && !isImage(manifest.mediaType)) {
        const part = parseIndex(manifest.content).manifests.find(({ platform }) => platform?.os === "linux");
        manifest = part === undefined ? null : await client.manifest(path, part.digest, signal);
      }
      if (manifest === null || !isImage(manifest.mediaType)) return null;
      const config = await client.blob(path, parseManifest(manifest.content).config.digest, signal);
      return config === null ? null : (parseConfig(config).config?.User ?? "");
    });
  }

  async list(repository: string, signal: AbortSignal): Promise<readonly TaggedImage[]> {
    const { client, path } = this.#at(repository);
    return translated(repository, async () => {
      const queue = [...(await client.tags(path, signal))];
      const found: TaggedImage[] = [];
      const work = async (): Promise<void> => {
        for (let tag = queue.shift(); tag !== undefined; tag = queue.shift()) {
          const digest = await client.resolve(path, tag, signal);
          // Removed since it was listed.
          if (digest === null) continue;
          found.push({ tag, digest, createdAt: await this.#createdAt(client, path, digest, signal) });
        }
      };
      await Promise.all(Array.from({ length: listsAtOnce }, work));
      return found.sort((a, b) => (a.tag < b.tag ? -1 : 1));
    });
  }

  async remove(repository: string, digest: Digest, signal: AbortSignal): Promise<void> {
    const { client, path } = this.#at(repository);
    await translated(repository, async () => {
      // What says something of the image first: without the image nobody would find it again.
      for (const document of await client.referrers(path, digest, signal)) {
        await client.deleteManifest(path, document.digest, signal);
      }
      const documents = await client.resolve(path, digest.replace(":", "-"), signal);
      if (documents !== null) await client.deleteManifest(path, documents, signal);
      await client.deleteManifest(path, digest, signal);
    });
  }

  async close(): Promise<void> {
    await Promise.all([...this.#clients.values()].map((client) => client.close()));
    this.#clients.clear();
  }

  #at(repository: string): { readonly client: RegistryClient; readonly path: string; readonly host: string } {
    const { host, url, path } = placeOf(repository, this.#plainHosts);
    let client = this.#clients.get(host);
    if (client === undefined) {
      const { ca, attempts, backoffMs, timeoutMs } = this.#options;
      client = new RegistryClient({
        url,
        credentials: async (refused) => {
          const login = await this.#options.login(host, refused === null ? null : new Secret(refused.password));
          return login === null ? null : { username: login.username, password: login.password.reveal() };
        },
        ...(ca === undefined ? {} : { ca }),
        ...(attempts === undefined ? {} : { attempts }),
        ...(backoffMs === undefined ? {} : { backoffMs }),
        ...(timeoutMs === undefined ? {} : { timeoutMs }),
      });
      this.#clients.set(host, client);
    }
    return { client, path, host };
  }

  async #createdAt(client: RegistryClient, path: string, digest: Digest, signal: AbortSignal): Promise<number | null> {
    const known = this.#created.get(digest);
    if (known !== undefined) return known;
    const manifest = await client.manifest(path, digest, signal);
    if (manifest === null) return null;
    const created = isImage(manifest.mediaType)
      ? await createdOf(client, path, manifest.content, signal)
      : await this.#newestPart(client, path, manifest.content, signal);
    this.#created.set(digest, created);
    return created;
  }

  /** Of an image for several platforms. */
  async #newestPart(client: RegistryClient, path: string, index: Buffer, signal: AbortSignal): Promise<number | null> {
    const parts = parseIndex(index).manifests.filter((part) => isImage(part.mediaType) && part.platform !== undefined);
    const times = await Promise.all(
      parts.slice(0, maxParts).map((part) => this.#createdAt(client, path, part.digest, signal)),
    );
    const known = times.filter((time) => time !== null);
    return known.length === 0 ? null : Math.max(...known);
  }
}

function isImage(mediaType: string): boolean {
  return mediaType === mediaTypes.manifest || mediaType === mediaTypes.dockerManifest;
}

async function createdOf(
  client: RegistryClient,
  path: string,
  content: Buffer,
  signal: AbortSignal,
): Promise<number | null> {
  const { config, subject } = parseManifest(content);
  if (subject !== undefined || config.mediaType === mediaTypes.empty) return null;
  const bytes = await client.blob(path, config.digest, signal);
  if (bytes === null) return null;
  const created = Date.parse(parseConfig(bytes).created ?? "");
  // Reproducible builds say 1970, which is no age.
  return Number.isFinite(created) && created > 0 ? created : null;
}
