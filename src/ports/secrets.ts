import type { Secret } from "../core/secret.ts";

/** What one sealed value belongs to: sealed for one, it opens for no other. */
export type SealedFor = {
  readonly product: string;
  readonly environment: string;
  readonly name: string;
  readonly version: number;
};

/** Enciphers values with a key that is not where the sealed ones are. Changes nothing but that it makes its key when there is none. */
export interface Vault {
  /** Another text each time, also for the same value. */
  seal(value: Secret, owner: SealedFor): string;
  /** Errors: SECRET_UNREADABLE, when it was sealed with another key, or for another owner, or was changed. */
  open(sealed: string, owner: SealedFor): Secret;
  /** The same for the same value; tells nothing else to who has not the key. */
  fingerprint(value: Secret): string;
  /** A signature that nobody can make who has not the key; the same for the same text. */
  sign(text: string): string;
}
