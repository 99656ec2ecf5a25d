import { existsSync, realpathSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import type { Variables } from "../../../core/compose/assemble.ts";
import { parseEnvFile } from "../../../core/compose/dotenv.ts";
import { type ComposeReading, readModel } from "../../../core/compose/read.ts";
import type { Problem } from "../../../core/product/problems.ts";
import { type DiskFiles, diskFiles } from "./disk.ts";

export type ComposeOptions = {
  /** Where the project is: its files are looked for here, and `.env` is read here. */
  readonly directory: string;
  /**
   * Compose files, relative to `directory`; the first one's directory is what relative paths in them begin at. Left out: those
   * of `COMPOSE_FILE`, or `compose.yaml` (or its other names) with `compose.override.yaml` over it where that is.
   */
  readonly files?: readonly string[];
  readonly profiles?: readonly string[];
  /** Left out: `COMPOSE_PROJECT_NAME`, the `name` in the file, or the name of the directory. */
  readonly name?: string;
  /** Where nothing else names it, instead of the directory's name. */
  readonly fallbackName?: string;
  /** Variables that win over those of `.env`. Only what is given: never those of this process. */
  readonly variables?: Variables;
  /** Instead of `.env`, relative to `directory`. */
  readonly envFiles?: readonly string[];
  /** Refuse files outside of this directory: what is deployed from a commit has to be in it. */
  readonly inside?: string;
  /** Where what is not in `inside` is looked for besides: what is not in git. Not for Compose files themselves. */
  readonly beside?: string;
  /** What `~` in paths stands for. */
  readonly home?: string;
};

export type ReadCompose = ComposeReading & {
  /** Absolute paths of the Compose files that were named or found; not those that they include. */
  readonly files: readonly string[];
  /** What `$NAME` was looked up in. */
  readonly variables: Variables;
  /** For reading more of the project: what was read already is not read again. */
  readonly disk: DiskFiles;
};

const names = ["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"];
const overrides = [
  "compose.override.yml",
  "compose.override.yaml",
  "docker-compose.override.yml",
  "docker-compose.override.yaml",
];

/** Reads a Compose project from the disk. Changes nothing; never throws for what the files say: see `problems`. */
export function readCompose(options: ComposeOptions): ReadCompose {
  const directory = resolve(options.directory);
  const disk = diskFiles({ inside: options.inside ?? null, beside: options.beside ?? null });
  const own = options.variables ?? {};
  const problems: Problem[] = [];
  const found = options.files === undefined ? defaultFiles(directory) : [];
  const beside = disk.text(join(directory, ".env")) === null ? [] : [".env"];
  let dotenv: Variables = {};
  for (const path of options.envFiles ?? beside) {
    const file = join(directory, path);
    const text = disk.text(file);
    const fault = text === null ? `there is no file ${file}` : typeof text === "string" ? null : text.fault;
    const parsed = typeof text === "string" ? parseEnvFile(text, (name) => own[name], { known: dotenv }) : null;
    dotenv = parsed?.values ?? dotenv;
    const wrong = fault ?? parsed?.fault ?? null;
    if (wrong !== null) problems.push(problemOf(path, wrong));
  }
  const variables = { ...withoutDigits(dotenv), ...own };
  const files = (options.files ?? listIn(variables) ?? found).map((file) => resolve(directory, file));
  if (files.length === 0)
    problems.push(problemOf("", `there is no Compose file in ${directory}`, `one of ${names.join(", ")}`));
  if (problems.length > 0) return { model: null, problems, files, variables, disk };
  const profiles = options.profiles ?? (variables.COMPOSE_PROFILES ?? "").split(",").filter((name) => name !== "");
  const reading = readModel(
    {
      paths: files,
      directory: realDirectory(dirname(files[0]!)),
      name: options.name ?? null,
      ...(options.fallbackName === undefined ? {} : { fallbackName: options.fallbackName }),
      profiles,
      variables,
      home: options.home ?? null,
    },
    disk,
  );
  return { ...reading, files, variables, disk };
}

function defaultFiles(directory: string): readonly string[] {
  const base = names.find((name) => existsSync(join(directory, name)));
  const over = overrides.find((name) => existsSync(join(directory, name)));
  return base === undefined ? [] : over === undefined ? [base] : [base, over];
}

function listIn(variables: Variables): readonly string[] | null {
  const list = variables.COMPOSE_FILE;
  return list === undefined || list === "" ? null : list.split(variables.COMPOSE_PATH_SEPARATOR || ":");
}

/** Names that begin with a digit are no variables. */
function withoutDigits(variables: Variables): Variables {
  return Object.fromEntries(Object.entries(variables).filter(([name]) => !/^\d/.test(name)));
}

function realDirectory(directory: string): string {
  return existsSync(directory) ? realpathSync(directory) : directory;
}

function problemOf(path: string, message: string, allowed: string | null = null): Problem {
  return { path, message, seen: null, allowed, guess: null, severity: "error" };
}
