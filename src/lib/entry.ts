import { fileURLToPath } from "node:url";

/**
 * The compiled file of a program that is started as a child process. `from` is the caller's `import.meta.url`, `relative`
 * the program's source path from there. Tests run from `src/`, the product from `dist/`; children always run from `dist/`.
 */
export function entryFile(from: string, relative: string): string {
  const here = fileURLToPath(new URL(relative, from));
  return here.replace(/([/\\])src([/\\](?!.*[/\\]src[/\\]))/, "$1dist$2").replace(/\.ts$/, ".js");
}
