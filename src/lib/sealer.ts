import { createHmac, timingSafeEqual } from "node:crypto";
import { decipher, encipher, nonceBytes } from "./aes-gcm.ts";
import { derivedKey } from "./key-file.ts";

const prefix = "sealed:v1:";

/** Whether a text is one that a sealer has sealed. */
export function isSealed(text: string): boolean {
  return text.startsWith(prefix);
}

type Keys = { readonly cipher: Buffer; readonly nonce: Buffer; readonly mark: Buffer };

/**
 * Seals texts of a release. The same text is sealed the same way, so that what did not change looks unchanged: the nonce is made of the
 * text (as SIV does, RFC 5297), and shows only that two texts are equal.
 */
export class Sealer {
  readonly #key: () => Buffer;
  #derived: Keys | null = null;

  /** Asked for the key when it is first needed. */
  constructor(key: () => Buffer) {
    this.#key = key;
  }

  seal(text: string): string {
    return prefix + encipher(text, { key: this.#keys().cipher, nonce: this.#nonceOf(text) }).toString("base64url");
  }

  /** Null when it was sealed with another key, or changed. */
  open(sealed: string): string | null {
    if (!isSealed(sealed)) return null;
    const opened = decipher(Buffer.from(sealed.slice(prefix.length), "base64url"), { key: this.#keys().cipher });
    return opened !== null && timingSafeEqual(this.#nonceOf(opened.text), opened.nonce) ? opened.text : null;
  }

  /** The same for the same text; says nothing of it to who has not the key. */
  mark(text: string): string {
    return createHmac("sha256", this.#keys().mark).update(text).digest("base64url").slice(0, 22);
  }

  #keys(): Keys {
    if (this.#derived !== null) return this.#derived;
    const key = this.#key();
    const derived = (purpose: keyof Keys): Buffer => derivedKey(key, purpose);
    this.#derived = { cipher: derived("cipher"), nonce: derived("nonce"), mark: derived("mark") };
    return this.#derived;
  }

  #nonceOf(text: string): Buffer {
    return createHmac("sha256", this.#keys().nonce).update(text).digest().subarray(0, nonceBytes);
  }
}
