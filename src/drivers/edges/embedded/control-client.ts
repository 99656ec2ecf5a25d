import { type IncomingMessage, request } from "node:http";
import { fromWire, reasonOf, SlipwayError, type WireError } from "../../../core/errors/error.ts";

/** One call to the primary. Throws what it threw, or EDGE_UNREACHABLE when it cannot be asked. */
export async function call<T>(socket: string, method: "GET" | "POST", path: string, body?: unknown): Promise<T> {
  const answer = await open(socket, method, path, body);
  const text = await textOf(answer);
  const value = JSON.parse(text) as unknown;
  if (answer.statusCode !== 200) throw fromWire(value as WireError);
  return value as T;
}

/** The same without waiting for the whole answer; the caller reads it. */
export function open(
  socket: string,
  method: "GET" | "POST",
  path: string,
  body?: unknown,
  signal?: AbortSignal,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const call = request(
      { socketPath: socket, method, path, agent: false, ...(signal === undefined ? {} : { signal }) },
      resolve,
    );
    call.once("error", (error) => reject(unreachable(error)));
    call.end(body === undefined ? undefined : JSON.stringify(body));
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
