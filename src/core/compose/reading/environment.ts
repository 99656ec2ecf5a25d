import type { Assembly, Variables } from "../assemble.ts";
import { parseEnvFile } from "../dotenv.ts";
import type { ComposeService } from "../model.ts";
import { field, isMap } from "../tree.ts";
import { Fields, list, oneOrMore, pairs, type Read } from "./fields.ts";

/** What a service's variables come from, besides its own lines. */
export type Surroundings = Pick<Assembly, "files" | "budget" | "filledIn"> & { readonly variables: Variables };

type EnvFile = { readonly path: string; readonly required: boolean; readonly format: "dotenv" | "raw" };

/** `environment` over the files of `env_file`, of which a later one wins. */
export function environment(
  fields: Fields,
  surroundings: Surroundings,
): Pick<ComposeService, "environment" | "fromOutside"> {
  const { files, variables, budget } = surroundings;
  const lines = Object.entries(fields.read("environment", pairs) ?? {});
  const own = Object.fromEntries(
    lines.map(([name, value]) => [name, value ?? field(variables, name) ?? null] as const),
  );
  const set = Object.fromEntries(Object.entries(own).filter((entry): entry is [string, string] => entry[1] !== null));
  const lookup = (name: string) => field(variables, name) ?? field(set, name);
  let known: Readonly<Record<string, string>> = set;
  for (const { path, required, format } of fields.read("env_file", envFiles) ?? []) {
    const at = [...fields.at, "env_file"];
    const text = files.text(path);
    if (text === null && required)
      fields.notes.error(at, `there is no file ${path}`, { allowed: "a file that is there, or required: false" });
    if (text === null) continue;
    if (typeof text !== "string") {
      fields.notes.error(at, text.fault);
      continue;
    }
    const found = parseEnvFile(text, lookup, { format, budget, known });
    if (found.fault !== null) fields.notes.error(at, `${path}: ${found.fault}`);
    known = found.values;
  }
  const written = new Set(lines.filter(([, value]) => value !== null).map(([name]) => name));
  const all = { ...known, ...own };
  const { filledIn } = surroundings;
  const isOutside = (name: string) => !written.has(name) || filledIn.has(name) || filledIn.has("*");
  const fromOutside = Object.keys(all).filter(isOutside);
  return { environment: all, fromOutside };
}

/** `labels` over the files of `label_file`. */
export function labels(fields: Fields, { files, budget }: Surroundings): Readonly<Record<string, string>> {
  let known: Readonly<Record<string, string>> = {};
  for (const path of fields.read("label_file", oneOrMore) ?? []) {
    const text = files.text(path);
    const at = [...fields.at, "label_file"];
    if (typeof text !== "string") {
      fields.notes.error(at, text === null ? `there is no file ${path}` : text.fault);
      continue;
    }
    const before = known;
    const found = parseEnvFile(text, (name) => field(before, name), { budget, known });
    if (found.fault !== null) fields.notes.error(at, `${path}: ${found.fault}`);
    known = found.values;
  }
  return { ...known, ...fields.labels("labels") };
}

const envFiles: Read<readonly EnvFile[]> = (value, at, notes) =>
  typeof value === "string" ? [{ path: value, required: true, format: "dotenv" }] : list(envFile)(value, at, notes);

const envFile: Read<EnvFile> = (value, at, notes) => {
  if (typeof value === "string") return { path: value, required: true, format: "dotenv" };
  if (!isMap(value)) {
    notes.refuse(at, value, "a path, or an object with path, required and format");
    return null;
  }
  const fields = new Fields(value, at, notes);
  const path = fields.text("path");
  const required = fields.flag("required") ?? true;
  const format = fields.choice("format", ["raw", "dotenv"]) ?? "dotenv";
  fields.end();
  if (!fields.has("path")) notes.error(at, "it has no path", { allowed: "a path" });
  return path === null ? null : { path, required, format };
};
