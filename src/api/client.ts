import { createWriteStream } from "node:fs";
import { Agent, type IncomingMessage, request as plainRequest } from "node:http";
import { Agent as SecureAgent, request as secureRequest } from "node:https";
import { createInterface } from "node:readline";
import type { Duplex } from "node:stream";
import { pipeline } from "node:stream/promises";
import { type Evidence, fromWire, SlipwayError, type WireError } from "../core/errors/error.ts";
import type { Json } from "../core/ids.ts";
import { digestHeader } from "./digest-header.ts";

/** On this machine by its port, elsewhere by its address. */
export type ClientOptions = ({ readonly port: number } | { readonly url: string }) & { readonly token: string };

const maxAnswerBytes = 64 * 1024 * 1024;

/** Speaks to one control plane. Uses bare node:http: a command that only asks for the status must start fast. */
export class Client {
  readonly #token: string;
  readonly #base: URL;
  readonly #agent: Agent;
  readonly #request: typeof plainRequest;

  constructor(options: ClientOptions) {
    this.#token = options.token;
    this.#base = new URL("url" in options ? options.url : `http://127.0.0.1:${options.port}`);
    const secure = this.#base.protocol === "https:";
    this.#agent = new (secure ? SecureAgent : Agent)({ keepAlive: true, maxSockets: 4 });
    this.#request = secure ? secureRequest : plainRequest;
  }

  /** Errors: what the route says; CONTROL_PLANE_DOWN when nobody answers. */
  async get<T>(path: string, signal?: AbortSignal): Promise<T> {
    return (await readJson(await this.#send("GET", path, undefined, signal))) as T;
  }

  async post<T>(path: string, body: unknown, signal?: AbortSignal): Promise<T> {
    return (await readJson(await this.#send("POST", path, body, signal))) as T;
  }

  /** The items of a stream until it ends. A stream that is cut throws CONTROL_PLANE_DOWN. */
  async *stream<T>(path: string, signal?: AbortSignal): AsyncGenerator<T> {
    const response = await this.#send("GET", path, undefined, signal);
    if (response.statusCode !== 200) {
      await readJson(response);
      return;
    }
    try {
      for await (const line of createInterface({ input: response })) {
        if (line === "") continue;
        const value = JSON.parse(line) as { item?: T; end?: true };
        const failed = errorIn(value);
        if (failed !== null) throw fromWire(failed);
        if (value.end === true) return;
        yield value.item as T;
      }
    } catch (error) {
      if (error instanceof SlipwayError) throw error;
      signal?.throwIfAborted();
      throw down(error);
    } finally {
      response.destroy();
    }
    signal?.throwIfAborted();
    throw down(new Error("the stream was cut"));
  }

  /** A connection that speaks frames from now on. Errors: UNAUTHORIZED, CONTROL_PLANE_DOWN. */
  upgrade(path: string, protocol: string): Promise<Duplex> {
    return new Promise((resolve, reject) => {
      const asked = this.#request(this.#at(path), {
        method: "POST",
        headers: {
          authorization: `Bearer ${this.#token}`,
          connection: "upgrade",
          upgrade: protocol,
        },
      });
      asked.once("upgrade", (_response, socket, head) => {
        if (head.length > 0) socket.unshift(head);
        resolve(socket);
      });
      asked.once("response", (response) => {
        response.resume();
        const isStranger = response.statusCode === 401;
        reject(
          isStranger
            ? new SlipwayError("UNAUTHORIZED", { message: "the token is not the right one" })
            : down(new Error(`it answered ${response.statusCode}`)),
        );
      });
      asked.once("error", (error) => reject(down(error)));
      asked.end();
    });
  }

  /** Writes what is answered to a new file, and answers the digest that it was sent with. Errors: as `get`. */
  async download(path: string, file: string): Promise<string> {
    const response = await this.#send("GET", path, undefined);
    if (response.statusCode !== 200) await readJson(response);
    try {
      await pipeline(response, createWriteStream(file, { flags: "wx", mode: 0o600 }));
    } catch (error) {
      throw response.complete ? error : down(error);
    }
    return String(response.headers[digestHeader] ?? "");
  }

  close(): void {
    this.#agent.destroy();
  }

  /** Below the base's own path, where a proxy has given it one. */
  #at(path: string): URL {
    return new URL(`${this.#base.pathname.replace(/\/+$/, "")}${path}`, this.#base);
  }

  #send(method: string, path: string, body: unknown, signal?: AbortSignal): Promise<IncomingMessage> {
    const payload = body === undefined ? undefined : JSON.stringify(body);
    return new Promise((resolve, reject) => {
      const asked = this.#request(
        this.#at(path),
        {
          method,
          agent: this.#agent,
          headers: {
            authorization: `Bearer ${this.#token}`,
            accept: "application/json",
            ...(payload === undefined
              ? {}
              : { "content-type": "application/json", "content-length": Buffer.byteLength(payload) }),
          },
          ...(signal === undefined ? {} : { signal }),
        },
        resolve,
      );
      asked.on("error", (error) => reject(signal?.aborted === true ? signal.reason : down(error)));
      asked.end(payload);
    });
  }
}

async function readJson(response: IncomingMessage): Promise<Json> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > maxAnswerBytes) throw new Error("the answer is too large");
      chunks.push(chunk);
    }
  } catch (error) {
    throw down(error);
  }
  const value = parsed(Buffer.concat(chunks).toString("utf8"));
  if (value !== undefined && (response.statusCode ?? 500) < 400) return value;
  const failed = errorIn(value);
  if (failed !== null) throw fromWire(failed);
  // Another program may have the port by now.
  throw new SlipwayError("CONTROL_PLANE_DOWN", {
    message: "what answers at the control plane's address is not a control plane",
    evidence: [["it said", `${response.statusCode} ${response.headers["content-type"] ?? ""}`.trim()]],
  });
}

function parsed(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}

/** The error that an answer carries; null when it carries none that can be read. */
function errorIn(value: unknown): WireError | null {
  const error = isObject(value) ? value.error : null;
  if (!isObject(error) || typeof error.code !== "string" || typeof error.message !== "string") return null;
  const evidence = Array.isArray(error.evidence) ? error.evidence.filter(isEvidence) : [];
  const hint = typeof error.hint === "string" ? error.hint : "";
  return { code: error.code as WireError["code"], message: error.message, evidence, hint };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function isEvidence(value: unknown): value is Evidence {
  return Array.isArray(value) && value.length === 2 && value.every((part) => typeof part === "string");
}

function down(cause: unknown): SlipwayError {
  return new SlipwayError("CONTROL_PLANE_DOWN", { message: "the control plane does not answer", cause });
}
