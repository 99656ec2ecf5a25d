import { connect } from "node:tls";

/** What became of a request that was sent as raw frames: the status, if it has one of the static table, or why it was refused. */
export type FrameAnswer = {
  readonly status: number | null;
  readonly reset: number | null;
  readonly goaway: number | null;
};

type Pair = readonly [name: string, value: string];

/** Frame types of RFC 9113 §6. */
const type = { data: 0, headers: 1, reset: 3, settings: 4, ping: 6, goaway: 7, continuation: 9 } as const;
const endStream = 0x1;
const endHeaders = 0x4;
/** Statuses of HPACK's static table (RFC 7541, appendix A), by their byte. */
const statuses = new Map([
  [0x88, 200],
  [0x89, 204],
  [0x8a, 206],
  [0x8b, 304],
  [0x8c, 400],
  [0x8d, 404],
  [0x8e, 500],
]);

export const headersFrame = (stream: number, block: Buffer, flags = endStream | endHeaders): Buffer =>
  frame(type.headers, flags, stream, block);
export const continuationFrame = (stream: number, block: Buffer): Buffer => frame(type.continuation, 0, stream, block);
export const resetFrame = (stream: number): Buffer => frame(type.reset, 0, stream, Buffer.from([0, 0, 0, 8]));
export const dataFrame = (stream: number, data: string, flags = endStream): Buffer =>
  frame(type.data, flags, stream, Buffer.from(data, "latin1"));
export const pingFrame = (): Buffer => frame(type.ping, 0, 0, Buffer.alloc(8));
export const emptySettings = (): Buffer => frame(type.settings, 0, 0, Buffer.alloc(0));

/** Literals without indexing and without Huffman's code (RFC 7541 §6.2.2): any bytes can be said. */
export function headerBlock(pairs: readonly Pair[]): Buffer {
  return Buffer.concat(pairs.flatMap(([name, value]) => [Buffer.from([0]), literal(name), literal(value)]));
}

/** Sends frames after the preface and reads what comes until stream 1 is decided or the connection is over. */
export function sendFrames(port: number, frames: readonly Buffer[], { stream = 1 } = {}): Promise<FrameAnswer> {
  return new Promise((resolve) => {
    const socket = connect({
      port,
      host: "127.0.0.1",
      rejectUnauthorized: false,
      servername: "h",
      ALPNProtocols: ["h2"],
    });
    let waiting = Buffer.alloc(0);
    let goaway: number | null = null;
    const done = (status: number | null, reset: number | null): void => {
      socket.destroy();
      resolve({ status, reset, goaway });
    };
    socket.on("error", () => done(null, null)).on("close", () => done(null, null));
    socket.on("data", (chunk: Buffer) => {
      waiting = Buffer.concat([waiting, chunk]);
      while (waiting.length >= 9) {
        const length = waiting.readUIntBE(0, 3);
        if (waiting.length < 9 + length) return;
        const kind = waiting[3];
        const payload = waiting.subarray(9, 9 + length);
        const of = waiting.readUInt32BE(5) & 0x7fffffff;
        waiting = waiting.subarray(9 + length);
        if (kind === type.goaway) {
          goaway = payload.readUInt32BE(4);
          // Not a goodbye: the connection is refused as a whole.
          if (goaway !== 0) done(null, null);
        }
        if (of !== stream) continue;
        if (kind === type.headers) done(statusOf(payload), null);
        if (kind === type.reset) done(null, payload.readUInt32BE(0));
      }
    });
    socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    for (const one of [emptySettings(), ...frames]) socket.write(one);
  });
}

/** Skips updates of the table's size (RFC 7541 §6.3). */
function statusOf(block: Buffer): number | null {
  let at = 0;
  while (((block[at] ?? 0) & 0xe0) === 0x20) {
    if (((block[at] ?? 0) & 0x1f) === 0x1f) while (((block[at + 1] ?? 0) & 0x80) !== 0) at += 1;
    at += ((block[at] ?? 0) & 0x1f) === 0x1f ? 2 : 1;
  }
  return statuses.get(block[at] ?? 0) ?? null;
}

function frame(kind: number, flags: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = kind;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** A string of HPACK (RFC 7541 §5.2), its length as an integer with a prefix of seven bits. */
function literal(text: string): Buffer {
  const bytes = Buffer.from(text, "latin1");
  if (bytes.length < 127) return Buffer.concat([Buffer.from([bytes.length]), bytes]);
  const length = [127];
  let rest = bytes.length - 127;
  for (; rest >= 128; rest >>>= 7) length.push((rest & 0x7f) | 0x80);
  length.push(rest);
  return Buffer.concat([Buffer.from(length), bytes]);
}
