import { existsSync, readdirSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { SlipwayError } from "../../core/errors/error.ts";

/** In the order in which `init` prefers them; only one may be there. */
export const configNames: readonly string[] = ["ts", "mts", "js", "mjs", "json", "yaml", "yml"].map(
  (ending) => `slipway.config.${ending}`,
);

/** How far up a search goes where there is no git repository to end at. */
const maxLevels = 64;

/**
 * The config of the product that a directory is part of: looked for there and upward, to the top of the git repository.
 * Reads no file. Errors: CONFIG_NOT_FOUND, CONFIG_UNREADABLE when there are two.
 */
export function findConfig(from: string): string {
  const searched: string[] = [];
  let directory = resolve(from);
  for (let level = 0; level < maxLevels; level++) {
    const file = configIn(directory);
    if (file !== null) return file;
    searched.push(directory);
    const above = dirname(directory);
    if (existsSync(join(directory, ".git")) || above === directory) break;
    directory = above;
  }
  throw notFound(searched);
}

/** The config in exactly this directory, as in the checkout of a commit. Null when there is none. Errors: CONFIG_UNREADABLE when there are two. */
export function configIn(directory: string): string | null {
  const found = configNames.filter((name) => existsSync(join(directory, name)));
  if (found.length > 1)
    throw new SlipwayError("CONFIG_UNREADABLE", {
      message: `there are ${found.length} configs in ${directory}`,
      evidence: found.map((name) => ["found", name] as const),
      hint: `keep one of them, such as ${found[0]}`,
    });
  return found.length === 0 ? null : join(directory, found[0]!);
}

export function notFound(searched: readonly string[]): SlipwayError {
  const alike = searched.flatMap((directory) => lookalikes(directory)).slice(0, 5);
  return new SlipwayError("CONFIG_NOT_FOUND", {
    message: `there is no slipway.config in ${searched[0]}${searched.length > 1 ? " or above it" : ""}`,
    evidence: alike.map((file) => ["found", `${file}, which is not read`] as const),
    ...(alike.length === 0 ? {} : { hint: `name it one of ${configNames.join(", ")}` }),
  });
}

/** Files that were probably meant as a config. */
function lookalikes(directory: string): readonly string[] {
  try {
    return readdirSync(directory).filter(
      (name) =>
        /^\.?slipway([._-]?config)?\.(ts|mts|cts|js|mjs|cjs|json|jsonc|yaml|yml|toml)$/i.test(name) &&
        !configNames.includes(name),
    );
  } catch {
    return [];
  }
}
