import type { Readable } from "node:stream";
import { setTimeout as wait } from "node:timers/promises";
import { Agent, type Dispatcher } from "undici";
import { OciError } from "./errors.ts";
import { basicHeader, type Credentials, parseChallenge, parseToken, type Token, tokenUrl } from "./registry-auth.ts";

export type RegistryOptions = {
  /** `https://ghcr.io`. Plain `http:` only by choice: password and images are then in clear. */
  readonly url: string;
  /**
   * Asked when the registry wants to know who we are, and once more with what it has refused (ECR's lasts 12 hours): what is the same as
   * that is not tried again. Null: nobody.
   */
  readonly credentials: ((refused: Credentials | null) => Promise<Credentials | null>) | null;
  /** PEM of a CA to trust besides the system's. */
  readonly ca?: string;
  /** In all, first included. Default 4. */
  readonly attempts?: number;
  /** Before the second attempt; doubles, up to 10 s. Default 250 ms. */
  readonly backoffMs?: number;
  /** Until the first byte of an answer. Default 30 s. */
  readonly timeoutMs?: number;
};

export type Ask = {
  readonly method: "GET" | "HEAD" | "POST" | "PATCH" | "PUT" | "DELETE";
  /** Path on the registry, or the whole address that it gave. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer | (() => Promise<Readable>);
  /** `repository:acme/web:pull,push`; several with a space. */
  readonly scope: string;
  readonly maxBytes: number;
  readonly signal: AbortSignal;
  /** Default true. What is not to be repeated blindly (a piece of an upload) is not. */
  readonly repeat?: boolean;
};

export type Answer = { readonly status: number; readonly headers: Headers; readonly body: Buffer };

const defaultAttempts = 4;
const defaultBackoffMs = 250;
const maxBackoffMs = 10_000;
const defaultTimeoutMs = 30_000;
const maxRedirects = 5;
const maxTokenBytes = 262_144;
const busy = new Set([408, 425, 429, 500, 502, 503, 504]);
/** A token is renewed so long before it ends. */
const tokenMarginMs = 10_000;

/** HTTP to one registry: who we are, tries again, redirects, limits. Errors: OciError DENIED, AWAY, PROTOCOL, TOO_LARGE. */
export class RegistryHttp {
  readonly base: URL;
  readonly #options: RegistryOptions;
  readonly #agent: Agent;
  readonly #tokens = new Map<string, { readonly value: string; readonly until: number }>();
  #basic: Credentials | null = null;

