import { setTimeout as sleep } from "node:timers/promises";
import { Agent, request } from "undici";
import type { AccountKey } from "./account-key.ts";

const maxAnswerBytes = 1_048_576;
const connectTimeoutMs = 10_000;
const answerTimeoutMs = 30_000;
/** A nonce may be refused when the server has forgotten it (RFC 8555 §6.5); a fresh one comes with the refusal. */
const maxNonceTries = 8;
const firstPollMs = 250;
const longestPollMs = 15_000;
const maxTextChars = 300;

/**
 * Why the CA gave no certificate. `away`: it could not be asked, or failed itself; `refused`: it said no, which asking
 * again soon does not change.
 */
export class AcmeProblem extends Error {
  readonly kind: "away" | "refused";
  /** The CA asked not to be asked again sooner; 0 when it did not. */
  readonly retryAfterMs: number;

  constructor(
    kind: "away" | "refused",
    message: string,
    options: { readonly retryAfterMs?: number; readonly cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.kind = kind;
    this.retryAfterMs = options.retryAfterMs ?? 0;
  }
}

export type AcmeServer = {
  readonly directoryUrl: string;
  /** PEM of the CA that signs the server's own certificate; null trusts the CAs that come with Node. */
  readonly ca: string | null;
  readonly email: string | null;
};

/** What the CA answered: a JSON object, or text for a certificate. */
export type AcmeAnswer = {
  readonly location: string | null;
  readonly retryAfterMs: number;
  readonly text: string;
  readonly value: Readonly<Record<string, unknown>>;
};

/** One account at one ACME server (RFC 8555), for the length of one order. `close` it. */
export class AcmeClient {
  readonly #server: AcmeServer;
  readonly #key: AccountKey;
  readonly #signal: AbortSignal;
  readonly #agent: Agent;
  #nonce: string | null = null;
  #newNonceUrl = "";
  #newOrderUrl = "";
  #account: string | null = null;

