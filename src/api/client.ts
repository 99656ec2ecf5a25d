import { Agent, type IncomingMessage, request } from "node:http";
import { createInterface } from "node:readline";
import { fromWire, SlipwayError } from "../core/errors/error.ts";
import type { Json } from "../core/ids.ts";
import type { ErrorBody } from "./contract.ts";

export type ClientOptions = { readonly port: number; readonly token: string };

const maxAnswerBytes = 64 * 1024 * 1024;

/** Speaks to one control plane on loopback. Uses bare node:http: a command that only asks for the status must start fast. */
export class Client {
  readonly #options: ClientOptions;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 4 });

  constructor(options: ClientOptions) {
    this.#options = options;
  }

  /** Errors: what the route says; CONTROL_PLANE_DOWN when nobody answers. */
  async get<T>(path: string): Promise<T> {
    return (await readJson(await this.#send("GET", path, undefined))) as T;
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
        const value = JSON.parse(line) as { item?: T; end?: true } & Partial<ErrorBody>;
        if (value.error !== undefined) throw fromWire(value.error);
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

  close(): void {
    this.#agent.destroy();
  }

  #send(method: string, path: string, body: unknown, signal?: AbortSignal): Promise<IncomingMessage> {
    const payload = body === undefined ? undefined : JSON.stringify(body);
    return new Promise((resolve, reject) => {
      const asked = request(
        {
          host: "127.0.0.1",
          port: this.#options.port,
          method,
          path,
          agent: this.#agent,
          headers: {
            authorization: `Bearer ${this.#options.token}`,
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
  const value = JSON.parse(Buffer.concat(chunks).toString("utf8")) as Json | ErrorBody;
  if ((response.statusCode ?? 500) >= 400) throw fromWire((value as ErrorBody).error);
  return value as Json;
}

function down(cause: unknown): SlipwayError {
  return new SlipwayError("CONTROL_PLANE_DOWN", { message: "the control plane does not answer", cause });
}
