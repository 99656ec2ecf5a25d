import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes, timingSafeEqual } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

const prefix = "sealed:v1:";
const keyBytes = 32;
const nonceBytes = 12;
const tagBytes = 16;

/** Whether a text is one that a vault has sealed. */
export function isSealed(text: string): boolean {
  return text.startsWith(prefix);
}

/**
 * Seals texts with a key that lies in a file of its own, readable by its owner only. The same text is sealed the same way, so that
 * what did not change looks unchanged: the nonce is made of the text (as SIV does, RFC 5297), and shows only that two texts are equal.
 */
export class Vault {
  readonly #cipherKey: Buffer;
  readonly #nonceKey: Buffer;
  readonly #markKey: Buffer;

  /** Makes the key when there is none. */
  constructor(file: string) {
    const key = keyIn(file);
    const derived = (purpose: string) => Buffer.from(hkdfSync("sha256", key, "", `slipway ${purpose}`, keyBytes));
    this.#cipherKey = derived("cipher");
    this.#nonceKey = derived("nonce");
    this.#markKey = derived("mark");
  }

  seal(text: string): string {
    const nonce = this.#nonceOf(text);
    const cipher = createCipheriv("aes-256-gcm", this.#cipherKey, nonce);
    const body = Buffer.concat([cipher.update(text, "utf8"), cipher.final()]);
    return prefix + Buffer.concat([nonce, cipher.getAuthTag(), body]).toString("base64url");
  }

  /** Null when it was sealed with another key, or changed. */
  open(sealed: string): string | null {
    const bytes = Buffer.from(sealed.slice(prefix.length), "base64url");
    if (!isSealed(sealed) || bytes.length < nonceBytes + tagBytes) return null;
    const nonce = bytes.subarray(0, nonceBytes);
    const decipher = createDecipheriv("aes-256-gcm", this.#cipherKey, nonce, { authTagLength: tagBytes });
    decipher.setAuthTag(bytes.subarray(nonceBytes, nonceBytes + tagBytes));
    try {
      const text = decipher.update(bytes.subarray(nonceBytes + tagBytes), undefined, "utf8") + decipher.final("utf8");
      return timingSafeEqual(this.#nonceOf(text), nonce) ? text : null;
    } catch {
      return null;
    }
  }

  /** The same for the same text; says nothing of it to who has not the key. */
  mark(text: string): string {
    return createHmac("sha256", this.#markKey).update(text).digest("base64url").slice(0, 22);
  }

  #nonceOf(text: string): Buffer {
    return createHmac("sha256", this.#nonceKey).update(text).digest().subarray(0, nonceBytes);
  }
}

function keyIn(file: string): Buffer {
  if (!existsSync(file)) {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    try {
      writeFileSync(file, `${randomBytes(keyBytes).toString("base64url")}\n`, { mode: 0o600, flag: "wx", flush: true });
    } catch (error) {
      // Another was faster: theirs is the key.
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
  }
  const key = Buffer.from(readFileSync(file, "utf8").trim(), "base64url");
  if (key.length !== keyBytes) throw new Error(`${file} does not hold a key`);
  return key;
}
