import type { Duplex } from "node:stream";

/**
 * What goes over the connection of a command, both ways: one byte that says what, four for the length (big-endian), then that many
 * bytes. The first frame of a client is `start`; the last of the control plane is `exit` or `error`.
 */
export const frameKinds = [
  "start",
  "stdin",
  "stdin-end",
  "resize",
  "signal",
  "stdout",
  "stderr",
  "exit",
  "error",
] as const;
export type FrameKind = (typeof frameKinds)[number];
export type CommandFrame = { readonly kind: FrameKind; readonly data: Buffer };

/** The word of the upgrade. Rises when a client and a control plane would misunderstand each other. */
export const commandProtocol = "slipway-command-1";

const headBytes = 5;
/** A command with its arguments; what is printed comes in smaller pieces. */
const maxFrameBytes = 1024 * 1024;

/** Resolves when there is room for more, or nobody listens any more. */
export async function writeFrame(to: Duplex, kind: FrameKind, data: Buffer | string = ""): Promise<void> {
  const content = typeof data === "string" ? Buffer.from(data) : data;
  const head = Buffer.alloc(headBytes);
  head[0] = frameKinds.indexOf(kind);
  head.writeUInt32BE(content.length, 1);
  if (to.destroyed || !to.writable || to.write(Buffer.concat([head, content]))) return;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      to.off("drain", done).off("close", done);
      resolve();
    };
    to.on("drain", done).on("close", done);
  });
}

/** Frames until the other side ends. Throws when what comes is none. */
export async function* readFrames(from: Duplex, head: Buffer = Buffer.alloc(0)): AsyncGenerator<CommandFrame> {
  let rest = head;
  for (;;) {
    while (rest.length >= headBytes) {
      const kind = frameKinds[rest[0] ?? -1];
      const length = rest.readUInt32BE(1);
      if (kind === undefined || length > maxFrameBytes) throw new Error("what came is no frame of a command");
      if (rest.length < headBytes + length) break;
      yield { kind, data: rest.subarray(headBytes, headBytes + length) };
      rest = rest.subarray(headBytes + length);
    }
    const chunk: Buffer | null = await nextChunk(from);
    if (chunk === null) return;
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
  }
}

async function nextChunk(from: Duplex): Promise<Buffer | null> {
  for (;;) {
    const chunk = from.read() as Buffer | null;
    if (chunk !== null) return chunk;
    if (from.readableEnded || from.destroyed) return null;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        from.off("readable", done).off("end", done).off("close", done).off("error", done);
        resolve();
      };
      from.on("readable", done).on("end", done).on("close", done).on("error", done);
    });
  }
}
