import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, sep } from "node:path";
import { SlipwayError } from "../../core/errors/error.ts";

/** What is at a path: null where nothing is. What is no file, or larger than anything of ours, is somebody else's. */
export function textAt(path: string): string | null {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return null;
  return stat.isFile() && stat.size <= 4 * 1024 * 1024 ? readFileSync(path, "utf8") : "";
}

/** Whole or not at all, and never through a link that leads out of the repository. */
export function writeInside(
  top: string,
  path: string,
  { text, executable }: { readonly text: string; readonly executable: boolean },
): void {
  mustBeInside(top, path);
  mkdirSync(dirname(path), { recursive: true });
  const draft = `${path}.slipway-new`;
  rmSync(draft, { force: true });
  writeFileSync(draft, text, { mode: executable ? 0o755 : 0o644, flag: "wx" });
  if (lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true) {
    rmSync(draft, { force: true });
    throw new SlipwayError("USAGE", {
      message: `${path} is a directory; nothing was written there`,
      hint: "move it away",
    });
  }
  renameSync(draft, path);
}

export function removeInside(top: string, path: string): void {
  mustBeInside(top, path);
  rmSync(path, { force: true });
}

function mustBeInside(top: string, path: string): void {
  let above = dirname(path);
  while (!existsSync(above)) above = dirname(above);
  const real = realpathSync(above);
  if (real === top || real.startsWith(join(top, sep))) return;
  throw new SlipwayError("USAGE", {
    message: `${path} would be written outside the repository: ${above} leads to ${real}`,
    hint: "take the link away, or leave that artifact out",
  });
}
