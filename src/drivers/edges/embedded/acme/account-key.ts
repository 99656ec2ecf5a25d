import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";

/** A new EC key on P-256 as PEM: for an account, or for a certificate. */
export function newKeyPem(): string {
  return generateKeyPairSync("ec", { namedCurve: "P-256" })
    .privateKey.export({ type: "pkcs8", format: "pem" })
    .toString();
}

/** Who an ACME server knows us by. Signs its requests (RFC 8555 §6.2) and the answers to its challenges (§8.1). */
export class AccountKey {
  readonly #key: KeyObject;
  /** In the order in which RFC 7638 §3.2 hashes them. */
  readonly jwk: { readonly crv: string; readonly kty: string; readonly x: string; readonly y: string };

  constructor(pem: string) {
    this.#key = createPrivateKey(pem);
    const { crv, kty, x, y } = createPublicKey(this.#key).export({ format: "jwk" });
    if (crv !== "P-256" || kty !== "EC" || x === undefined || y === undefined)
      throw new Error("the account's key is no EC key on P-256");
    this.jwk = { crv, kty, x, y };
  }

  /** A JWS in flattened JSON. A null payload is a POST-as-GET. */
  signed(header: Readonly<Record<string, unknown>>, payload: unknown): string {
    const head = base64url(JSON.stringify({ alg: "ES256", ...header }));
    const body = payload === null ? "" : base64url(JSON.stringify(payload));
    const signature = sign("sha256", Buffer.from(`${head}.${body}`), { key: this.#key, dsaEncoding: "ieee-p1363" });
    return JSON.stringify({ protected: head, payload: body, signature: signature.toString("base64url") });
  }

  answerTo(token: string): string {
    return `${token}.${createHash("sha256").update(JSON.stringify(this.jwk)).digest("base64url")}`;
  }
}

function base64url(text: string): string {
  return Buffer.from(text).toString("base64url");
}
