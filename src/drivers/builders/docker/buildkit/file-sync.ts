import type { ContextEntry } from "../context/entries.ts";
import { contentOf } from "../context/tar-stream.ts";
import { type GrpcCall, type GrpcMethod, GrpcStatus, grpcNotFound } from "./grpc.ts";
import { fieldsOf, MessageWriter } from "./protobuf.ts";

/** What a packet of the transfer is about; the numbers are the protocol's. */
const packet = { stat: 0, request: 1, data: 2, end: 3, error: 4 } as const;

/** Bits of Go's `os.FileMode`, which the protocol uses in place of the system's own. */
const goDirectory = 0x8000_0000;
const goSymlink = 0x0800_0000;

const nsPerMs = 1_000_000n;

/**
 * Sends directories to the engine. First every entry's name and kind, in order, then the content of the files it asks for.
 * A directory is a list that was made and filtered before: the engine's own wishes for less are not needed for correctness.
 */
export function fileSync(directories: ReadonlyMap<string, readonly ContextEntry[]>): GrpcMethod {
  return async (call) => {
    const name = String(call.headers["dir-name"] ?? "");
    const entries = directories.get(name);
    if (entries === undefined) throw new GrpcStatus(grpcNotFound, `there is no directory ${name}`);
    await Promise.all([announce(call, entries), answerRequests(call, entries)]);
  };
}

async function announce(call: GrpcCall, entries: readonly ContextEntry[]): Promise<void> {
  for (const entry of entries) {
    await call.send(new MessageWriter().number(1, packet.stat).bytes(2, statOf(entry)).done());
  }
  await call.send(new MessageWriter().number(1, packet.stat).done());
}

/** The id of a file is its place in the list that was announced. */
async function answerRequests(call: GrpcCall, entries: readonly ContextEntry[]): Promise<void> {
  for await (const message of call.messages) {
    const { type, id, data } = read(message);
    if (type === packet.error) throw new GrpcStatus(13, data.toString("utf8").slice(0, 1000));
    if (type === packet.end) return call.send(new MessageWriter().number(1, packet.end).done());
    if (type === packet.request) await sendContent(call, id, entries[id]);
  }
}

async function sendContent(call: GrpcCall, id: number, entry: ContextEntry | undefined): Promise<void> {
  if (entry?.type !== "file") throw new GrpcStatus(grpcNotFound, `there is no file ${id}`);
  for await (const chunk of contentOf(entry)) {
    await call.send(new MessageWriter().number(1, packet.data).number(3, id).bytes(4, chunk).done());
  }
  // No data is the end of the file.
  await call.send(new MessageWriter().number(1, packet.data).number(3, id).done());
}

function statOf(entry: ContextEntry): Buffer {
  const kind = entry.type === "directory" ? goDirectory : entry.type === "symlink" ? goSymlink : 0;
  const stat = new MessageWriter()
    .text(1, entry.path)
    .number(2, kind + entry.mode)
    .number(5, entry.type === "file" ? entry.size : 0)
    .number(6, BigInt(entry.modifiedAt) * nsPerMs);
  if (entry.type === "symlink") stat.text(7, entry.target);
  return stat.done();
}

function read(message: Buffer): { type: number; id: number; data: Buffer } {
  let [type, id, data] = [0, 0, Buffer.alloc(0) as Buffer];
  for (const field of fieldsOf(message)) {
    if (field.number === 1) type = Number(field.varint);
    if (field.number === 3) id = Number(field.varint);
    if (field.number === 4) data = field.bytes;
  }
  return { type, id, data };
}
