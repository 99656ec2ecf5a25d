import { Header, Pax } from "tar";

export type LaidFile = {
  /** Absolute. */
  readonly path: string;
  readonly text: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
};

const blockBytes = 512;

/** Files as one archive, with the directories above them left as the image has them, or made. */
export function archiveOf(files: readonly LaidFile[]): Buffer {
  const blocks = files.flatMap(({ path, text, mode, uid, gid }) => {
    const body = Buffer.from(text, "utf8");
    const padding = Buffer.alloc((blockBytes - (body.length % blockBytes)) % blockBytes);
    return [...headerOf({ path: path.slice(1), size: body.length, mode, uid, gid }), body, padding];
  });
  return Buffer.concat([...blocks, Buffer.alloc(2 * blockBytes)]);
}

type Entry = {
  readonly path: string;
  readonly size: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
};

function headerOf(entry: Entry): readonly Buffer[] {
  const header = new Header({ ...entry, mtime: new Date(0), type: "File", uname: "", gname: "" });
  const needsMore = header.encode();
  const block = header.block as Buffer;
  return needsMore ? [new Pax({ path: entry.path, size: entry.size, mtime: new Date(0) }).encode(), block] : [block];
}
