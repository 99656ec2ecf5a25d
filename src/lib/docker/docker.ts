import { type Duplex, Readable } from "node:stream";
import { TLSSocket } from "node:tls";
import { type Dispatcher, Pool } from "undici";
import { z } from "zod";
import { linkedSignal } from "../linked-signal.ts";
import { openSsh, type Ssh } from "../ssh/open-ssh.ts";
import type { SshOptions } from "../ssh/options.ts";
import { unlessAborted } from "../unless-aborted.ts";
import { type Dial, dialsOf, type Endpoint, parseUrl } from "./dial.ts";
import { DockerError, fromTransport } from "./errors.ts";
import { type CertificateLife, livesOf, type TlsFiles } from "./tls-files.ts";
import { isTlsPort, tlsPort } from "./tls-trouble.ts";

/** API versions that this client speaks: Docker 20.10 to 28. */
export const oldestApi = "1.41";
export const newestApi = "1.51";

const defaultTimeoutMs = 30_000;
const maxJsonBytes = 16 * 1_048_576;
const maxErrorBytes = 65_536;
/** Streams (events, logs that are followed) keep one each. */
const maxConnections = 256;
/** Longer than the pauses inside a deployment, so that its calls find an open connection. */
const keepAliveMs = 60_000;

export type DockerOptions = {
  /** `unix:///path`, `ssh://user@host:port[/path/of/socket]`, `tcp://host:port`. */
  readonly url: string;
  /** For `ssh://`: everything but destination and port; they win over those of the url when given. */
  readonly ssh?: Omit<SshOptions, "destination" | "port"> & Partial<Pick<SshOptions, "destination" | "port">>;
  /** For `tcp://`: null speaks plainly, which only a private network allows. */
  readonly tls?: TlsFiles | null;
};

export type Call = {
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "DELETE";
  /** Without the version: `/containers/json`. Its parts are encoded by `pathOf`. */
  readonly path: string;
  /** Undefined ones are left out; objects become JSON, as the engine wants filters. */
  readonly query?: Readonly<Record<string, string | number | boolean | object | undefined>>;
  /** Sent as JSON, unless it is bytes or a stream. */
  readonly body?: object | Buffer | Readable;
  /** A list is sent as one line each. */
  readonly headers?: Readonly<Record<string, string | string[]>>;
  readonly signal: AbortSignal;
  /** For the whole answer; for the first byte of it when it is streamed. Null: no limit but the signal. Default 30 s. */
  readonly timeoutMs?: number | null;
};

export type EngineVersion = {
  readonly api: string;
  readonly engine: string;
  readonly os: string;
  /** As Go says it: amd64, arm64. */
  readonly arch: string;
};

const versionAnswer = z.object({
  Version: z.string(),
  ApiVersion: z.string().regex(/^\d+\.\d+$/),
  MinAPIVersion: z.string().optional(),
  Os: z.string(),
  Arch: z.string(),
});

/**
 * An engine behind its API. Connections are made when they are needed, kept, and made again after a restart of the engine or a
 * drop. Errors of every call: DockerError, SshError.
 */
export function openDocker(options: DockerOptions): Docker {
  const address = parseUrl(options.url);
  if (address.kind === "unix") return new Docker(options.url, address, null);
  if (address.kind === "tcp") return new Docker(options.url, { ...address, tls: options.tls ?? null }, null);
  if (options.ssh === undefined) throw new TypeError(`${options.url} needs the ssh options`);
  const ssh = openSsh({ destination: address.destination, port: address.port, ...options.ssh });
  return new Docker(options.url, { kind: "ssh", ssh, socket: address.socket }, ssh);
}

export class Docker {
  readonly url: string;
  /** The host behind the engine, where it is reached by ssh: for tunnels and files. */
  readonly ssh: Ssh | null;
  #pool: Pool;
  readonly #closing = new AbortController();
  readonly #isTls: boolean;
  readonly #dials: readonly Dial[];
  #way = 0;
  #version: Promise<EngineVersion> | null = null;
  /** What a connection since the last that was made has failed with first. */
  #broken: Error | null = null;

  constructor(url: string, endpoint: Endpoint, ssh: Ssh | null) {
    this.url = url;
    this.ssh = ssh;
    this.#isTls = endpoint.kind === "tcp" && endpoint.tls !== null;
    this.#dials = dialsOf(endpoint);
    this.#pool = this.#newPool();
  }

