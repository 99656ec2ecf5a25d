import { connect, type Socket } from "node:net";
import { type Reply, type Request, SupervisorError } from "./contract.ts";

/** The connection could not be made, or broke before the last line: the call may or may not have been done. */
export class ConnectionLost extends Error {
  override readonly name = "ConnectionLost";
}

type Options = { readonly signal?: AbortSignal; readonly onItem?: (item: unknown) => Promise<void> | void };

/** Makes one call on a connection of its own and returns its result. Items of a stream come through `onItem`. Rejects with the signal's reason. */
export async function call(path: string, request: Request, options: Options = {}): Promise<unknown> {
  options.signal?.throwIfAborted();
  const channel = new Channel(connect(path));
  try {
    return await ask(channel, request, options);
  } finally {
    channel.close();
  }
}

/**
 * Makes short calls, which may be repeated, and keeps a connection for the next one: making it would be a part of every start
 * and every switch. The kept one does not keep the process alive.
 */
export class KeptCalls {
  readonly #path: string;
  #spare: Channel | null = null;

  constructor(path: string) {
    this.#path = path;
  }

  async call(request: Request, signal?: AbortSignal): Promise<unknown> {
    signal?.throwIfAborted();
    const spare = this.#spare;
    this.#spare = null;
    const channel = spare?.isOpen === true ? spare : new Channel(connect(this.#path));
    channel.hold(true);
    try {
      const result = await ask(channel, request, { ...(signal && { signal }) });
      if (this.#spare === null && channel.isOpen) {
        channel.hold(false);
        this.#spare = channel;
      } else channel.close();
      return result;
    } catch (error) {
      // A refusal is an answer as well, but who knows what else is wrong.
      channel.close();
      throw error;
    }
  }
}

async function ask(channel: Channel, request: Request, { signal, onItem }: Options): Promise<unknown> {
  const abort = (): void => channel.close();
  signal?.addEventListener("abort", abort, { once: true });
  try {
    channel.write(`${JSON.stringify(request)}\n`);
    for (;;) {
      const line = await channel.line();
      const reply = JSON.parse(line) as Reply;
      if ("done" in reply) return reply.done;
      if ("error" in reply) throw new SupervisorError(reply.error.code, reply.error.message);
      await onItem?.(reply.item);
    }
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}

/** What is read ahead of the one who takes the lines; then the other side waits. */
const aheadBytes = 1024 * 1024;

/** A connection as lines. */
class Channel {
  readonly #socket: Socket;
  #chunks: Buffer[] = [];
  #bytes = 0;
  readonly #lines: string[] = [];
  #aheadBytes = 0;
  #ended: ConnectionLost | null = null;
  #wake: () => void = () => undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (chunk: Buffer) => this.#take(chunk));
    socket.on("error", (error) => this.#end(new ConnectionLost(error.message, { cause: error })));
    socket.on("close", () => this.#end(new ConnectionLost("the supervisor closed the connection")));
  }

  get isOpen(): boolean {
    return this.#ended === null && !this.#socket.destroyed && this.#lines.length === 0 && this.#bytes === 0;
  }

  /** Whether the process stays for it. */
  hold(held: boolean): void {
    if (held) this.#socket.ref();
    else this.#socket.unref();
  }

  write(text: string): void {
    this.#socket.write(text);
  }

  /** The next line. Throws ConnectionLost. */
  async line(): Promise<string> {
    for (;;) {
      const line = this.#lines.shift();
      if (line !== undefined) {
        this.#aheadBytes -= line.length;
        if (this.#socket.isPaused()) this.#socket.resume();
        return line;
      }
      if (this.#ended !== null) throw this.#ended;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(chunk: Buffer): void {
    let from = 0;
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, from)) {
      this.#chunks.push(chunk.subarray(from, end));
      const line = Buffer.concat(this.#chunks).toString("utf8");
      this.#lines.push(line);
      this.#aheadBytes += line.length;
      this.#chunks = [];
      this.#bytes = 0;
      from = end + 1;
    }
    if (from < chunk.length) {
      this.#chunks.push(chunk.subarray(from));
      this.#bytes += chunk.length - from;
    }
    if (this.#aheadBytes > aheadBytes) this.#socket.pause();
    this.#wake();
  }

  #end(why: ConnectionLost): void {
    this.#ended ??= why;
    this.#wake();
  }
}
