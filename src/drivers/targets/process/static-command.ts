import { entryFile } from "../../../lib/entry.ts";

/** The command of a `static` service's revision. */
export function staticServerCommand(fallbackFile: string | null): readonly string[] {
  const program = entryFile(import.meta.url, "./static-server.ts");
  return [process.execPath, program, ...(fallbackFile === null ? [] : [fallbackFile])];
}
