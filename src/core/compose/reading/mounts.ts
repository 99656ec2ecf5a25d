import type { ComposeFileMount, ComposeMount } from "../model.ts";
import { cleanPath } from "../paths.ts";
import { isMap } from "../tree.ts";
import { Fields, fileMode, type Read } from "./fields.ts";

const types = ["bind", "volume", "tmpfs", "cluster", "npipe", "image"] as const;
const shortForm = '"name:/path", "./directory:/path:ro" or "/path", or an object with type, source and target';

/** One entry of `volumes`. */
export const mount: Read<ComposeMount> = (value, at, notes) => {
  if (isMap(value)) return longMount(value, at, notes);
  const found = typeof value === "string" ? shortMount(value) : null;
  if (found === null) notes.refuse(at, value, shortForm);
  return found;
};

const longMount: Read<ComposeMount> = (value, at, notes) => {
  const fields = new Fields(value, at, notes);
  const type = fields.choice("type", types);
  const target = fields.text("target");
  const found = {
    source: fields.text("source"),
    readOnly: fields.flag("read_only") ?? false,
    consistency: fields.text("consistency"),
    bind: fields.read("bind", bind),
    volume: fields.read("volume", volume),
    tmpfs: fields.read("tmpfs", tmpfs),
  };
  fields.kept("image", "cluster");
  fields.end();
  if (!fields.has("type")) notes.error(at, `a mount has no type`, { allowed: `one of ${types.join(", ")}` });
  if (!fields.has("target")) notes.error(at, "a mount has no target", { allowed: "an absolute path" });
  if (type === "bind" && found.source === null)
    notes.error(at, "a bind has no source", { allowed: "a path on the host" });
  return type === null || target === null ? null : { type, target: cleanPath(target), ...found };
};

const bind: Read<NonNullable<ComposeMount["bind"]>> = (value, at, notes) => {
  const fields = new Fields(value, at, notes);
  const found = {
    createHostPath: fields.flag("create_host_path") ?? true,
    propagation: fields.text("propagation"),
    selinux: fields.text("selinux"),
    recursive: fields.text("recursive"),
  };
  fields.end();
  return found;
};

const volume: Read<NonNullable<ComposeMount["volume"]>> = (value, at, notes) => {
  const fields = new Fields(value, at, notes);
  const found = {
    noCopy: fields.flag("nocopy") ?? false,
    subpath: fields.text("subpath"),
    labels: fields.labels("labels"),
  };
  fields.end();
  return found;
};

const tmpfs: Read<NonNullable<ComposeMount["tmpfs"]>> = (value, at, notes) => {
  const fields = new Fields(value, at, notes);
  const found = { sizeBytes: fields.bytes("size"), mode: fields.read("mode", fileMode) };
  fields.end();
  return found;
};

const propagations = ["rprivate", "private", "rshared", "shared", "rslave", "slave"];

/** `target`, `source:target` or `source:target:options`. Null for anything else. */
function shortMount(text: string): ComposeMount | null {
  const parts = text.split(":");
  if (parts.length > 3 || parts.some((part) => part === "")) return null;
  const [source, target] = parts.length === 1 ? [null, parts[0]!] : [parts[0]!, parts[1]!];
  const options = (parts[2] ?? "").split(",");
  const isBind = source !== null && /^[./~]/.test(source);
  const noCopy = options.includes("nocopy");
  const propagation = options.findLast((option) => propagations.includes(option)) ?? null;
  const selinux = options.findLast((option) => option === "z" || option === "Z") ?? null;
  const bound = isBind || propagation !== null || selinux !== null;
  return {
    type: isBind ? "bind" : "volume",
    source,
    target: cleanPath(target),
    readOnly: options.findLast((option) => option === "ro" || option === "rw") === "ro",
    consistency: null,
    bind: bound ? { createHostPath: isBind, propagation, selinux, recursive: null } : null,
    volume: isBind && !noCopy ? null : { noCopy, subpath: null, labels: {} },
    tmpfs: null,
  };
}

/** One entry of `secrets` or `configs` of a service or a build. */
export const fileMount: Read<ComposeFileMount> = (value, at, notes) => {
  if (typeof value === "string") return { source: value, target: null, uid: null, gid: null, mode: null };
  const fields = new Fields(value, at, notes);
  const source = fields.text("source");
  const found = {
    target: fields.text("target"),
    uid: fields.text("uid"),
    gid: fields.text("gid"),
    mode: fields.read("mode", fileMode),
  };
  fields.end();
  if (source === null && !fields.has("source")) notes.error(at, "it has no source", { allowed: "a name" });
  return source === null ? null : { source, ...found };
};
