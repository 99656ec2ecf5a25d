import { closeSync, constants, fstatSync, openSync, readFileSync, realpathSync } from "node:fs";
import { join, relative } from "node:path";
import type { ComposeFiles } from "../../../core/compose/assemble.ts";
import { isInside } from "../../../core/compose/paths.ts";
import type { ComposeDocument } from "../../../core/compose/tree.ts";
import { composeYaml } from "./yaml.ts";

const maxBytes = 1_000_000;

type Text = string | { readonly fault: string } | null;
type Documents = readonly ComposeDocument[] | { readonly fault: string } | null;

export type DiskFiles = ComposeFiles & {
  /** What was only found beside the checkout: path from there, and text. */
  readonly outside: ReadonlyMap<string, string>;
};

export type DiskOptions = {
  /** Where everything has to be; null is anywhere. */
  readonly inside: string | null;
  /** A directory that has what is not in git, at the same paths; null is none. Compose files are not looked for there. */
  readonly beside?: string | null;
};

/**
 * The files of one reading, each read once. A file over 1 MB, one that is no file (a pipe would have us wait for ever), and,
 * where `inside` is given, one that is outside of that directory (also by way of a link) is a fault.
 */
export function diskFiles({ inside, beside = null }: DiskOptions): DiskFiles {
  const texts = new Map<string, Text>();
  const documents = new Map<string, Documents>();
  const outside = new Map<string, string>();
  const own = (path: string): Text => remembered(texts, path, () => readText(path, inside));
  const elsewhere = (path: string): Text => {
    const from = inside === null ? "" : relative(inside, path);
    if (inside === null || beside === null || beside === inside || from.startsWith("..")) return null;
    const text = readText(join(beside, from), beside);
    if (typeof text === "string") outside.set(from, text);
    return text;
  };
  return {
    outside,
    text: (path) => own(path) ?? remembered(texts, `beside ${path}`, () => elsewhere(path)),
    yaml: (path) =>
      remembered(documents, path, () => {
        const found = own(path);
        if (typeof found !== "string") return found;
        const parsed = composeYaml(found);
        return "fault" in parsed ? { fault: `${path}: ${parsed.fault}` } : parsed;
      }),
  };
}

function remembered<T>(known: Map<string, T>, path: string, make: () => T): T {
  const found = known.get(path);
  if (found !== undefined) return found;
  const made = make();
  known.set(path, made);
  return made;
}

function readText(path: string, inside: string | null): Text {
  let file: number | null = null;
  try {
    if (path.includes("\0")) return { fault: "a path has a NUL in it" };
    if (inside !== null && !isInside(realpathSync(path), realpathSync(inside)))
      return { fault: `${path} is outside of ${inside}, so it is in no commit` };
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const stats = fstatSync(file);
    if (!stats.isFile()) return { fault: `${path} is not a file` };
    if (stats.size > maxBytes) return { fault: `${path} has ${stats.size} bytes; at most ${maxBytes} are read` };
    return new TextDecoder("utf-8", { fatal: true }).decode(readFileSync(file));
  } catch (cause) {
    if (cause instanceof TypeError) return { fault: `${path} is not UTF-8 text` };
    const { code, message } = cause as NodeJS.ErrnoException;
    return code === "ENOENT" || code === "ENOTDIR" ? null : { fault: `${path} cannot be read: ${message}` };
  } finally {
    if (file !== null) closeSync(file);
  }
}
