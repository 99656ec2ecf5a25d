import { Agent, type IncomingMessage, request } from "node:http";
import { fromWire, reasonOf, SlipwayError, type WireError } from "../../../core/errors/error.ts";

/** A connection is kept for the next call: making one would be a part of every switch. */
const kept = new Agent({ keepAlive: true, maxFreeSockets: 1 });

/** One call to the primary. Throws what it threw, or EDGE_UNREACHABLE when it cannot be asked. */
export async function call<T>(socket: string, method: "GET" | "POST", path: string, body?: unknown): Promise<T> {
  const answer = await open(socket, method, path, { body, agent: kept });
  const text = await textOf(answer);
  const value = JSON.parse(text) as unknown;
  if (answer.statusCode !== 200) throw fromWire(value as WireError);
  return value as T;
}

type Asking = { readonly body?: unknown; readonly agent?: Agent | false; readonly signal?: AbortSignal };

/** The same without waiting for the whole answer; the caller reads it. On a connection of its own unless it is given an agent. */
export function open(
  socket: string,
  method: "GET" | "POST",
  path: string,
  { body, agent = false, signal }: Asking = {},
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const asking = request({ socketPath: socket, method, path, agent, ...(signal && { signal }) }, resolve);
    asking.once("error", (error) => {
      // The one that kept its end open has gone: every call may be repeated, and the next connection is a new one.
      if (asking.reusedSocket) open(socket, method, path, { body, ...(signal && { signal }) }).then(resolve, reject);
      else reject(unreachable(error));
    });
    asking.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

async function textOf(answer: IncomingMessage): Promise<string> {
  try {
    const chunks: Buffer[] = [];
    for await (const chunk of answer as AsyncIterable<Buffer>) chunks.push(chunk);
    return Buffer.concat(chunks).toString("utf8");
  } catch (error) {
    throw unreachable(error);
  }
}

function unreachable(cause: unknown): SlipwayError {
  return new SlipwayError("EDGE_UNREACHABLE", { message: `The edge does not answer: ${reasonOf(cause)}`, cause });
}
