import { createHmac, randomBytes } from "node:crypto";
import { SlipwayError } from "../../../core/errors/error.ts";
import { Secret } from "../../../core/secret.ts";
import { decipher, encipher, nonceBytes } from "../../../lib/aes-gcm.ts";
import { derivedKey, KeyFileError, readKey, readOrMakeKey } from "../../../lib/key-file.ts";
import type { SealedFor, Vault } from "../../../ports/secrets.ts";

const fingerprintChars = 16;
const prefix = "v1.";

/**
 * AES-256-GCM with a key in a file of its own (0600), which is made when it is first needed. A copy of the store without the file
 * opens nothing. Errors: SECRET_UNREADABLE.
 */
export function fileVault(file: string): Vault {
  // Each purpose has its key.
  const key = (purpose: "sealing" | "fingerprints" | "signatures"): Buffer => derivedKey(vaultKey(file), purpose);
  return {
    seal: (value, owner) => {
      const parts = { key: key("sealing"), nonce: randomBytes(nonceBytes), owner: wordsOf(owner) };
      return prefix + encipher(value.reveal(), parts).toString("base64url");
    },
    open: (sealed, owner) => {
      const known = told(() => readKey(file));
      if (known === null) throw unreadable(owner, `its key, ${file}, is not there`);
      const bytes = Buffer.from(sealed.replace(/^v1\./, ""), "base64url");
      const opened = decipher(bytes, { key: derivedKey(known, "sealing"), owner: wordsOf(owner) });
      if (opened === null) throw unreadable(owner, `${file} is not the key that it was sealed with`);
      return new Secret(opened.text);
    },
    fingerprint: (value) =>
      createHmac("sha256", key("fingerprints")).update(value.reveal()).digest("hex").slice(0, fingerprintChars),
    sign: (text) => createHmac("sha256", key("signatures")).update(text).digest("base64url"),
  };
}

/** The key itself, made where there is none. Errors: SECRET_UNREADABLE. */
export function vaultKey(file: string): Buffer {
  return told(() => readOrMakeKey(file));
}

function told<Key>(read: () => Key): Key {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof KeyFileError)) throw error;
    const { message, hint } = error;
    throw new SlipwayError("SECRET_UNREADABLE", { message, ...(hint !== null && { hint }) });
  }
}

function wordsOf({ product, environment, name, version }: SealedFor): string {
  return JSON.stringify([product, environment, name, version]);
}

function unreadable({ name, environment }: SealedFor, why: string): SlipwayError {
  return new SlipwayError("SECRET_UNREADABLE", {
    message: `the secret ${name} of ${environment} cannot be read: ${why}`,
  });
}