  /** What the engine is; asked once, and again after it was away. */
  async version(signal: AbortSignal): Promise<EngineVersion> {
    signal.throwIfAborted();
    // Shared by all who ask now, so it has a limit of its own.
    this.#version ??= this.#negotiate().then(
      (version) => {
        // A way that was tried in vain has made us forget it meanwhile.
        this.#version = Promise.resolve(version);
        return version;
      },
      (error: unknown) => {
        this.#version = null;
        throw error;
      },
    );
    return unlessAborted(this.#version, signal);
  }

  /** The answer's body, which the caller reads to its end or destroys. Refusals are errors, and so is a connection lost on the way. */
  async stream(call: Call): Promise<Readable> {
    const { body } = await this.#answer(call, await this.#versioned(call));
    const told = Readable.from(this.#chunks(body, call), { objectMode: false });
    // Whoever lets go of it half-read, or unread, means it.
    told.on("error", () => {}).on("close", () => body.destroy());
    return told;
  }

  /** The answer as JSON, checked. */
  async json<T>(call: Call, shape: z.ZodType<T>): Promise<T> {
    const bytes = await this.#whole(call, await this.#versioned(call));
    return checked(bytes, shape, call);
  }

  /** For calls whose answer says nothing. */
  async send(call: Call): Promise<void> {
    await this.#whole(call, await this.#versioned(call));
  }

  /** A call whose connection becomes a raw stream of both sides (attach, exec, BuildKit's session). */
  async hijack(call: Omit<Call, "timeoutMs">, protocol = "tcp"): Promise<Duplex> {
    const path = await this.#versioned(call);
    const { signal } = call;
    try {
      return await new Promise<Duplex>((resolve, reject) => {
        let status = 0;
        const chunks: Buffer[] = [];
        const abort: { run: (reason: Error) => void } = { run: reject };
        const stop = () => abort.run(asError(signal.reason));
        signal.addEventListener("abort", stop, { once: true });
        const done = () => signal.removeEventListener("abort", stop);
        const encoded = encodedBody(call);
        this.#pool.dispatch(
          { path, method: call.method, upgrade: protocol, body: encoded.body, headers: encoded.headers },
          {
            onRequestStart: (controller) => {
              abort.run = (reason) => controller.abort(reason);
              if (signal.aborted) stop();
            },
            onRequestUpgrade: (_controller, _status, _headers, socket) => {
              done();
              resolve(socket);
            },
            onResponseStart: (_controller, statusCode) => {
              status = statusCode;
            },
            onResponseData: (controller, chunk) => {
              chunks.push(chunk);
              if (Buffer.concat(chunks).length > maxErrorBytes) controller.abort(new Error("too long an answer"));
            },
            onResponseEnd: () => {
              done();
              reject(refusal(status, Buffer.concat(chunks), call, this.url));
            },
            onResponseError: (_controller, error) => {
              done();
              reject(error);
            },
          },
        );
      });
    } catch (error) {
      throw this.#translated(error, call);
    }
  }

  /** How long the certificates of both sides hold, as a new connection shows them: the engine's, and ours. None where there is no TLS. */
  async certificates(signal: AbortSignal): Promise<readonly CertificateLife[]> {
    const [dial] = this.#dials;
    if (!this.#isTls || dial === undefined) return [];
    const socket = await dial(signal);
    try {
      return socket instanceof TLSSocket ? livesOf(socket) : [];
    } finally {
      socket.destroy();
    }
  }

  async close(): Promise<void> {
    this.#closing.abort(new DockerError("AWAY", `${this.url}: the connection was closed`, { call: "close" }));
    await this.#pool.destroy();
    await this.ssh?.close();
  }

  async #versioned(call: Omit<Call, "timeoutMs">): Promise<string> {
    const { api } = await this.version(call.signal);
    return `/v${api}${call.path}${queryOf(call.query)}`;
  }

