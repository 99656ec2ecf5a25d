import { createHmac, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

type Parts = { readonly header?: object; readonly claims?: object };

/** An issuer of ID tokens, with keys of its own that it publishes, and everything that it may do wrong. */
export class Issuer {
  readonly url: string;
  readonly asked: string[] = [];
  /** What it publishes beside its own key. */
  readonly more: object[] = [];
  /** As which it introduces itself. */
  named: string;
  readonly #server: Server;
  readonly #keys = generateKeyPairSync("rsa", { modulusLength: 2048 });

  private constructor(server: Server) {
    this.#server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    this.named = this.url;
    server.on("request", (request, response) => {
      const { url = "" } = request;
      this.asked.push(url);
      response.setHeader("content-type", "application/json");
      // What GitHub's runner asks for its job's token.
      if (url.startsWith("/token")) {
        const audience = new URL(url, this.url).searchParams.get("audience");
        return void response.end(JSON.stringify({ value: this.token({ claims: { ...this.job, aud: audience } }) }));
      }
      const known =
        url === "/jwks"
          ? { keys: [this.#published(), ...this.more] }
          : { issuer: this.named, jwks_uri: `${this.url}/jwks` };
      response.end(JSON.stringify(known));
    });
  }

  /** What the tokens of `/token` say. */
  job: object = {};

  static async start(): Promise<Issuer> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return new Issuer(server);
  }

  get publicKey(): KeyObject {
    return this.#keys.publicKey;
  }

  /** A token that is right, but for what is given. */
  token({ header = {}, claims = {} }: Parts = {}, by: KeyObject = this.#keys.privateKey): string {
    const text = this.#text({ header, claims });
    return `${text}.${sign("RSA-SHA256", Buffer.from(text), by).toString("base64url")}`;
  }

  /** The attack on verifiers that take the public key for the secret of an HMAC. */
  confused(claims: object = {}): string {
    const text = this.#text({ header: { alg: "HS256" }, claims });
    const key = this.#keys.publicKey.export({ type: "spki", format: "pem" });
    return `${text}.${createHmac("sha256", key).update(text).digest("base64url")}`;
  }

  unsigned(claims: object = {}): string {
    return `${this.#text({ header: { alg: "none" }, claims })}.`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #text({ header = {}, claims = {} }: Parts): string {
    const now = Math.floor(Date.now() / 1_000);
    const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
    const whole = {
      iss: this.url,
      aud: "slipway",
      sub: "repo:acme/shop:ref:refs/heads/main",
      iat: now,
      exp: now + 300,
      ...claims,
    };
    return `${part({ alg: "RS256", typ: "JWT", kid: "first", ...header })}.${part(whole)}`;
  }

  #published(): object {
    return { ...this.#keys.publicKey.export({ format: "jwk" }), kid: "first", use: "sig", alg: "RS256" };
  }
}
