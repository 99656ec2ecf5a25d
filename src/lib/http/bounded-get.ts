import { type IncomingMessage, request as plainRequest } from "node:http";
import { request as secureRequest } from "node:https";
import { wordsOf } from "../wire/wire.ts";

export type HttpAsk = {
  readonly url: URL;
  readonly method?: "GET" | "HEAD" | "POST";
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly signal: AbortSignal;
  /** What comes after that is not read. */
  readonly maxBytes: number;
};

export type HttpAnswer = {
  readonly status: number;
  readonly body: string;
  /** There was more than `maxBytes`. */
  readonly cut: boolean;
  /** From the first byte sent to the first of the answer, connecting included. */
  readonly firstByteMs: number;
};

/** One request on a connection of its own; redirects are not followed. Rejects with the reason in a person's words. */
export async function boundedGet({
  url,
  method = "GET",
  headers = {},
  body,
  signal,
  maxBytes,
}: HttpAsk): Promise<HttpAnswer> {
  signal.throwIfAborted();
  const begun = performance.now();
  const ask = url.protocol === "https:" ? secureRequest : plainRequest;
  const sent = ask(url, { method, headers: { "user-agent": "slipway", ...headers }, agent: false, signal });
  try {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      sent.once("response", resolve);
      sent.once("error", reject);
      sent.once("close", () => reject(new Error("connection closed without an answer")));
      sent.end(body);
    });
    const firstByteMs = performance.now() - begun;
    const read = await readBody(response, maxBytes);
    return { status: response.statusCode ?? 0, ...read, firstByteMs };
  } catch (error) {
    signal.throwIfAborted();
    throw new Error(wordsOf(error as NodeJS.ErrnoException));
  } finally {
    sent.on("error", () => {});
    sent.destroy();
  }
}

async function readBody(response: IncomingMessage, maxBytes: number): Promise<{ body: string; cut: boolean }> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > maxBytes) break;
  }
  const whole = Buffer.concat(chunks);
  return { body: whole.subarray(0, maxBytes).toString("utf8"), cut: whole.length > maxBytes };
}