  async #negotiate(): Promise<EngineVersion> {
    const call: Call = { method: "GET", path: "/version", signal: this.#closing.signal };
    const bytes = await this.#firstWhole(call);
    const seen = checked(bytes, versionAnswer, call);
    const tooOld = isOlder(seen.ApiVersion, oldestApi);
    if (tooOld || (seen.MinAPIVersion !== undefined && isOlder(newestApi, seen.MinAPIVersion))) {
      const speaks = tooOld ? `at most ${seen.ApiVersion}` : `at least ${seen.MinAPIVersion}`;
      const message = `${this.url}: Docker ${seen.Version} speaks API ${speaks}; ${oldestApi} to ${newestApi} is needed`;
      throw new DockerError("UNSUPPORTED", message, { call: "GET /version" });
    }
    const api = isOlder(seen.ApiVersion, newestApi) ? seen.ApiVersion : newestApi;
    return { api, engine: seen.Version, os: seen.Os, arch: seen.Arch };
  }

  /**
   * A host that does not forward its socket closes each connection without a word: then the next way is tried, and kept when it
   * works. A drop looks the same, so every negotiation begins with the best way again.
   */
  async #firstWhole(call: Call): Promise<Buffer> {
    for (let way = 0; ; way++) {
      // Another negotiation may be under way; each counts for itself.
      this.#way = way;
      try {
        return await this.#whole(call, call.path);
      } catch (error) {
        const isCut = error instanceof DockerError && error.code === "AWAY" && !isSshError(error.cause);
        if (!isCut || way + 1 >= this.#dials.length) throw error;
        // What the way before it left half open must not be taken for a good connection.
        const before = this.#pool;
        this.#pool = this.#newPool();
        await before.destroy();
      }
    }
  }

  async #whole(call: Call, path: string): Promise<Buffer> {
    const timeoutMs = call.timeoutMs === undefined ? defaultTimeoutMs : call.timeoutMs;
    const { signal, release } = linkedSignal([call.signal], timeoutMs);
    try {
      const { body } = await this.#answer({ ...call, timeoutMs: null, signal }, path);
      return await bytesOf(body, maxJsonBytes, call);
    } catch (error) {
      throw this.#translated(error, call, signal);
    } finally {
      release();
    }
  }

  async #answer(call: Call, path: string): Promise<Dispatcher.ResponseData> {
    const { body, headers } = encodedBody(call);
    const timeoutMs = call.timeoutMs === undefined ? defaultTimeoutMs : call.timeoutMs;
    let answer: Dispatcher.ResponseData;
    try {
      answer = await this.#pool.request({
        method: call.method,
        path,
        headers,
        body,
        // A close ends it too: with its connections.
        signal: call.signal,
        headersTimeout: timeoutMs ?? 0,
        bodyTimeout: 0,
      });
    } catch (error) {
      throw this.#translated(error, call);
    }
    // Whoever lets go of the body half-read means it.
    answer.body.on("error", () => {});
    if (answer.statusCode < 400) return answer;
    let said: Buffer;
    try {
      said = await bytesOf(answer.body, maxErrorBytes, call);
    } catch (error) {
      throw this.#translated(error, call);
    }
    throw refusal(answer.statusCode, said, call, this.url);
  }

  /** What goes wrong on the way is told in our words. */
  async *#chunks(body: Readable, call: Call): AsyncGenerator<Buffer> {
    try {
      for await (const chunk of body) yield chunk as Buffer;
    } catch (error) {
      throw this.#translated(error, call);
    }
  }

  #newPool(): Pool {
    return new Pool("http://docker", {
      connections: maxConnections,
      pipelining: 1,
      keepAliveTimeout: keepAliveMs,
      keepAliveMaxTimeout: keepAliveMs,
      connect: (_, callback) => {
        this.#dial().then(
          // Everything that undici uses of a socket is that of a stream, but for what a child's pipes are not asked for.
          (socket) => {
            this.#broken = null;
            // By TLS 1.3 the engine says what it thinks of our certificate when we are connected already, and undici tells only that it closed.
            socket.on("error", (error: Error) => {
              this.#broken ??= error;
            });
            callback(null, socket as Parameters<typeof callback>[1] & Duplex);
          },
          (error: unknown) => callback(error instanceof Error ? error : new Error(String(error)), null),
        );
      },
    });
  }

  async #dial(): Promise<Duplex> {
    const dial = this.#dials[this.#way];
    if (dial === undefined) throw new Error("no way to the engine");
    return dial(this.#closing.signal);
  }

  #translated(error: unknown, call: Pick<Call, "method" | "path" | "signal">, limit = call.signal): unknown {
    call.signal.throwIfAborted();
    this.#closing.signal.throwIfAborted();
    const name = nameOf(call);
    const isLate = limit.aborted || (error instanceof Error && error.name === "TimeoutError");
    if (isLate) return new DockerError("TIMED_OUT", `${this.url} did not answer ${name} in time`, { call: name });
    if (isSshError(error)) return error;
    const seen = fromTransport(error, name, this.url);
    const isCut = seen instanceof DockerError && seen.code === "AWAY";
    const said = isCut ? fromTransport(this.#broken, name, this.url) : null;
    const translated = said instanceof DockerError ? said : seen;
    // What comes back may be another version.
    if (translated instanceof DockerError && translated.code === "AWAY") this.#version = null;
    return translated;
  }
}

