import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { SlipwayError } from "../../core/errors/error.ts";
import type { Problem } from "../../core/product/problems.ts";
import type { ProductConfig } from "../../core/product/schema.ts";
import { validateProduct } from "../../core/product/validate.ts";
import { type ComposeSource, composeReaderAt } from "./compose/for-target.ts";
import { parseJsonConfig, parseYamlConfig } from "./data.ts";
import { configIn, configNames, findConfig, notFound } from "./find.ts";
import { evaluateConfig, type ModuleOptions } from "./module.ts";

/** A config that was read, right or wrong. */
export type InspectedConfig = {
  /** Absolute path. */
  readonly file: string;
  /** Null when there is an error among the problems. */
  readonly config: ProductConfig | null;
  readonly problems: readonly Problem[];
};

/** A config that may be used. */
export type LoadedConfig = {
  readonly file: string;
  readonly config: ProductConfig;
  /** Warnings only. */
  readonly problems: readonly Problem[];
};

const maxBytes = 1_000_000;

/**
 * The config in exactly this directory: the checkout of a commit, or where `findConfig` found one. Reads only; runs a
 * `.ts` or `.js` config in a worker. Errors: CONFIG_NOT_FOUND, CONFIG_UNREADABLE, CONFIG_INVALID with every problem.
 */
export async function loadConfig({ directory, ...compose }: ComposeSource): Promise<LoadedConfig> {
  const file = configIn(directory);
  if (file === null) throw notFound([directory]);
  return usable(await inspectConfig(file, {}, compose));
}

/** The config of the product that a directory is part of: there, or above it up to the top of its git repository. */
export async function loadNearestConfig(from: string): Promise<LoadedConfig> {
  return usable(await inspectConfig(findConfig(from)));
}

/**
 * A config whose text is at hand, such as one of another commit. `fileName` says how it is read; imports of a `.ts` or
 * `.js` config are looked for from `directory`. Errors: as `loadConfig`.
 */
export async function loadConfigText(fileName: string, text: string, directory: string): Promise<LoadedConfig> {
  return usable(await inspectText(join(directory, fileName), text, {}));
}

/** Reads and checks a file and throws only when it cannot be read: for `slipway validate`. Errors: CONFIG_NOT_FOUND, CONFIG_UNREADABLE. */
export async function inspectConfig(
  file: string,
  options: ModuleOptions = {},
  compose: Omit<ComposeSource, "directory"> = {},
): Promise<InspectedConfig> {
  return inspectText(file, await readConfigFile(file), options, compose);
}

async function inspectText(
  file: string,
  text: string,
  options: ModuleOptions,
  compose: Omit<ComposeSource, "directory"> = {},
): Promise<InspectedConfig> {
  const value = await parseConfig(file, text, options);
  const readCompose = composeReaderAt({ ...compose, directory: dirname(file) });
  return { file, ...validateProduct(value, { readCompose }) };
}

async function parseConfig(file: string, text: string, options: ModuleOptions): Promise<unknown> {
  const name = basename(file);
  if (text.trim() === "")
    throw new SlipwayError("CONFIG_UNREADABLE", { message: `${name} is empty`, hint: "run: slipway init --force" });
  if (name.endsWith(".json")) return parseJsonConfig(text, name);
  if (/\.ya?ml$/.test(name)) return parseYamlConfig(text, name);
  if (/\.m?[tj]s$/.test(name)) return evaluateConfig(text, file, name, options);
  throw new SlipwayError("CONFIG_UNREADABLE", {
    message: `${name} is not a name of a config`,
    hint: `name it one of ${configNames.join(", ")}`,
  });
}

function usable({ file, config, problems }: InspectedConfig): LoadedConfig {
  if (config !== null) return { file, config, problems };
  const errors = problems.filter(({ severity }) => severity === "error");
  throw new SlipwayError("CONFIG_INVALID", {
    message: `${basename(file)} has ${errors.length} problem${errors.length === 1 ? "" : "s"}`,
    evidence: errors.map(({ path, message }) => [path === "" ? "(the whole file)" : path, message] as const),
  });
}

async function readConfigFile(file: string): Promise<string> {
  const name = basename(file);
  let handle: FileHandle;
  try {
    // Not waiting, because a pipe of that name would have us wait for ever.
    handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === "ENOENT") throw new SlipwayError("CONFIG_NOT_FOUND", { message: `there is no file ${file}`, cause });
    throw new SlipwayError("CONFIG_UNREADABLE", {
      message: `${name} cannot be read: ${message}`,
      hint: "check the file's permissions",
      cause,
    });
  }
  try {
    const stats = await handle.stat();
    if (!stats.isFile())
      throw new SlipwayError("CONFIG_UNREADABLE", {
        message: `${file} is ${stats.isDirectory() ? "a directory" : "not a file"}`,
        hint: "name the config itself, as in: slipway validate slipway.config.ts; or give what has its name another one, and run: slipway init",
      });
    const { size } = stats;
    if (size > maxBytes)
      throw new SlipwayError("CONFIG_UNREADABLE", {
        message: `${name} has ${size} bytes; at most ${maxBytes} are read`,
        hint: "is it the right file?",
      });
    return decode(await handle.readFile(), name);
  } catch (cause) {
    if (cause instanceof SlipwayError) throw cause;
    throw new SlipwayError("CONFIG_UNREADABLE", {
      message: `${name} cannot be read: ${(cause as Error).message}`,
      hint: "is it a file?",
      cause,
    });
  } finally {
    await handle.close();
  }
}

/** UTF-8, with or without a byte order mark. */
function decode(bytes: Buffer, name: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new SlipwayError("CONFIG_UNREADABLE", {
      message: `${name} is not UTF-8 text`,
      hint: "save it as UTF-8",
      cause,
    });
  }
}
