import type { Readable } from "node:stream";
import { DockerError } from "./errors.ts";

export type Frame = { readonly stream: "stdout" | "stderr"; readonly data: Buffer };

const headerBytes = 8;
/** The engine splits at 16 kB (logs) and 32 kB (attach); more than this is no frame. */
const maxFrameBytes = 1_048_576;

/** The two outputs of a container without a terminal, apart again: each message has 8 bytes before it (stream, 0, 0, 0, length). */
export async function* framesOf(body: Readable): AsyncGenerator<Frame> {
  let waiting: Buffer[] = [];
  let bytes = 0;
  let wanted = headerBytes;
  for await (const chunk of body) {
    waiting.push(chunk as Buffer);
    bytes += (chunk as Buffer).length;
    if (bytes < wanted) continue;
    let rest = waiting.length === 1 ? (waiting[0] as Buffer) : Buffer.concat(waiting);
    for (;;) {
      wanted = headerBytes;
      if (rest.length < wanted) break;
      const length = rest.readUInt32BE(4);
      const kind = rest[0];
      if (kind === undefined || kind > 2 || length > maxFrameBytes) {
        throw new DockerError("PROTOCOL", "the output of a container is not in frames", { call: "stream" });
      }
      wanted = headerBytes + length;
      if (rest.length < wanted) break;
      yield { stream: kind === 2 ? "stderr" : "stdout", data: rest.subarray(headerBytes, wanted) };
      rest = rest.subarray(wanted);
    }
    waiting = rest.length === 0 ? [] : [rest];
    bytes = rest.length;
  }
}
