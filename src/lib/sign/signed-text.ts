import { timingSafeEqual } from "node:crypto";

/** Makes what nobody can make who has not the key: the same for the same text. */
export type Signer = (text: string) => string;

/**
 * A value that everybody can read and nobody can change: JSON and its signature, as text that fits in an address. `purpose` is part of
 * what is signed, so that what was signed for one is nothing for another.
 */
export function signText(value: object, purpose: string, sign: Signer): string {
  const text = Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${text}.${sign(`${purpose}\n${text}`)}`;
}

/** Null: it was not signed for this purpose by this signer, or was changed. In constant time. */
export function readSigned(signed: string, purpose: string, sign: Signer): unknown {
  const [text = "", proof = "", ...more] = signed.split(".");
  const seen = Buffer.from(proof);
  const wanted = Buffer.from(sign(`${purpose}\n${text}`));
  if (more.length > 0 || seen.length !== wanted.length || !timingSafeEqual(seen, wanted)) return null;
  return JSON.parse(Buffer.from(text, "base64url").toString("utf8"));
}
