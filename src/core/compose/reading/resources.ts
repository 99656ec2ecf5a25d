import type { ComposeFile, ComposeNetwork, ComposeVolume } from "../model.ts";
import type { Notes } from "../notes.ts";
import { type At, isMap, type RawMap } from "../tree.ts";
import { Fields, type Read } from "./fields.ts";

/** What a resource is called in the engine: its own name, or its key behind that of the project. */
type Naming = { readonly project: string; readonly key: string };

export function network(naming: Naming): Read<ComposeNetwork> {
  return (value, at, notes) => {
    const fields = new Fields(value, at, notes);
    const found: ComposeNetwork = {
      ...identity(fields, naming),
      driver: fields.text("driver"),
      options: fields.labels("driver_opts"),
      internal: fields.flag("internal") ?? false,
      attachable: fields.flag("attachable") ?? false,
      labels: fields.labels("labels"),
      ipam: fields.read("ipam", (ipam) => (isMap(ipam) ? ipam : null)) ?? {},
      other: fields.kept("enable_ipv4", "enable_ipv6"),
    };
    fields.end();
    return found;
  };
}

export function volume(naming: Naming): Read<ComposeVolume> {
  return (value, at, notes) => {
    const fields = new Fields(value, at, notes);
    const found: ComposeVolume = {
      ...identity(fields, naming),
      driver: fields.text("driver"),
      options: fields.labels("driver_opts"),
      labels: fields.labels("labels"),
    };
    fields.end();
    const more = isMap(value) ? Object.keys(value).filter((key) => !["name", "external"].includes(key)) : [];
    const own = more.filter((key) => !key.startsWith("x-"));
    if (found.external && own.length > 0)
      notes.error(at, `an external volume is made elsewhere; leave out ${own.join(", ")}`);
    return found;
  };
}

export function secret(naming: Naming): Read<ComposeFile> {
  return fileOf(naming, ["file", "environment"]);
}

export function config(naming: Naming): Read<ComposeFile> {
  return fileOf(naming, ["file", "environment", "content"]);
}

function fileOf(naming: Naming, sources: readonly string[]): Read<ComposeFile> {
  return (value, at, notes) => {
    const fields = new Fields(value, at, notes);
    const found: ComposeFile = {
      ...identity(fields, naming),
      file: fields.text("file"),
      environment: fields.text("environment"),
      content: sources.includes("content") ? fields.text("content") : null,
      labels: fields.labels("labels"),
      driver: fields.text("driver"),
      options: fields.labels("driver_opts"),
      templateDriver: fields.text("template_driver"),
    };
    fields.end();
    oneSource(sources, found, value, at, notes);
    return found;
  };
}

function oneSource(sources: readonly string[], found: ComposeFile, value: unknown, at: At, notes: Notes): void {
  const given = sources.filter((key) => isMap(value as RawMap) && Object.hasOwn(value as RawMap, key));
  if (given.length > 1) notes.error(at, `${given.join(" and ")} do not go together; keep one of them`);
  if (given.length === 0 && found.driver === null && !found.external)
    notes.error(at, `where its content is, is missing; use one of ${sources.join(", ")}, or external`);
}

function identity(fields: Fields, { project, key }: Naming): { readonly name: string; readonly external: boolean } {
  const raw = fields.raw("external");
  // The form of old files: external with a name in it.
  const old = isMap(raw) ? new Fields(raw, [...fields.at, "external"], fields.notes) : null;
  const oldName = old?.text("name") ?? null;
  old?.end();
  const external = old !== null || (raw !== null && (fields.flag("external") ?? false));
  const own = fields.text("name");
  if (own !== null && oldName !== null && own !== oldName)
    fields.notes.error(fields.at, "name and external.name are different; keep name");
  return { external, name: own ?? oldName ?? (external ? key : `${project}_${key}`) };
}