  constructor(server: AcmeServer, key: AccountKey, signal: AbortSignal) {
    this.#server = server;
    this.#key = key;
    this.#signal = signal;
    const trust = server.ca === null ? {} : { ca: server.ca };
    this.#agent = new Agent({
      connect: { ...trust, timeout: connectTimeoutMs },
      headersTimeout: answerTimeoutMs,
      bodyTimeout: answerTimeoutMs,
      maxResponseSize: maxAnswerBytes,
    });
  }

  /** Makes the account, or finds the one of the key. Using an edge with ACME accepts the CA's terms, as the docs say. */
  async open(): Promise<void> {
    const directory = await this.#send("GET", secureUrl(this.#server.directoryUrl));
    this.#newNonceUrl = urlIn(directory.value, "newNonce");
    this.#newOrderUrl = urlIn(directory.value, "newOrder");
    const { email } = this.#server;
    const contact = email === null ? {} : { contact: [`mailto:${email}`] };
    const account = await this.post(urlIn(directory.value, "newAccount"), { termsOfServiceAgreed: true, ...contact });
    if (account.location === null) throw new AcmeProblem("refused", "the CA made no account");
    this.#account = account.location;
  }

  /** A new order; `location` is where it is found again. */
  order(host: string): Promise<AcmeAnswer> {
    return this.post(this.#newOrderUrl, { identifiers: [{ type: "dns", value: host }] });
  }

  /** A signed request; null asks only. */
  async post(url: string, payload: unknown): Promise<AcmeAnswer> {
    for (let turn = 1; ; turn += 1) {
      const nonce = this.#nonce ?? (await this.#freshNonce());
      this.#nonce = null;
      const who = this.#account === null ? { jwk: this.#key.jwk } : { kid: this.#account };
      const body = this.#key.signed({ nonce, url, ...who }, payload);
      try {
        return await this.#send("POST", url, body);
      } catch (error) {
        if (!(error instanceof BadNonce) || turn === maxNonceTries) throw error;
      }
    }
  }

  /** Asks until `done` has a value, as often as the CA likes; `refused` after `withinMs`. */
  async poll<T>(url: string, withinMs: number, done: (answer: AcmeAnswer) => T | null): Promise<T> {
    const until = performance.now() + withinMs;
    for (let pauseMs = firstPollMs; ; pauseMs = Math.min(longestPollMs, pauseMs * 1.5)) {
      const answer = await this.post(url, null);
      const seen = done(answer);
      if (seen !== null) return seen;
      if (performance.now() > until)
        throw new AcmeProblem("refused", `the CA was not done within ${withinMs / 1000} s`);
      await sleep(Math.min(longestPollMs, Math.max(pauseMs, answer.retryAfterMs)), undefined, { signal: this.#signal });
    }
  }

  /** The account's answer to a challenge, as it is served (RFC 8555 §8.3). */
  answerTo(token: string): string {
    return this.#key.answerTo(token);
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  async #freshNonce(): Promise<string> {
    await this.#send("HEAD", this.#newNonceUrl);
    if (this.#nonce === null) throw new AcmeProblem("away", "the CA gave no nonce");
    return this.#nonce;
  }

  async #send(method: "GET" | "HEAD" | "POST", url: string, body?: string): Promise<AcmeAnswer> {
    let answer: Awaited<ReturnType<typeof request>>;
    let text: string;
    try {
      answer = await request(url, {
        method,
        dispatcher: this.#agent,
        signal: this.#signal,
        headers: {
          "user-agent": "slipway-edge",
          ...(body === undefined ? {} : { "content-type": "application/jose+json" }),
        },
        ...(body === undefined ? {} : { body }),
      });
      text = await answer.body.text();
    } catch (error) {
      if (this.#signal.aborted) throw error;
      throw new AcmeProblem("away", `${new URL(url).host} cannot be asked: ${reasonOf(error)}`, { cause: error });
    }
    const header = (name: string): string | null => {
      const value = answer.headers[name];
      return typeof value === "string" ? value : null;
    };
    const nonce = header("replay-nonce");
    if (nonce !== null && /^[A-Za-z0-9_-]{1,500}$/.test(nonce)) this.#nonce = nonce;
    const isJson = /json/.test(header("content-type") ?? "");
    const value = isJson ? objectIn(text) : {};
    const retryAfterMs = retryAfter(header("retry-after"), Date.now());
    if (answer.statusCode >= 200 && answer.statusCode < 300)
      return { location: header("location"), retryAfterMs, text, value };
    if (value.type === "urn:ietf:params:acme:error:badNonce") throw new BadNonce("away", "the CA refused every nonce");
    const kind = answer.statusCode >= 500 ? "away" : "refused";
    throw new AcmeProblem(kind, `the CA answered ${answer.statusCode}: ${problemText(value)}`, { retryAfterMs });
  }
}

class BadNonce extends AcmeProblem {}

/** What a problem document (RFC 7807) says, fit for one line. */
export function problemText(problem: Readonly<Record<string, unknown>>): string {
  const type = plainText(problem.type).replace("urn:ietf:params:acme:error:", "");
  return [type, plainText(problem.detail)].filter((text) => text !== "").join(", ") || "it did not say why";
}

/** Throws unless the member is an https URL: RFC 8555 §6.1 allows no other. */
export function urlIn(value: Readonly<Record<string, unknown>>, name: string): string {
  const url = value[name];
  if (typeof url !== "string") throw new AcmeProblem("away", `the CA's answer has no ${name}`);
  return secureUrl(url);
}

function secureUrl(url: string): string {
  if (!URL.canParse(url) || new URL(url).protocol !== "https:")
    throw new AcmeProblem("refused", `${plainText(url)} is no https URL`);
  return url;
}

function objectIn(text: string): Readonly<Record<string, unknown>> {
  try {
    const value = JSON.parse(text) as unknown;
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // Said below.
  }
  throw new AcmeProblem("away", "the CA's answer is no JSON object");
}

/** Seconds or a date (RFC 9110 §10.2.3), at most a day. */
function retryAfter(text: string | null, nowMs: number): number {
  if (text === null) return 0;
  const ms = /^\d{1,9}$/.test(text) ? Number(text) * 1000 : Date.parse(text) - nowMs;
  return Number.isFinite(ms) ? Math.min(86_400_000, Math.max(0, ms)) : 0;
}

/** A stranger's text for our logs: no control characters, not long. */
function plainText(text: unknown): string {
  return typeof text === "string" ? text.replace(/[^\x20-\x7e]+/g, " ").slice(0, maxTextChars) : "";
}

function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return code === undefined ? message : `${code}${message.includes(code) ? "" : `, ${message}`}`;
}
