import { lstat, readdir, readlink } from "node:fs/promises";
import { join } from "node:path";
import type { Ignore } from "../../../../core/build/ignore.ts";
import { SlipwayError } from "../../../../core/errors/error.ts";
import type { EpochMs } from "../../../../core/ids.ts";
import type { ContextEntry } from "./entries.ts";

/** More than any checkout has; fewer than fill an engine's disk by mistake. */
const maxEntries = 300_000;
const maxBytes = 4 * 1024 ** 3;

/**
 * Everything in the directory that is not ignored, each directory before what is in it, in byte order. Links are sent as
 * links and never followed, so that nothing outside the directory is read. An ignored directory is there when something in it was taken back.
 * All times are `modifiedAt`, all owners root: what was checked out when and by whom is not part of an image.
 */
export async function collect(directory: string, ignore: Ignore, modifiedAt: EpochMs): Promise<ContextEntry[]> {
  const entries: ContextEntry[] = [];
  let bytes = 0;
  const add = (entry: ContextEntry): void => {
    entries.push(entry);
    bytes += entry.type === "file" ? entry.size : 0;
    if (entries.length > maxEntries) throw tooLarge(directory, `more than ${maxEntries} files`);
    if (bytes > maxBytes) throw tooLarge(directory, `more than ${maxBytes / 1024 ** 3} GiB`);
  };
  /** `pending` are the ignored directories above, which are only sent when something in them is. */
  const visit = async (prefix: string, pending: readonly ContextEntry[]): Promise<void> => {
    let above = pending;
    const keep = (entry: ContextEntry): void => {
      for (const each of above) add(each);
      above = [];
      add(entry);
    };
    const names = await readdir(join(directory, prefix));
    for (const name of names.sort(byBytes)) {
      const path = prefix + name;
      const file = join(directory, path);
      const stat = await lstat(file);
      const common = { path, mode: stat.mode & 0o7777, modifiedAt };
      const isIgnored = ignore.ignores(path);
      if (stat.isDirectory()) {
        const entry: ContextEntry = { ...common, type: "directory" };
        if (!isIgnored) keep(entry);
        else if (!ignore.takesBack) continue;
        const before = entries.length;
        await visit(`${path}/`, isIgnored ? [...above, entry] : []);
        if (entries.length > before) above = [];
      } else if (isIgnored) continue;
      else if (stat.isSymbolicLink()) keep({ ...common, type: "symlink", mode: 0o777, target: await readlink(file) });
      else if (stat.isFile()) keep({ ...common, type: "file", size: stat.size, file });
      // Sockets, pipes and devices are nothing to build from.
    }
  };
  await visit("", []);
  return entries;
}

function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function tooLarge(directory: string, what: string): SlipwayError {
  return new SlipwayError("ARTIFACT_TOO_LARGE", {
    message: `the build context ${directory} has ${what}`,
    hint: "leave out what the image does not need by a .dockerignore",
  });
}
