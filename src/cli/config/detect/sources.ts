import { closeSync, existsSync, openSync, readdirSync, readSync, statSync } from "node:fs";
import { join } from "node:path";
import type { ServiceInput } from "../../../core/product/input.ts";
import { asArguments } from "../../../core/product/wording.ts";

/** One service that was recognised, and how sure that is. */
export type Draft = {
  readonly name: string;
  readonly service: ServiceInput;
  /** The file and what in it: `package.json: script "start"`. */
  readonly from: string;
  /** What may be wrong about it, each in a sentence for a comment. */
  readonly guesses: readonly string[];
  /** Its own, from the top of the repository; where there is none, that of its path counts. */
  readonly dockerfile?: string;
};

/** What one kind of file told. */
export type Reading = {
  readonly drafts: readonly Draft[];
  /** What a person should know and the config cannot say, such as an accessory. */
  readonly notes: readonly string[];
  /** The product's name, where the file says one. */
  readonly product?: string;
};

export const nothing: Reading = { drafts: [], notes: [] };

const maxBytes = 256_000;

/** The files of a repository, read carefully: what is absent, too large or unreadable is null. */
export type Sources = {
  readonly read: (path: string) => string | null;
  readonly has: (path: string) => boolean;
  /** Names of the directories in a directory, sorted. */
  readonly folders: (path: string) => readonly string[];
};

export function sourcesOf(directory: string): Sources {
  return {
    read: (path) => readText(join(directory, path)),
    has: (path) => existsSync(join(directory, path)),
    folders(path) {
      try {
        const entries = readdirSync(join(directory, path), { withFileTypes: true });
        return entries
          .filter((entry) => entry.isDirectory())
          .map(({ name }) => name)
          .sort();
      } catch {
        return [];
      }
    },
  };
}

/** The same, of a directory in it. */
export function sourcesIn(sources: Sources, directory: string): Sources {
  return {
    read: (path) => sources.read(`${directory}/${path}`),
    has: (path) => sources.has(`${directory}/${path}`),
    folders: (path) => sources.folders(path === "." ? directory : `${directory}/${path}`),
  };
}

/** Reads a JSON object; null when the file is absent or is not one. */
export function readObject(sources: Sources, path: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(sources.read(path) ?? "null");
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function texts(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
}

/** A command line as an argument array; in a shell, which makes room for it (exec), only where it needs one. */
export function commandOf(line: string): string[] {
  const command = asArguments(line);
  const simple = command[0] === "sh" && command[1] === "-c" && !/[;&|]|^\s*\w+=|^\s*exec\s/.test(command[2]!);
  return simple ? ["sh", "-c", `exec ${command[2]}`] : command;
}

/** A path that a service's own code answers for its health, when the code says one in a well-known word. */
export function healthPathIn(code: string | null): string | null {
  return (
    /["'`](\/(?:api\/)?(?:healthz?|health-?check|livez|readyz|ready|up|ping|status))["'`]/.exec(code ?? "")?.[1] ?? null
  );
}

/** The health key, and the guess to tell when no path is known. */
export function healthOf(path: string | null): { health?: { path: string }; guesses: string[] } {
  if (path !== null) return { health: { path }, guesses: [] };
  return {
    guesses: [
      'No health path was found, so / is asked; better name one that looks at what the service needs: health: { path: "/up" }.',
    ],
  };
}

/** A port written into a command is not the one that Slipway gives. */
export function fixedPort(line: string): readonly string[] {
  const port = /(?:-p|--port|--bind|-b|:)[ =]?[\w.:]*?(\d{4,5})\b/.exec(line)?.[1];
  return port === undefined ? [] : [`The command names port ${port}; let it listen on the port in PORT.`];
}

function readText(file: string): string | null {
  try {
    const stats = statSync(file);
    if (!stats.isFile() || stats.size > maxBytes) return null;
    const handle = openSync(file, "r");
    try {
      const buffer = Buffer.alloc(stats.size);
      return buffer.toString("utf8", 0, readSync(handle, buffer, 0, stats.size, 0)).replace(/^\uFEFF/, "");
    } finally {
      closeSync(handle);
    }
  } catch {
    return null;
  }
}
