import { connect, type Socket } from "node:net";
import { type Reply, type Request, SupervisorError } from "./contract.ts";

/** The connection could not be made, or broke before the last line: the call may or may not have been done. */
export class ConnectionLost extends Error {
  override readonly name = "ConnectionLost";
}

/** Makes one call and returns its result. Items of a stream come through `onItem`. Rejects with the signal's reason. */
export async function call(
  path: string,
  request: Request,
  options: { readonly signal?: AbortSignal; readonly onItem?: (item: unknown) => Promise<void> | void } = {},
): Promise<unknown> {
  const { signal } = options;
  signal?.throwIfAborted();
  const socket = connect(path);
  const abort = () => socket.destroy();
  signal?.addEventListener("abort", abort, { once: true });
  try {
    socket.write(`${JSON.stringify(request)}\n`);
    for await (const line of linesOf(socket)) {
      const reply = JSON.parse(line) as Reply;
      if ("done" in reply) return reply.done;
      if ("error" in reply) throw new SupervisorError(reply.error.code, reply.error.message);
      await options.onItem?.(reply.item);
    }
    throw new ConnectionLost("the supervisor closed the connection");
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof SupervisorError || error instanceof ConnectionLost || !isSocketError(error)) throw error;
    throw new ConnectionLost(error instanceof Error ? error.message : String(error), { cause: error });
  } finally {
    signal?.removeEventListener("abort", abort);
    socket.destroy();
  }
}

async function* linesOf(socket: Socket): AsyncGenerator<string> {
  let chunks: Buffer[] = [];
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    let from = 0;
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, from)) {
      chunks.push(chunk.subarray(from, end));
      yield Buffer.concat(chunks).toString("utf8");
      chunks = [];
      from = end + 1;
    }
    if (from < chunk.length) chunks.push(chunk.subarray(from));
  }
}

function isSocketError(error: unknown): boolean {
  return error instanceof Error && "code" in error && typeof error.code === "string";
}
