import { fileURLToPath } from "node:url";

/**
 * The file of a program that is started as a process of its own. `from` is the caller's `import.meta.url`, `relative` the program's
 * source path from there. Tests run from `src/`; programs always run from `dist/programs/`, each in one file with all it needs.
 */
export function entryFile(from: string, relative: string): string {
  return compiledFile(from, relative).replace(/([/\\])dist([/\\])(?!.*[/\\]dist[/\\])/, "$1dist$2programs$2");
}

/** The compiled file of a module, for who imports it from another process or thread. */
export function compiledFile(from: string, relative: string): string {
  const here = fileURLToPath(new URL(relative, from));
  return here.replace(/([/\\])src([/\\](?!.*[/\\]src[/\\]))/, "$1dist$2").replace(/\.ts$/, ".js");
}
