import { createServer, type IncomingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import type { Duplex } from "node:stream";
import { TLSSocket } from "node:tls";

/**
 * The engine calls us: a gRPC server that speaks over one connection which the engine has handed back (`POST /session`). Only
 * uncompressed messages of a bounded length are taken.
 */
export type GrpcCall = {
  readonly headers: IncomingHttpHeaders;
  /** What the engine sends, message by message. */
  readonly messages: AsyncIterable<Buffer>;
  /** Waits for room when the connection is slower than we are. */
  send(message: Buffer): Promise<void>;
};

/** Answers a call, or throws a `GrpcStatus`. */
export type GrpcMethod = (call: GrpcCall) => Promise<void>;

export class GrpcStatus extends Error {
  override readonly name = "GrpcStatus";
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

export const grpcNotFound = 5;
const grpcUnimplemented = 12;
const grpcInternal = 13;

/** Four megabytes, the limit of gRPC's own servers. */
const maxMessageBytes = 4 * 1024 * 1024;

/** Serves the methods (`/package.Service/Method`) until the connection ends, which is also how it is closed. */
export function serveGrpc(connection: Duplex, methods: ReadonlyMap<string, GrpcMethod>): void {
  const server = createServer();
  server.on("stream", (stream, headers) => {
    stream.on("error", () => undefined); // the call that it belonged to fails by itself
    void answer(stream, headers, methods);
  });
  server.on("sessionError", () => connection.destroy());
  connection.on("error", () => undefined); // an engine that goes away is seen in the build's own answer
  // That it is HTTP/2 both sides know without asking; Node speaks it on no TLS that has not agreed on it.
  if (connection instanceof TLSSocket) connection.alpnProtocol = "h2";
  server.emit("connection", connection);
}

async function answer(
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  methods: ReadonlyMap<string, GrpcMethod>,
): Promise<void> {
  const method = methods.get(String(headers[":path"]));
  let status = new GrpcStatus(0, "");
  stream.on("wantTrailers", () => {
    stream.sendTrailers({ "grpc-status": String(status.code), "grpc-message": encodeURIComponent(status.message) });
  });
  stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
  try {
    if (method === undefined) throw new GrpcStatus(grpcUnimplemented, `${headers[":path"]} is not offered`);
    await method({ headers, messages: messagesOf(stream), send: (message) => send(stream, message) });
  } catch (error) {
    status = error instanceof GrpcStatus ? error : new GrpcStatus(grpcInternal, String(error));
  }
  if (!stream.destroyed) stream.end();
}

async function send(stream: ServerHttp2Stream, message: Buffer): Promise<void> {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  if (stream.destroyed) throw new GrpcStatus(grpcInternal, "the call has ended");
  stream.write(head);
  if (stream.write(message)) return;
  await new Promise<void>((resolve) => {
    const go = (): void => {
      stream.off("drain", go).off("close", go);
      resolve();
    };
    stream.on("drain", go).on("close", go);
  });
}

async function* messagesOf(stream: ServerHttp2Stream): AsyncGenerator<Buffer> {
  let rest: Buffer = Buffer.alloc(0);
  // Leaving the loop early, after the only message of a call, must not reset the call.
  for await (const chunk of stream.iterator({ destroyOnReturn: false })) {
    rest = rest.length === 0 ? (chunk as Buffer) : Buffer.concat([rest, chunk as Buffer]);
    while (rest.length >= 5) {
      const length = rest.readUInt32BE(1);
      if (rest[0] !== 0 || length > maxMessageBytes)
        throw new GrpcStatus(grpcInternal, "the message is not acceptable");
      if (rest.length < 5 + length) break;
      yield rest.subarray(5, 5 + length);
      rest = rest.subarray(5 + length);
    }
  }
}
