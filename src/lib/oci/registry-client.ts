import type { Readable } from "node:stream";
import { z } from "zod";
import {
  type Descriptor,
  type Digest,
  digestOf,
  type Index,
  isDigest,
  manifestTypes,
  maxManifestBytes,
  mediaTypes,
  parse,
  parseIndex,
} from "./documents.ts";
import { OciError } from "./errors.ts";
import { type Answer, RegistryHttp, type RegistryOptions, wordsOf } from "./registry-http.ts";

export type FoundManifest = { readonly digest: Digest; readonly mediaType: string; readonly content: Buffer };

/** What an upload sends; opened again from where the registry says that it stands. */
export type BlobSource = {
  readonly digest: Digest;
  readonly size: number;
  readonly open: (from: number) => Promise<Readable>;
};

const maxSmallBytes = 1024 ** 2;
const maxTagPages = 200;
const tagsPerPage = 1_000;
/** Times that one blob is gone on with after a drop. */
const maxResumes = 5;

/**
 * The OCI distribution API, 1.1 with what older registries lack. Every call may be repeated. Errors: OciError DENIED, AWAY,
 * PROTOCOL, TOO_LARGE, CORRUPT; MISSING where it is said.
 */
export class RegistryClient {
  readonly #http: RegistryHttp;

  constructor(options: RegistryOptions) {
    this.#http = new RegistryHttp(options);
  }

