import { rmSync, statSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { type Reply, type Request, requestLimits, SupervisorError } from "./contract.ts";
import { parseRequest } from "./requests.ts";

/** Sends one item of a stream; resolves when the client has room for the next. */
export type Send = (item: unknown) => Promise<void>;
export type Handle = (request: Request, send: Send, signal: AbortSignal) => Promise<unknown>;

/** Answers calls on a unix socket, one a connection, in lines of JSON. Only its owner may connect (mode 0600). */
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
    readLine(socket)
      .then(async (line) => {
        const send: Send = async (item) => {
          write(socket, { item });
          if (socket.writableNeedDrain) await drained(socket);
        };
        return { done: (await this.#handle(parseRequest(line), send, gone.signal)) ?? null };
      })
      .catch((error: unknown): Reply => ({ error: asReply(error) }))
      .then((reply) => {
        write(socket, reply);
        socket.end();
      });
  }
}

function readLine(socket: Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const timer = setTimeout(() => reject(bad("the request did not come in time")), requestLimits.requestMs);
    socket.once("close", () => {
      clearTimeout(timer);
      reject(bad("the connection was closed"));
    });
    socket.on("data", (chunk: Buffer) => {
      const end = chunk.indexOf(10);
      bytes += end === -1 ? chunk.length : end;
      if (bytes > requestLimits.lineBytes)
        return reject(bad(`the request has more than ${requestLimits.lineBytes} bytes`));
      chunks.push(end === -1 ? chunk : chunk.subarray(0, end));
      if (end === -1) return;
      clearTimeout(timer);
      socket.removeAllListeners("data").resume();
      resolve(Buffer.concat(chunks).toString("utf8"));
    });
  });
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