/** A path with its parts encoded: names of images hold slashes and colons. */
export function pathOf(parts: TemplateStringsArray, ...values: readonly string[]): string {
  return parts
    .map((part, index) => part + (index < values.length ? encodeURIComponent(values[index] ?? "") : ""))
    .join("");
}

function encodedBody(call: Pick<Call, "body" | "headers">): {
  readonly body: Buffer | Readable | string | null;
  readonly headers: Record<string, string | string[]>;
} {
  const { body } = call;
  if (body === undefined) return { body: null, headers: { ...call.headers } };
  if (Buffer.isBuffer(body) || "pipe" in body) {
    return { body, headers: { "content-type": "application/x-tar", ...call.headers } };
  }
  return { body: JSON.stringify(body), headers: { "content-type": "application/json", ...call.headers } };
}

function queryOf(query: Call["query"]): string {
  const pairs = Object.entries(query ?? {}).flatMap(([name, value]) => {
    if (value === undefined) return [];
    return [`${name}=${encodeURIComponent(typeof value === "object" ? JSON.stringify(value) : String(value))}`];
  });
  return pairs.length === 0 ? "" : `?${pairs.join("&")}`;
}

async function bytesOf(body: Readable, maxBytes: number, call: Pick<Call, "method" | "path">): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += (chunk as Buffer).length;
    if (bytes > maxBytes) {
      throw new DockerError("PROTOCOL", `the answer to ${nameOf(call)} is larger than ${maxBytes} bytes`, {
        call: nameOf(call),
      });
    }
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}

function checked<T>(bytes: Buffer, shape: z.ZodType<T>, call: Pick<Call, "method" | "path">): T {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString("utf8"));
  } catch (error) {
    throw new DockerError("PROTOCOL", `the answer to ${nameOf(call)} is no JSON`, { call: nameOf(call), cause: error });
  }
  const parsed = shape.safeParse(value);
  if (parsed.success) return parsed.data;
  const [first] = parsed.error.issues;
  const where = `${first?.path.join(".")}: ${first?.message}`;
  throw new DockerError("PROTOCOL", `the answer to ${nameOf(call)} is not understood: ${where}`, {
    call: nameOf(call),
  });
}

function refusal(status: number, bytes: Buffer, call: Pick<Call, "method" | "path">, where: string): DockerError {
  let message = bytes.toString("utf8").trim();
  if (status === 400 && isTlsPort(message))
    return new DockerError("DENIED", `${where}: ${tlsPort.what}`, { call: nameOf(call), status, hint: tlsPort.hint });
  try {
    const said: unknown = JSON.parse(message);
    if (typeof said === "object" && said !== null && "message" in said) message = String(said.message);
  } catch {
    // Plain text then.
  }
  return new DockerError("REFUSED", message === "" ? `the engine answered ${status}` : message.slice(0, 4_096), {
    call: nameOf(call),
    status,
  });
}

function nameOf(call: Pick<Call, "method" | "path">): string {
  return `${call.method} ${call.path}`;
}

function isOlder(one: string, other: string): boolean {
  const [major = 0, minor = 0] = one.split(".").map(Number);
  const [otherMajor = 0, otherMinor = 0] = other.split(".").map(Number);
  return major < otherMajor || (major === otherMajor && minor < otherMinor);
}

function isSshError(error: unknown): boolean {
  return error instanceof Error && error.name === "SshError";
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}
