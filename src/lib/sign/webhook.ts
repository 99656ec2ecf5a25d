import { createHash, createHmac, timingSafeEqual } from "node:crypto";

/** Whether the header is the HMAC-SHA256 of exactly these bytes, in hex, perhaps after `sha256=`. In constant time. */
export function isSignatureOf(body: Uint8Array, secret: string, header: string): boolean {
  const said = /^(?:sha256=)?([0-9a-f]{64})$/i.exec(header)?.[1];
  if (said === undefined) return false;
  return timingSafeEqual(Buffer.from(said, "hex"), createHmac("sha256", secret).update(body).digest());
}

/** Whether the header is the secret. In constant time, whatever their lengths. */
export function isToken(secret: string, header: string): boolean {
  return timingSafeEqual(sha256(secret), sha256(header));
}

function sha256(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
