import type { Readable } from "node:stream";
import type { Digest } from "../../../core/ids.ts";

/** What a builder asks of the place where images are kept: an OCI image layout. */
export type ImageStore = {
  /** Keeps what an engine's `images/get` gives for one image. May be repeated: what is there already is not written again. */
  keep(archive: Readable, signal: AbortSignal): Promise<KeptImage>;
  /** Keeps a document that refers to an image (its `subject`), and gives the digest of the document itself. */
  attach(subject: Digest, document: Document): Promise<Digest>;
};

export type KeptImage = {
  /** Of the manifest. */
  readonly digest: Digest;
  /** Of the config: the id that engines give the image. */
  readonly id: Digest;
  /** Directory of the layout. */
  readonly layout: string;
  /** Of manifest, config and all layers, as they are kept. */
  readonly bytes: number;
  /** Lowest first; each a tar file, perhaps compressed by gzip. */
  readonly layers: readonly { readonly digest: Digest; readonly file: string }[];
};

export type Document = { readonly artifactType: string; readonly content: Buffer };
