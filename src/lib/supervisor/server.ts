import { rmSync, statSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { type Reply, type Request, requestLimits, SupervisorError } from "./contract.ts";
import { parseRequest } from "./requests.ts";

/** Sends one item of a stream; resolves when the client has room for the next. */
export type Send = (item: unknown) => Promise<void>;
export type Handle = (request: Request, send: Send, signal: AbortSignal) => Promise<unknown>;

/** Answers calls on a unix socket, one after the other on each connection, in lines of JSON. Only its owner may connect (mode 0600). */
export class CallServer {
  readonly #path: string;
  readonly #handle: Handle;
  readonly #sockets = new Set<Socket>();
  #server: Server | null = null;
  #inode = 0;

  constructor(path: string, handle: Handle) {
    this.#path = path;
    this.#handle = handle;
  }

  /** What lies at the path, a dead daemon's socket, is replaced. */
  async listen(): Promise<void> {
    rmSync(this.#path, { force: true });
    const server = createServer((socket) => this.#accept(socket));
    server.maxConnections = requestLimits.connections;
    const before = process.umask(0o177);
    try {
      await new Promise<void>((resolve, reject) => {
        server.once("error", reject);
        server.listen(this.#path, resolve); // bound before it returns, under this umask
        process.umask(before);
      });
    } finally {
      process.umask(before);
    }
    server.on("error", () => undefined);
    this.#server = server;
    this.#inode = statSync(this.#path).ino;
  }

  /** Whether the socket at the path is this one still; cleaners of temporary directories remove it. */
  isReachable(): boolean {
    try {
      return statSync(this.#path).ino === this.#inode;
    } catch {
      return false;
    }
  }

  close(): void {
    if (this.isReachable()) rmSync(this.#path, { force: true });
    this.#server?.close();
    for (const socket of this.#sockets) socket.end();
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    const gone = new AbortController();
    socket.on("close", () => {
      this.#sockets.delete(socket);
      gone.abort();
    });
    socket.on("error", () => socket.destroy());
    void this.#answer(socket, gone.signal);
  }

  /** One call after the other, until the client goes or is refused something: where a next request begins is not sure then. */
  async #answer(socket: Socket, gone: AbortSignal): Promise<void> {
    const lines = new Lines(socket);
    const send: Send = async (item) => {
      write(socket, { item });
      if (socket.writableNeedDrain) await drained(socket);
    };
    for (let first = true; !gone.aborted; first = false) {
      try {
        const line = await lines.next(first ? requestLimits.requestMs : null);
        if (line === null) break;
        write(socket, { done: (await this.#handle(parseRequest(line), send, gone)) ?? null });
      } catch (error) {
        write(socket, { error: asReply(error) });
        break;
      }
    }
    lines.drop();
    socket.end();
  }
}

/** The lines of a connection, one at a time. */
class Lines {
  readonly #socket: Socket;
  #rest: Buffer = Buffer.alloc(0);
  #closed = false;
  #wake: () => void = () => undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (chunk: Buffer) => {
      this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
      // Nobody reads while a call is answered: a client that goes on writing waits.
      if (this.#rest.length > requestLimits.lineBytes) socket.pause();
      this.#wake();
    });
    socket.once("close", () => {
      this.#closed = true;
      this.#wake();
    });
  }

  /** Null when the connection is closed between two lines. */
  async next(withinMs: number | null): Promise<string | null> {
    const until = withinMs === null ? null : performance.now() + withinMs;
    for (;;) {
      const end = this.#rest.indexOf(10);
      if (end === -1 ? this.#rest.length > requestLimits.lineBytes : end > requestLimits.lineBytes)
        throw bad(`the request has more than ${requestLimits.lineBytes} bytes`);
      if (end !== -1) {
        const line = this.#rest.subarray(0, end).toString("utf8");
        this.#rest = this.#rest.subarray(end + 1);
        this.#socket.resume();
        return line;
      }
      if (this.#closed) return null;
      const restMs = until === null ? null : until - performance.now();
      if (restMs !== null && restMs <= 0) throw bad("the request did not come in time");
      await this.#news(restMs);
    }
  }

  /** What comes from now on is thrown away. */
  drop(): void {
    this.#socket.removeAllListeners("data").resume();
  }

  #news(ms: number | null): Promise<void> {
    return new Promise((resolve) => {
      const timer = ms === null ? null : setTimeout(resolve, ms);
      this.#wake = () => {
        if (timer !== null) clearTimeout(timer);
        resolve();
      };
    });
  }
}

function write(socket: Socket, reply: Reply): void {
  if (!socket.destroyed && socket.writable) socket.write(`${JSON.stringify(reply)}\n`);
}

/** Also when the client goes away. */
function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      socket.off("drain", done);
      socket.off("close", done);
      resolve();
    };
    socket.on("drain", done);
    socket.on("close", done);
    if (socket.destroyed) done();
  });
}

function asReply(error: unknown): { code: SupervisorError["code"]; message: string } {
  if (error instanceof SupervisorError) return { code: error.code, message: error.message };
  return { code: "INTERNAL", message: error instanceof Error ? (error.stack ?? error.message) : String(error) };
}

function bad(message: string): SupervisorError {
  return new SupervisorError("BAD_REQUEST", message);
}
