import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { Header, Pax } from "tar";
import { streamed } from "../../../../lib/stream-garbage.ts";
import type { ContextEntry } from "./entries.ts";

const blockBytes = 512;
const readBytes = 256 * 1024;

/** The entries as a tar archive, piece by piece, as the classic builder takes it. Throws when a file has changed since it was listed. */
export async function* tarOf(entries: readonly ContextEntry[]): AsyncGenerator<Buffer> {
  for (const entry of entries) {
    yield headerOf(entry);
    if (entry.type !== "file") continue;
    let seen = 0;
    for await (const chunk of contentOf(entry)) {
      seen += chunk.length;
      yield chunk;
    }
    if (seen !== entry.size) throw new Error(`${entry.path} was changed while it was sent`);
    yield Buffer.alloc((blockBytes - (seen % blockBytes)) % blockBytes);
  }
  yield Buffer.alloc(2 * blockBytes);
}

/** A link that has taken the file's place since it was listed is not followed. */
export async function* contentOf(entry: ContextEntry & { readonly type: "file" }): AsyncGenerator<Buffer> {
  if ("text" in entry) {
    yield Buffer.from(entry.text, "utf8");
    return;
  }
  const file = await open(entry.file, constants.O_RDONLY | constants.O_NOFOLLOW);
  for await (const chunk of file.createReadStream({ highWaterMark: readBytes }) as AsyncIterable<Buffer>) {
    streamed(chunk);
    yield chunk;
  }
}

function headerOf(entry: ContextEntry): Buffer {
  const type = entry.type === "directory" ? "Directory" : entry.type === "symlink" ? "SymbolicLink" : "File";
  const path = entry.type === "directory" ? `${entry.path}/` : entry.path;
  const linkpath = entry.type === "symlink" ? entry.target : "";
  const size = entry.type === "file" ? entry.size : 0;
  const mtime = new Date(entry.modifiedAt);
  const header = new Header({
    path,
    linkpath,
    size,
    mode: entry.mode,
    mtime,
    type,
    uid: 0,
    gid: 0,
    uname: "",
    gname: "",
  });
  const needsMore = header.encode();
  const block = header.block as Buffer;
  if (!needsMore) return block;
  return Buffer.concat([new Pax({ path, linkpath, size, mtime, uid: 0, gid: 0 }).encode(), block]);
}
