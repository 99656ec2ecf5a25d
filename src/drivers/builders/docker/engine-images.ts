import { z } from "zod";
import { readDockerfile } from "../../../core/build/dockerfile/read.ts";
import type { Digest } from "../../../core/ids.ts";
import { type Docker, pathOf } from "../../../lib/docker/docker.ts";
import { DockerError, isAbsent } from "../../../lib/docker/errors.ts";
import { parseConfig } from "../../../lib/oci/documents.ts";
import { type ImportedImage, importArchive } from "../../../lib/oci/import-archive.ts";
import type { Layout } from "../../../lib/oci/layout.ts";

/** How long the engine is given to forget a name, whatever happened to the build. */
const untagTimeoutMs = 10_000;

const digest = z.templateLiteral(["sha256:", z.string().regex(/^[0-9a-f]{64}$/)]);
const inspected = z.object({
  Id: z.string(),
  RepoTags: z.array(z.string()).nullish(),
  RepoDigests: z.array(z.string()).nullish(),
});

/**
 * The image as an earlier build has kept it: when everything came from the cache, nothing has to be copied again. Null when it is not there whole.
 * (An engine that names images by their manifest gives an id that is found nowhere, and the image is copied.)
 */
export async function alreadyKept(layout: Layout, id: string): Promise<ImportedImage | null> {
  for (const { digest: kept } of (await layout.index()).manifests) {
    const { config, layers } = await layout.manifest(kept);
    if (config.digest !== id) continue;
    const there = await Promise.all([config, ...layers].map((part) => layout.has(part.digest)));
    if (!there.every(Boolean)) return null;
    const { os, architecture, variant } = parseConfig(await layout.readWhole(config.digest));
    const platform = [os, architecture, variant ?? ""].filter((part) => part !== "").join("/");
    return { digest: kept, id: config.digest, platform, bytes: layers.reduce((sum, layer) => sum + layer.size, 0) };
  }
  return null;
}

/** Copies an image from the engine into the layout. */
export async function exportImage(
  docker: Docker,
  image: string,
  layout: Layout,
  signal: AbortSignal,
): Promise<ImportedImage> {
  const archive = await docker.stream({ method: "GET", path: pathOf`/images/${image}/get`, timeoutMs: null, signal });
  const stop = (): void => void archive.destroy();
  signal.addEventListener("abort", stop, { once: true });
  try {
    return await importArchive(layout, archive, { signal });
  } finally {
    signal.removeEventListener("abort", stop);
    archive.destroy();
  }
}

/**
 * The images that the Dockerfile begins from, with the digest each has on the engine: of its manifest where it was pulled, else
 * its id. BuildKit may have pulled one without keeping it as an image; then it is not told.
 */
export async function baseDigests(
  docker: Docker,
  dockerfile: string,
  args: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<readonly { readonly name: string; readonly digest: Digest }[]> {
  const found: { name: string; digest: Digest }[] = [];
  for (const name of readDockerfile(dockerfile, args).bases) {
    const pinned = digest.safeParse(/@(sha256:[0-9a-f]{64})$/.exec(name)?.[1]);
    if (pinned.success) found.push({ name, digest: pinned.data });
    else {
      const image = await inspect(docker, name, signal).catch((error: unknown) => {
        if (isAbsent(error)) return null;
        throw error;
      });
      const known = digest.safeParse(image?.RepoDigests?.[0]?.split("@")[1] ?? image?.Id);
      if (known.success) found.push({ name, digest: known.data });
    }
  }
  return found;
}

/**
 * Gives the image the name under which the service's newest is kept on the engine, and removes the one before, unless a
 * container or another name still needs it.
 */
export async function keepNewest(
  docker: Docker,
  { repository, image, as: tag }: { readonly repository: string; readonly image: string; readonly as: string },
  signal: AbortSignal,
): Promise<void> {
  const before = await inspect(docker, `${repository}:${tag}`, signal).catch((error: unknown) => {
    if (isAbsent(error)) return null;
    throw error;
  });
  await docker.send({ method: "POST", path: pathOf`/images/${image}/tag`, query: { repo: repository, tag }, signal });
  if (before === null) return;
  const left = await inspect(docker, before.Id, signal).catch(() => null);
  if (left !== null && (left.RepoTags ?? []).length === 0) {
    await docker.send({ method: "DELETE", path: pathOf`/images/${left.Id}`, signal }).catch(ignoreRefusal);
  }
}

/** Takes the build's own name off the image. Never fails: what is left is only a name. */
export async function removeTag(docker: Docker, tag: string): Promise<void> {
  const signal = AbortSignal.timeout(untagTimeoutMs);
  await docker.send({ method: "DELETE", path: pathOf`/images/${tag}`, signal }).catch(() => undefined);
}

function inspect(docker: Docker, image: string, signal: AbortSignal): Promise<z.infer<typeof inspected>> {
  return docker.json({ method: "GET", path: pathOf`/images/${image}/json`, signal }, inspected);
}

/** It is used by a container, or somebody else removed it first. */
function ignoreRefusal(error: unknown): void {
  if (!(error instanceof DockerError) || error.code !== "REFUSED") throw error;
}
