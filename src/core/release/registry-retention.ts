import type { Digest, EpochMs } from "../ids.ts";

export type RegistryRetentionView = {
  /** What the registry lists, in any order; several tags may name one image. */
  readonly tags: readonly { readonly tag: string; readonly digest: Digest; readonly createdAt: EpochMs | null }[];
  /** What the store says that a rollback, a live release or a kept one is made of. */
  readonly needed: ReadonlySet<Digest>;
  /** So many of the newest images stay. */
  readonly keepNewest: number;
  /** Younger ones stay too; null: the age does not matter. */
  readonly keepMs: number | null;
  /** Images with such a tag stay: `latest`, `production-1.4.0`. */
  readonly isProtected: (tag: string) => boolean;
  readonly now: EpochMs;
};

export type RegistryRetentionPlan = {
  readonly remove: readonly Digest[];
  /** Why each of the others stays. */
  readonly why: ReadonlyMap<Digest, string>;
};

/** A tag that stands for the documents of an image where a registry has no API for them (distribution-spec 1.1). */
const documentsTag = /^sha256-([0-9a-f]{64})$/;

/**
 * Which images of a repository may go: never what the store needs, nor what has a protected tag, nor what does not say how old it
 * is; of the others those beyond the newest `keepNewest` that are also older than `keepMs`. Documents go with their image, never
 * before.
 */
export function planRegistryRetention(view: RegistryRetentionView): RegistryRetentionPlan {
  const images = new Map<Digest, { tags: string[]; createdAt: EpochMs | null }>();
  const documents = new Map<Digest, Digest>();
  for (const { tag, digest, createdAt } of view.tags) {
    const subject = documentsTag.exec(tag)?.[1];
    if (subject !== undefined) documents.set(digest, `sha256:${subject}`);
    else images.set(digest, { tags: [...(images.get(digest)?.tags ?? []), tag], createdAt });
  }
  const newest = [...images].sort(([, a], [, b]) => (b.createdAt ?? Infinity) - (a.createdAt ?? Infinity));
  const why = new Map<Digest, string>();
  const remove: Digest[] = [];
  for (const [place, [digest, { tags, createdAt }]] of newest.entries()) {
    const reason = reasonToStay(view, { digest, tags, createdAt, place });
    if (reason === null) remove.push(digest);
    else why.set(digest, reason);
  }
  const going = new Set(remove);
  for (const [digest, subject] of documents) {
    if (going.has(subject)) remove.push(digest);
    else why.set(digest, `says something of ${subject}`);
  }
  return { remove, why };
}

function reasonToStay(
  view: RegistryRetentionView,
  image: {
    readonly digest: Digest;
    readonly tags: readonly string[];
    readonly createdAt: EpochMs | null;
    readonly place: number;
  },
): string | null {
  if (view.needed.has(image.digest)) return "the store needs it";
  const tag = image.tags.find(view.isProtected);
  if (tag !== undefined) return `tagged ${tag}`;
  if (image.createdAt === null) return "does not say how old it is";
  if (image.place < view.keepNewest) return `one of the newest ${view.keepNewest}`;
  if (view.keepMs !== null && view.now - image.createdAt < view.keepMs) return "young";
  return null;
}
