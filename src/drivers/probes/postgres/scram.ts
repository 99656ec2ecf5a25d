import { createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";

const maxIterations = 200_000;

/** What a password becomes with a server's salt: costs milliseconds, so it is kept from one ping to the next. */
export type SaltedKeys = Map<string, Promise<Buffer>>;

/** SCRAM-SHA-256 (RFC 5802, RFC 7677) without channel binding, as a client. */
export class Scram {
  readonly first: string;
  readonly #nonce = randomBytes(18).toString("base64");
  readonly #password: string;
  readonly #kept: SaltedKeys;
  #serverSignature: Buffer | null = null;

  constructor(password: string, kept: SaltedKeys) {
    this.#password = password;
    this.#kept = kept;
    this.first = `n,,n=,r=${this.#nonce}`;
  }

  /** The answer to the server's first message. */
  async final(serverFirst: string): Promise<string> {
    const { r: nonce = "", s: salt = "", i: iterations = "" } = attributes(serverFirst);
    if (!nonce.startsWith(this.#nonce) || salt === "") throw new Error("its SCRAM challenge is not for us");
    const count = Number(iterations);
    if (!Number.isInteger(count) || count < 1 || count > maxIterations)
      throw new Error(`its SCRAM challenge wants ${iterations} iterations`);
    const salted = await this.#salted(salt, count);
    const clientKey = hmac(salted, "Client Key");
    const withoutProof = `c=biws,r=${nonce}`;
    const signed = `n=,r=${this.#nonce},${serverFirst},${withoutProof}`;
    const clientSignature = hmac(createHash("sha256").update(clientKey).digest(), signed);
    this.#serverSignature = hmac(hmac(salted, "Server Key"), signed);
    const proof = clientKey.map((byte, index) => byte ^ (clientSignature[index] ?? 0));
    return `${withoutProof},p=${Buffer.from(proof).toString("base64")}`;
  }

  /** The server knows the password too. */
  check(serverFinal: string): void {
    const shown = Buffer.from(attributes(serverFinal).v ?? "", "base64");
    const wanted = this.#serverSignature;
    if (wanted === null || shown.length !== wanted.length || !timingSafeEqual(shown, wanted))
      throw new Error("it does not know the password itself: it is not the server it says it is");
  }

  #salted(salt: string, iterations: number): Promise<Buffer> {
    const key = `${salt} ${iterations}`;
    const known = this.#kept.get(key);
    if (known !== undefined) return known;
    const made = promisify(pbkdf2)(
      this.#password.normalize("NFKC"),
      Buffer.from(salt, "base64"),
      iterations,
      32,
      "sha256",
    );
    if (this.#kept.size >= 4) this.#kept.clear();
    this.#kept.set(key, made);
    return made;
  }
}

function attributes(text: string): Readonly<Record<string, string>> {
  return Object.fromEntries(text.split(",").map((part) => [part[0] ?? "", part.slice(2)]));
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}
