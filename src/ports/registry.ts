import type { Digest, EpochMs } from "../core/ids.ts";

export type RegistryProgress = { readonly doneBytes: number; readonly totalBytes: number };

export type TaggedImage = {
  readonly tag: string;
  readonly digest: Digest;
  /** When its config says it was created; null when it does not say. */
  readonly createdAt: EpochMs | null;
};

/** Where images are kept and pulled from. Every call may be repeated. Errors of all: REGISTRY_DENIED, REGISTRY_AWAY. */
export interface Registry {
  readonly name: string;
  /**
   * Uploads an image of a layout, with the documents that refer to it, under all the tags: only the blobs that are missing there.
   * `repository` is without tag. Errors: ARTIFACT_MISSING.
   */
  push(
    image: { readonly layout: string; readonly digest: Digest },
    repository: string,
    tags: readonly string[],
    onProgress: (progress: RegistryProgress) => void,
    signal: AbortSignal,
  ): Promise<void>;
  has(repository: string, digest: Digest, signal: AbortSignal): Promise<boolean>;
  /** Names an image that is there already by another tag: nothing is built or uploaded again. Errors: ARTIFACT_MISSING. */
  tag(repository: string, digest: Digest, tag: string, signal: AbortSignal): Promise<void>;
  /** What a tag names now; null when there is none. */
  resolve(repository: string, tag: string, signal: AbortSignal): Promise<Digest | null>;
  /** Of an image, its own user, `""` where it names none: of the first for Linux where it is for several platforms; null when it is none. */
  user(repository: string, digest: Digest, signal: AbortSignal): Promise<string | null>;
  list(repository: string, signal: AbortSignal): Promise<readonly TaggedImage[]>;
  /** Does nothing when it is absent. What else refers to it, and whether a rollback needs it, the caller has asked the store. */
  remove(repository: string, digest: Digest, signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}
