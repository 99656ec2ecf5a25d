import { createCipheriv, createDecipheriv } from "node:crypto";

const cipherName = "aes-256-gcm";
/** What NIST SP 800-38D recommends for GCM; random ones are safe for four thousand million texts. */
export const nonceBytes = 12;
const tagBytes = 16;

/** Nonce, tag, and what the text became. `owner` is not in it, and without the same it does not open. */
export function encipher(
  text: string,
  { key, nonce, owner = "" }: { readonly key: Buffer; readonly nonce: Buffer; readonly owner?: string },
): Buffer {
  const cipher = createCipheriv(cipherName, key, nonce, { authTagLength: tagBytes });
  cipher.setAAD(Buffer.from(owner));
  const body = Buffer.concat([cipher.update(text, "utf8"), cipher.final()]);
  return Buffer.concat([nonce, cipher.getAuthTag(), body]);
}

/** Null when it was enciphered with another key, for another owner, or changed. */
export function decipher(
  bytes: Buffer,
  { key, owner = "" }: { readonly key: Buffer; readonly owner?: string },
): { readonly text: string; readonly nonce: Buffer } | null {
  if (bytes.length < nonceBytes + tagBytes) return null;
  const nonce = bytes.subarray(0, nonceBytes);
  const opener = createDecipheriv(cipherName, key, nonce, { authTagLength: tagBytes });
  opener.setAAD(Buffer.from(owner));
  opener.setAuthTag(bytes.subarray(nonceBytes, nonceBytes + tagBytes));
  try {
    return {
      text: opener.update(bytes.subarray(nonceBytes + tagBytes), undefined, "utf8") + opener.final("utf8"),
      nonce,
    };
  } catch {
    // The cipher's own words say nothing more, and might say too much.
    return null;
  }
}