  /** By tag or digest; null when there is none. Checked against its digest. */
  async manifest(repository: string, reference: string, signal: AbortSignal): Promise<FoundManifest | null> {
    const answer = await this.#http.ask({
      method: "GET",
      path: `/v2/${repository}/manifests/${reference}`,
      headers: { accept: manifestTypes.join(", ") },
      scope: pull(repository),
      maxBytes: maxManifestBytes,
      signal,
    });
    if (answer.status === 404) return null;
    this.#expect(answer, [200], `the manifest ${repository}:${reference}`);
    const digest = digestOf(answer.body);
    const promised = isDigest(reference) ? reference : (answer.headers.get("docker-content-digest") ?? digest);
    if (promised !== digest) throw new OciError("CORRUPT", `${repository}:${reference} came with the digest ${digest}`);
    return { digest, mediaType: answer.headers.get("content-type") ?? mediaTypes.manifest, content: answer.body };
  }

  /** What a tag names, without its content where the registry says it in a header; null when there is none. */
  async resolve(repository: string, reference: string, signal: AbortSignal): Promise<Digest | null> {
    const answer = await this.#http.ask({
      method: "HEAD",
      path: `/v2/${repository}/manifests/${reference}`,
      headers: { accept: manifestTypes.join(", ") },
      scope: pull(repository),
      maxBytes: 0,
      signal,
    });
    if (answer.status === 404) return null;
    this.#expect(answer, [200], `the manifest ${repository}:${reference}`);
    const digest = answer.headers.get("docker-content-digest") ?? "";
    // The header is optional in the specification.
    return isDigest(digest) ? digest : ((await this.manifest(repository, reference, signal))?.digest ?? null);
  }

  /** Returns whether the registry indexes by subject itself, when the manifest has one. */
  async putManifest(
    repository: string,
    reference: string,
    manifest: { readonly mediaType: string; readonly content: Buffer },
    signal: AbortSignal,
  ): Promise<{ readonly knowsSubjects: boolean }> {
    const answer = await this.#http.ask({
      method: "PUT",
      path: `/v2/${repository}/manifests/${reference}`,
      headers: { "content-type": manifest.mediaType },
      body: manifest.content,
      scope: push(repository),
      maxBytes: maxSmallBytes,
      signal,
    });
    this.#expect(answer, [200, 201, 202], `the manifest ${repository}:${reference}`);
    return { knowsSubjects: answer.headers.has("oci-subject") };
  }

  /** Does nothing when it is absent. */
  async deleteManifest(repository: string, digest: Digest, signal: AbortSignal): Promise<void> {
    const answer = await this.#http.ask({
      method: "DELETE",
      path: `/v2/${repository}/manifests/${digest}`,
      scope: `repository:${repository}:pull,push,delete`,
      maxBytes: maxSmallBytes,
      signal,
    });
    if (answer.status === 405 || answer.status === 501 || isNoRoute(answer)) {
      throw new OciError("UNSUPPORTED", `${this.#http.base.host} does not remove images${wordsOf(answer)}`, {
        status: answer.status,
      });
    }
    this.#expect(answer, [200, 202, 204, 404], `deleting ${repository}@${digest}`);
  }

  async hasBlob(repository: string, digest: Digest, signal: AbortSignal): Promise<boolean> {
    const answer = await this.#http.ask({
      method: "HEAD",
      path: `/v2/${repository}/blobs/${digest}`,
      scope: pull(repository),
      maxBytes: 0,
      signal,
    });
    if (answer.status === 404) return false;
    this.#expect(answer, [200], `the blob ${repository}@${digest}`);
    return true;
  }

  /** A small blob, whole and checked; null when there is none. */
  async blob(repository: string, digest: Digest, signal: AbortSignal): Promise<Buffer | null> {
    const answer = await this.#http.ask({
      method: "GET",
      path: `/v2/${repository}/blobs/${digest}`,
      scope: pull(repository),
      maxBytes: maxManifestBytes,
      signal,
    });
    if (answer.status === 404) return null;
    this.#expect(answer, [200], `the blob ${repository}@${digest}`);
    if (digestOf(answer.body) !== digest)
      throw new OciError("CORRUPT", `${repository}@${digest} came with other content`);
    return answer.body;
  }

  /**
   * Uploads a blob that is not there; `mountFrom` names another repository of the registry that may have it. After a drop it goes
   * on where the registry stands. `onBytes` gets what was sent, which after a drop may be less than before.
   */
  async pushBlob(
    repository: string,
    source: BlobSource,
    options: {
      readonly mountFrom?: string;
      readonly onBytes: (doneBytes: number) => void;
      readonly signal: AbortSignal;
    },
  ): Promise<void> {
    const { mountFrom, signal } = options;
    const scope = push(repository) + (mountFrom === undefined ? "" : ` ${pull(mountFrom)}`);
    const mount = mountFrom === undefined ? "" : `?mount=${source.digest}&from=${encodeURIComponent(mountFrom)}`;
    for (let restart = 0; ; restart++) {
      const opened = await this.#http.ask({
        method: "POST",
        path: `/v2/${repository}/blobs/uploads/${restart === 0 ? mount : ""}`,
        headers: { "content-length": "0" },
        scope,
        maxBytes: maxSmallBytes,
        signal,
      });
      if (opened.status === 201) return options.onBytes(source.size);
      this.#expect(opened, [202], `an upload to ${repository}`);
      try {
        await this.#send(placeOf(opened, this.#http.base), { source, scope, ...options });
        return;
      } catch (error) {
        // The registry has forgotten the upload, or lost a part of it.
        if (!(error instanceof LostUpload) || restart >= 2) throw error;
      }
    }
  }

  async tags(repository: string, signal: AbortSignal): Promise<readonly string[]> {
    const tags: string[] = [];
    let path = `/v2/${repository}/tags/list?n=${tagsPerPage}`;
    for (let page = 0; page < maxTagPages; page++) {
      const answer = await this.#http.ask({
        method: "GET",
        path,
        scope: pull(repository),
        maxBytes: maxManifestBytes,
        signal,
      });
      if (answer.status === 404) return tags;
      this.#expect(answer, [200], `the tags of ${repository}`);
      tags.push(...(parse(answer.body, tagList, "list of tags").tags ?? []));
      const next = /<([^>]+)>\s*;\s*rel="?next"?/.exec(answer.headers.get("link") ?? "")?.[1];
      if (next === undefined) return tags;
      const url = new URL(next, new URL(path, this.#http.base));
      if (url.origin !== this.#http.base.origin)
        throw new OciError("PROTOCOL", `the list of tags goes on at ${url.host}`);
      path = `${url.pathname}${url.search}`;
    }
    throw new OciError("TOO_LARGE", `${repository} has more than ${maxTagPages * tagsPerPage} tags`);
  }

  /** What refers to an image, by the API of 1.1, else by the tag that stands for it. */
  async referrers(repository: string, subject: Digest, signal: AbortSignal): Promise<readonly Descriptor[]> {
    const answer = await this.#http.ask({
      method: "GET",
      path: `/v2/${repository}/referrers/${subject}`,
      scope: pull(repository),
      maxBytes: maxManifestBytes,
      signal,
    });
    if (answer.status === 200) return parseIndex(answer.body).manifests;
    const fallback = await this.manifest(repository, referrersTag(subject), signal);
    return fallback === null ? [] : parseIndex(fallback.content).manifests;
  }

  /** Lists a referring manifest under the tag that stands for the API where a registry lacks it. */
  async addToReferrersTag(
    repository: string,
    subject: Digest,
    referrer: Descriptor,
    signal: AbortSignal,
  ): Promise<void> {
    const manifests = await this.referrers(repository, subject, signal);
    if (manifests.some((each) => each.digest === referrer.digest)) return;
    const index: Index = { schemaVersion: 2, mediaType: mediaTypes.index, manifests: [...manifests, referrer] };
    const content = Buffer.from(JSON.stringify(index));
    await this.putManifest(repository, referrersTag(subject), { mediaType: mediaTypes.index, content }, signal);
  }

  async close(): Promise<void> {
    await this.#http.close();
  }

  /** The body in one piece, as Docker does it, so that every registry takes it; in further pieces only after a drop. */
  async #send(
    place: URL,
    {
      source,
      scope,
      onBytes,
      signal,
    }: {
      readonly source: BlobSource;
      readonly scope: string;
      readonly onBytes: (doneBytes: number) => void;
      readonly signal: AbortSignal;
    },
  ): Promise<void> {
    let at = place;
    let from = 0;
    for (let resumes = 0; from < source.size || source.size === 0; resumes++) {
      const range = from === 0 ? {} : { "content-range": `${from}-${source.size - 1}` };
      try {
        const start = from;
        const sent = await this.#http.ask({
          method: "PATCH",
          path: at.href,
          headers: {
            "content-type": "application/octet-stream",
            "content-length": String(source.size - from),
            ...range,
          },
          body: async () => counted(await source.open(start), (bytes) => onBytes(start + bytes)),
          scope,
          maxBytes: maxSmallBytes,
          signal,
          repeat: false,
        });
        if (sent.status === 404 || sent.status === 416) throw new LostUpload();
        this.#expect(sent, [201, 202, 204], "a blob's upload");
        at = placeOf(sent, at);
        break;
      } catch (error) {
        if (!(error instanceof OciError) || error.code !== "AWAY" || resumes >= maxResumes) throw error;
        ({ at, from } = await this.#standing(at, scope, signal));
        onBytes(from);
      }
    }
    at.searchParams.set("digest", source.digest);
    const closed = await this.#http.ask({
      method: "PUT",
      path: at.href,
      headers: { "content-length": "0" },
      scope,
      maxBytes: maxSmallBytes,
      signal,
    });
    if (closed.status === 404 || closed.status === 416) throw new LostUpload();
    if (closed.status === 400)
      throw new OciError("CORRUPT", `${this.#http.base.host} refused ${source.digest}${wordsOf(closed)}`, {
        status: 400,
      });
    this.#expect(closed, [201, 204], "a blob's upload");
  }

  async #standing(
    place: URL,
    scope: string,
    signal: AbortSignal,
  ): Promise<{ readonly at: URL; readonly from: number }> {
    const answer = await this.#http.ask({ method: "GET", path: place.href, scope, maxBytes: maxSmallBytes, signal });
    if (answer.status !== 204) throw new LostUpload();
    const last = /^(?:bytes=)?0-(\d+)$/.exec(answer.headers.get("range") ?? "")?.[1];
    // `0-0` is what registries say of nothing as well as of one byte; nobody drops after one.
    const from = last === undefined || last === "0" ? 0 : Number(last) + 1;
    return { at: placeOf(answer, place), from };
  }

  #expect(answer: Answer, statuses: readonly number[], what: string): void {
    if (statuses.includes(answer.status)) return;
    const { host } = this.#http.base;
    if (answer.status === 404)
      throw new OciError("MISSING", `${host} has no ${what}${wordsOf(answer)}`, { status: 404 });
    throw new OciError("PROTOCOL", `${host} answered ${answer.status} for ${what}${wordsOf(answer)}`, {
      status: answer.status,
    });
  }
}

/** A 404 of the API is JSON; words of a router are what ECR said as long as it had no such call. */
function isNoRoute({ status, body, headers }: Answer): boolean {
  return status === 404 && body.length > 0 && !/json/.test(headers.get("content-type") ?? "");
}

const tagList = z.object({ tags: z.array(z.string().max(128)).nullish() });

class LostUpload extends OciError {
  constructor() {
    super("AWAY", "the registry has lost the upload");
  }
}

const pull = (repository: string): string => `repository:${repository}:pull`;
const push = (repository: string): string => `repository:${repository}:pull,push`;
const referrersTag = (subject: Digest): string => subject.replace(":", "-");

/** Where the upload goes on, as the registry says; also when it leaves that out, then as before. */
function placeOf(answer: Answer, before: URL): URL {
  const location = answer.headers.get("location");
  if (location === null && answer.status === 202)
    throw new OciError("PROTOCOL", `${before.host} began an upload without a place for it`);
  return location === null ? before : new URL(location, before);
}

function counted(stream: Readable, onBytes: (bytes: number) => void): Readable {
  let bytes = 0;
  stream.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    onBytes(bytes);
  });
  return stream.pause();
}