  constructor(options: RegistryOptions) {
    this.base = new URL(options.url);
    this.#options = options;
    const timeoutMs = options.timeoutMs ?? defaultTimeoutMs;
    this.#agent = new Agent({
      connections: 8,
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
      connect: { timeout: timeoutMs, ...(options.ca === undefined ? {} : { ca: options.ca }) },
    });
  }

  /** The answer, whatever its status says, but for refusals of us and for what another attempt may mend. */
  async ask(ask: Ask): Promise<Answer> {
    const attempts = ask.repeat === false ? 1 : (this.#options.attempts ?? defaultAttempts);
    let backoffMs = this.#options.backoffMs ?? defaultBackoffMs;
    for (let attempt = 1; ; attempt++) {
      ask.signal.throwIfAborted();
      let failure: OciError;
      let waitMs = backoffMs;
      try {
        const answer = await this.#authorised(ask);
        if (!busy.has(answer.status)) return this.#allowed(answer);
        failure = new OciError("AWAY", `${this.base.host} answered ${answer.status}${wordsOf(answer)}`, {
          status: answer.status,
        });
        waitMs = retryAfterMs(answer) ?? backoffMs;
      } catch (error) {
        if (!(error instanceof OciError) || error.code !== "AWAY") throw error;
        failure = error;
      }
      if (attempt >= attempts) throw failure;
      await wait(Math.min(waitMs, maxBackoffMs), undefined, { signal: ask.signal });
      backoffMs *= 2;
    }
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  #allowed(answer: Answer): Answer {
    if (answer.status !== 401 && answer.status !== 403) return answer;
    const why = answer.status === 401 ? "does not accept user and password" : "does not allow it";
    throw new OciError("DENIED", `${this.base.host} ${why}${wordsOf(answer)}`, { status: answer.status });
  }

  /** Once more with what the challenge asks for; a token or a password that was refused is not used again. */
  async #authorised(ask: Ask): Promise<Answer> {
    const known = this.#basic;
    const first = await this.#followed(ask, known === null ? this.#knownToken(ask.scope) : basicHeader(known));
    if (first.status !== 401) return first;
    this.#tokens.delete(ask.scope);
    this.#basic = null;
    const challenge = parseChallenge(first.headers.get("www-authenticate") ?? "");
    if (challenge === null) return first;
    const credentials = (await this.#options.credentials?.(known)) ?? null;
    if (challenge.scheme === "bearer")
      return this.#withToken(ask, tokenUrl(challenge, ask.scope, this.base), credentials);
    if (credentials === null || (known !== null && isSame(credentials, known))) return first;
    const second = await this.#withPassword(ask, credentials);
    if (second.status !== 401 || known !== null) return second;
    const fresh = await this.#others(credentials);
    return fresh === null ? second : this.#withPassword(ask, fresh);
  }

  async #withPassword(ask: Ask, credentials: Credentials): Promise<Answer> {
    const answer = await this.#followed(ask, basicHeader(credentials));
    if (answer.status !== 401) this.#basic = credentials;
    return answer;
  }

  async #withToken(ask: Ask, url: URL, credentials: Credentials | null): Promise<Answer> {
    const token = await this.#token(url, credentials, ask.signal).catch(async (error: unknown) => {
      if (credentials === null || !(error instanceof OciError) || error.code !== "DENIED") throw error;
      const fresh = await this.#others(credentials);
      if (fresh === null) throw error;
      return this.#token(url, fresh, ask.signal);
    });
    this.#tokens.set(ask.scope, { value: token.value, until: performance.now() + token.lifeMs - tokenMarginMs });
    return this.#followed(ask, `Bearer ${token.value}`);
  }

  /** In place of what was refused; null when there are none. */
  async #others(refused: Credentials): Promise<Credentials | null> {
    const fresh = (await this.#options.credentials?.(refused)) ?? null;
    return fresh === null || isSame(fresh, refused) ? null : fresh;
  }

  #knownToken(scope: string): string | null {
    const token = this.#tokens.get(scope);
    return token !== undefined && token.until > performance.now() ? `Bearer ${token.value}` : null;
  }

  async #token(url: URL, credentials: Credentials | null, signal: AbortSignal): Promise<Token> {
    const headers = credentials === null ? {} : { authorization: basicHeader(credentials) };
    const answer = await this.#once(url, { method: "GET", headers, body: null, maxBytes: maxTokenBytes, signal });
    if (answer.status === 200) return parseToken(answer.body);
    if (busy.has(answer.status)) {
      throw new OciError("AWAY", `the token server ${url.host} answered ${answer.status}`, { status: answer.status });
    }
    const who = credentials === null ? "nobody" : "this user and password";
    throw new OciError("DENIED", `the token server ${url.host} gives no token to ${who} (${answer.status})`, {
      status: answer.status,
    });
  }

  /** Blobs are often elsewhere. What says who we are goes to the registry alone. */
  async #followed(ask: Ask, authorization: string | null): Promise<Answer> {
    let url = new URL(ask.path, this.base);
    for (let hop = 0; hop <= maxRedirects; hop++) {
      const isHome = url.origin === this.base.origin;
      const headers = { ...ask.headers, ...(authorization !== null && isHome ? { authorization } : {}) };
      const body = typeof ask.body === "function" ? await ask.body() : (ask.body ?? null);
      const answer = await this.#once(url, {
        method: ask.method,
        headers,
        body,
        maxBytes: ask.maxBytes,
        signal: ask.signal,
      });
      const location = answer.headers.get("location");
      if (![301, 302, 303, 307, 308].includes(answer.status) || location === null) return answer;
      if (ask.method !== "GET" && ask.method !== "HEAD") return answer;
      url = new URL(location, url);
      if (url.protocol !== "https:" && this.base.protocol === "https:") {
        throw new OciError("PROTOCOL", `${this.base.host} sends from https to ${url.protocol}//${url.host}`);
      }
    }
    throw new OciError("PROTOCOL", `${this.base.host} redirects more than ${maxRedirects} times`);
  }

  async #once(
    url: URL,
    request: {
      readonly method: Ask["method"];
      readonly headers: Readonly<Record<string, string>>;
      readonly body: Buffer | Readable | null;
      readonly maxBytes: number;
      readonly signal: AbortSignal;
    },
  ): Promise<Answer> {
    const { method, headers, body, maxBytes, signal } = request;
    try {
      const answer: Dispatcher.ResponseData = await this.#agent.request({
        origin: url.origin,
        path: `${url.pathname}${url.search}`,
        method,
        headers: { "user-agent": "slipway", ...headers },
        body,
        signal,
      });
      const chunks: Buffer[] = [];
      let bytes = 0;
      for await (const chunk of answer.body) {
        bytes += (chunk as Buffer).length;
        if (bytes > maxBytes) {
          answer.body.destroy();
          throw new OciError("TOO_LARGE", `${url.host} answered ${method} with more than ${maxBytes} bytes`);
        }
        chunks.push(chunk as Buffer);
      }
      return { status: answer.statusCode, headers: headersOf(answer), body: Buffer.concat(chunks) };
    } catch (error) {
      signal.throwIfAborted();
      // What our own side of the upload met is no matter of the registry.
      if (error instanceof OciError) throw error;
      const why =
        error instanceof Error ? error.message || ("code" in error ? String(error.code) : error.name) : String(error);
      throw new OciError("AWAY", `no answer from ${url.host}: ${why}`, { cause: error });
    }
  }
}

function isSame(one: Credentials, other: Credentials): boolean {
  return one.username === other.username && one.password === other.password;
}

function headersOf(answer: Dispatcher.ResponseData): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(answer.headers)) {
    for (const each of Array.isArray(value) ? value : [value ?? ""]) headers.append(name, each);
  }
  return headers;
}

/** What the registry says itself, shortened; never what we sent. */
export function wordsOf(answer: Answer): string {
  const text = answer.body.toString("utf8", 0, 4_096);
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === "object" && parsed !== null && "errors" in parsed && Array.isArray(parsed.errors)) {
      const first: unknown = parsed.errors[0];
      if (typeof first === "object" && first !== null && "message" in first) {
        const code = "code" in first ? `${String(first.code)} ` : "";
        return `: ${code}${String(first.message)}`.slice(0, 300);
      }
    }
  } catch {
    // No JSON, no words.
  }
  return "";
}

function retryAfterMs(answer: Answer): number | null {
  const seconds = Number(answer.headers.get("retry-after") ?? Number.NaN);
  return Number.isFinite(seconds) && seconds >= 0 ? seconds * 1_000 : null;
}
