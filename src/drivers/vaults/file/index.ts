import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from "node:crypto";
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, statSync, writeSync } from "node:fs";
import { SlipwayError } from "../../../core/errors/error.ts";
import { Secret } from "../../../core/secret.ts";
import type { SealedFor, Vault } from "../../../ports/secrets.ts";

const keyBytes = 32;
/** What NIST SP 800-38D recommends for GCM; random ones are safe for four thousand million values. */
const nonceBytes = 12;
const tagBytes = 16;
const fingerprintChars = 16;

/**
 * AES-256-GCM with a key in a file of its own (0600), which is made when it is first needed. A copy of the store without the file
 * opens nothing. Errors: SECRET_UNREADABLE.
 */
export function fileVault(file: string): Vault {
  const keys = (): Keys => derived(readKey(file) ?? madeKey(file));
  return {
    seal: (value, owner) => {
      const nonce = randomBytes(nonceBytes);
      const cipher = createCipheriv("aes-256-gcm", keys().sealing, nonce);
      cipher.setAAD(wordsOf(owner));
      const content = Buffer.concat([cipher.update(value.reveal(), "utf8"), cipher.final()]);
      return `v1.${Buffer.concat([nonce, cipher.getAuthTag(), content]).toString("base64url")}`;
    },
    open: (sealed, owner) => {
      const bytes = Buffer.from(sealed.replace(/^v1\./, ""), "base64url");
      const key = readKey(file);
      if (key === null) throw unreadable(owner, `its key, ${file}, is not there`);
      try {
        const decipher = createDecipheriv("aes-256-gcm", derived(key).sealing, bytes.subarray(0, nonceBytes));
        decipher.setAAD(wordsOf(owner));
        decipher.setAuthTag(bytes.subarray(nonceBytes, nonceBytes + tagBytes));
        const content = Buffer.concat([decipher.update(bytes.subarray(nonceBytes + tagBytes)), decipher.final()]);
        return new Secret(content.toString("utf8"));
      } catch {
        // The cipher's own words say nothing more, and might say too much.
        throw unreadable(owner, `${file} is not the key that it was sealed with`);
      }
    },
    fingerprint: (value) =>
      createHmac("sha256", keys().fingerprints).update(value.reveal()).digest("hex").slice(0, fingerprintChars),
  };
}

type Keys = { readonly sealing: Buffer; readonly fingerprints: Buffer };

/** Two purposes, two keys. */
function derived(key: Buffer): Keys {
  const of = (purpose: string): Buffer => Buffer.from(hkdfSync("sha256", key, "", `slipway ${purpose}`, keyBytes));
  return { sealing: of("sealing"), fingerprints: of("fingerprints") };
}

function wordsOf({ product, environment, name, version }: SealedFor): Buffer {
  return Buffer.from(JSON.stringify([product, environment, name, version]));
}

function readKey(file: string): Buffer | null {
  if (!existsSync(file)) return null;
  const { mode } = statSync(file);
  if ((mode & 0o077) !== 0) {
    throw new SlipwayError("SECRET_UNREADABLE", {
      message: `others than its owner may read the key ${file}`,
      hint: `run: chmod 600 ${file}; and set the secrets anew if somebody has read it`,
    });
  }
  const key = Buffer.from(readFileSync(file, "utf8").trim(), "base64");
  if (key.length === keyBytes) return key;
  throw new SlipwayError("SECRET_UNREADABLE", { message: `${file} holds no key of ${keyBytes} bytes` });
}

/** On the disk before anything is sealed with it. */
function madeKey(file: string): Buffer {
  const key = randomBytes(keyBytes);
  const at = openSync(file, "wx", 0o600);
  try {
    writeSync(at, `${key.toString("base64")}\n`);
    fsyncSync(at);
  } finally {
    closeSync(at);
  }
  return key;
}

function unreadable({ name, environment }: SealedFor, why: string): SlipwayError {
  return new SlipwayError("SECRET_UNREADABLE", {
    message: `the secret ${name} of ${environment} cannot be read: ${why}`,
  });
}
