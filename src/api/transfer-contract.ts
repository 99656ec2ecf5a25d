import type { Digest } from "../core/ids.ts";

/** An image on its way to a host or a registry, and how far it is. */
export type TransferView = {
  readonly image: Digest;
  readonly to: string;
  readonly doneBytes: number;
  readonly totalBytes: number;
};
