import { type Descriptor, type Digest, mediaTypes } from "./documents.ts";
import type { Layout } from "./layout.ts";
import type { RegistryClient } from "./registry-client.ts";

export type PushProgress = { readonly doneBytes: number; readonly totalBytes: number };

const blobsAtOnce = 3;

/**
 * Brings an image and what refers to it to a registry: the blobs that are missing there, then the manifest under its digest and
 * all tags. The total counts what must go over, so pushing again is 0 of 0. Errors: those of RegistryClient and Layout.
 */
export async function pushImage(
  client: RegistryClient,
  layout: Layout,
  image: { readonly digest: Digest; readonly repository: string; readonly tags: readonly string[] },
  options: {
    readonly mountFrom?: string;
    readonly onProgress: (progress: PushProgress) => void;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  const { digest, repository, tags } = image;
  const { signal } = options;
  const documents = await layout.referrers(digest);
  const wanted = new Map<Digest, Descriptor>();
  for (const each of [digest, ...documents.map((document) => document.digest)]) {
    const manifest = await layout.manifest(each);
    for (const part of [manifest.config, ...manifest.layers]) wanted.set(part.digest, part);
  }
  const missing: Descriptor[] = [];
  await inParallel([...wanted.values()], async (part) => {
    if (!(await client.hasBlob(repository, part.digest, signal))) missing.push(part);
  });
  const done = new Map<Digest, number>();
  const totalBytes = missing.reduce((sum, part) => sum + part.size, 0);
  const report = (): void =>
    options.onProgress({ doneBytes: [...done.values()].reduce((sum, bytes) => sum + bytes, 0), totalBytes });
  report();
  await inParallel(missing, async ({ digest: part, size }) => {
    await client.pushBlob(
      repository,
      { digest: part, size, open: (from) => layout.read(part, from) },
      {
        ...(options.mountFrom === undefined ? {} : { mountFrom: options.mountFrom }),
        signal,
        onBytes: (bytes) => {
          done.set(part, bytes);
          report();
        },
      },
    );
  });
  const content = await layout.readWhole(digest);
  const manifest = { mediaType: (await layout.manifest(digest)).mediaType ?? mediaTypes.manifest, content };
  for (const reference of [digest, ...tags]) await client.putManifest(repository, reference, manifest, signal);
  for (const document of documents)
    await pushDocument(client, layout, { document, subject: digest, repository }, signal);
}

async function pushDocument(
  client: RegistryClient,
  layout: Layout,
  {
    document,
    subject,
    repository,
  }: { readonly document: Descriptor; readonly subject: Digest; readonly repository: string },
  signal: AbortSignal,
): Promise<void> {
  const content = await layout.readWhole(document.digest);
  const manifest = { mediaType: document.mediaType, content };
  const { knowsSubjects } = await client.putManifest(repository, document.digest, manifest, signal);
  if (!knowsSubjects) await client.addToReferrersTag(repository, subject, document, signal);
}

/** All of it, a few at a time; the first failure ends it. */
async function inParallel<T>(items: readonly T[], act: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items];
  const work = async (): Promise<void> => {
    try {
      for (let item = queue.shift(); item !== undefined; item = queue.shift()) await act(item);
    } catch (error) {
      queue.splice(0);
      throw error;
    }
  };
  await Promise.all(Array.from({ length: Math.min(blobsAtOnce, items.length) }, work));
}
