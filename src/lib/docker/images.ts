import type { Readable } from "node:stream";
import { z } from "zod";
import { linkedSignal } from "../linked-signal.ts";
import { nullIfAbsent } from "./containers.ts";
import { type Docker, pathOf } from "./docker.ts";
import { DockerError } from "./errors.ts";
import { jsonLinesOf } from "./lines.ts";
import { count, list, map, text } from "./shapes.ts";

export type RegistryAuth = { readonly username: string; readonly password: string; readonly serveraddress?: string };

/** A pull or a load that says nothing for so long has died. */
const silenceMs = 300_000;

const inspected = z.object({
  Id: z.string(),
  RepoTags: list(z.string()),
  RepoDigests: list(z.string()),
  Os: text,
  Architecture: text,
  Variant: text,
  Size: count,
  Config: z
    .object({
      User: text,
      Labels: map(z.string()),
      Cmd: list(z.string()),
      Entrypoint: list(z.string()),
      ExposedPorts: map(z.unknown()),
      Volumes: map(z.unknown()),
      Healthcheck: z.object({ Test: list(z.string()) }).nullish(),
    })
    .nullish(),
  RootFS: z.object({ Layers: list(z.string()) }).nullish(),
});
export type Image = z.output<typeof inspected>;

/** By id, name or digest; null when the engine does not have it. Changes nothing. */
export function inspectImage(docker: Docker, name: string, signal: AbortSignal): Promise<Image | null> {
  return nullIfAbsent(docker.json({ method: "GET", path: pathOf`/images/${name}/json`, signal }, inspected));
}

const listed = z.object({
  Id: z.string(),
  RepoTags: list(z.string()),
  RepoDigests: list(z.string()),
  Labels: map(z.string()),
});
export type ListedImage = z.output<typeof listed>;

export function listImages(
  docker: Docker,
  filters: {
    readonly reference?: readonly string[];
    readonly label?: readonly string[];
    readonly dangling?: readonly string[];
  },
  signal: AbortSignal,
): Promise<ListedImage[]> {
  return docker.json({ method: "GET", path: "/images/json", query: { filters }, signal }, z.array(listed));
}

export type Progress = {
  readonly status: string;
  readonly id: string;
  readonly current: number | null;
  readonly total: number | null;
};

/** Pulls `repository@digest` (or a tag). What the registry said is the message of the refusal. May be repeated. */
export async function pullImage(
  docker: Docker,
  image: { readonly repository: string; readonly reference: string; readonly auth: RegistryAuth | null },
  options: {
    readonly signal: AbortSignal;
    readonly onProgress?: (progress: Progress) => void;
    /** Without a word of the engine for so long, it is TIMED_OUT. Default 5 minutes. */
    readonly silenceMs?: number;
  },
): Promise<void> {
  const headers = image.auth === null ? {} : { "x-registry-auth": headerOf(image.auth) };
  const query = { fromImage: image.repository, tag: image.reference };
  await streamed(
    docker,
    { path: "/images/create", query, headers, silenceMs: options.silenceMs ?? silenceMs },
    options,
  );
}

/** URL-safe Base64 with its padding: without it an engine takes the pull for one by nobody, and says nothing. */
function headerOf(auth: RegistryAuth): string {
  return Buffer.from(JSON.stringify(auth)).toString("base64").replaceAll("+", "-").replaceAll("/", "_");
}

/** Loads an archive as `docker save` writes it. May be repeated. */
export async function loadImage(
  docker: Docker,
  archive: Readable,
  options: { readonly signal: AbortSignal; readonly onProgress?: (progress: Progress) => void },
): Promise<void> {
  // The engine may answer only when it has read everything.
  const call = { path: "/images/load", query: { quiet: false }, headers: {}, body: archive, silenceMs: null };
  await streamed(docker, call, options);
}

/** An archive of these images, as `docker save` writes it. */
export function getImages(docker: Docker, names: readonly string[], signal: AbortSignal): Promise<Readable> {
  const query = names.map((name) => `names=${encodeURIComponent(name)}`).join("&");
  return docker.stream({ method: "GET", path: `/images/get?${query}`, signal, timeoutMs: silenceMs });
}

export async function tagImage(
  docker: Docker,
  name: string,
  to: { readonly repository: string; readonly tag: string },
  signal: AbortSignal,
): Promise<void> {
  const query = { repo: to.repository, tag: to.tag };
  await docker.send({ method: "POST", path: pathOf`/images/${name}/tag`, query, signal });
}

/** Takes the name away, and the image when that was its last one. Does nothing when it is not there; in use is a refusal (409). */
export async function removeImage(docker: Docker, name: string, signal: AbortSignal): Promise<void> {
  await nullIfAbsent(docker.send({ method: "DELETE", path: pathOf`/images/${name}`, signal, timeoutMs: 60_000 }));
}

const progress = z.object({
  status: text,
  stream: text,
  id: text,
  error: z.string().optional(),
  progressDetail: z.object({ current: z.number().optional(), total: z.number().optional() }).nullish(),
});

/** The answer is 200 before the work is done: a failure comes as a line of it. */
async function streamed(
  docker: Docker,
  call: {
    readonly path: string;
    readonly query: Readonly<Record<string, string | boolean>>;
    readonly headers: Readonly<Record<string, string>>;
    readonly body?: Readable;
    /** Without a word of the engine for so long, it is TIMED_OUT. Null: it may be silent. */
    readonly silenceMs: number | null;
  },
  { signal, onProgress }: { readonly signal: AbortSignal; readonly onProgress?: (progress: Progress) => void },
): Promise<void> {
  const { silenceMs, ...what } = call;
  const silence = new AbortController();
  const { signal: either, release } = linkedSignal([signal, silence.signal], null);
  const name = `POST ${call.path}`;
  const watch = setTimeout(
    () => silence.abort(new DockerError("TIMED_OUT", `${docker.url} tells of no progress of ${name}`, { call: name })),
    silenceMs ?? 2 ** 31 - 1,
  );
  try {
    const body = await docker.stream({ method: "POST", ...what, timeoutMs: null, signal: either });
    for await (const line of jsonLinesOf(body)) {
      watch.refresh();
      const seen = progress.safeParse(line);
      if (!seen.success) continue;
      const { error, status, stream, id, progressDetail } = seen.data;
      if (error !== undefined) throw new DockerError("REFUSED", error, { call: name, status: 500 });
      onProgress?.({
        status: status === "" ? stream.trim() : status,
        id,
        current: progressDetail?.current ?? null,
        total: progressDetail?.total ?? null,
      });
    }
  } finally {
    clearTimeout(watch);
    release();
  }
}
