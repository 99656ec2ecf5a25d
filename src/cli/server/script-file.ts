import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { SlipwayError } from "../../core/errors/error.ts";

export const defaultScriptFile = "init-server.sh";
const firstWords = "#!/bin/sh\n# init-server.sh: ";

/** Writes the script where people find it. A file that is another one stays; the same text is not written again. */
export function writeScript(file: string, text: string): void {
  if (existsSync(file)) {
    const before = readFileSync(file, "utf8");
    if (before === text) return;
    if (!before.startsWith(firstWords)) {
      throw new SlipwayError("USAGE", {
        message: `${file} exists and is not one of ours; it was not written (the server is done)`,
        hint: "pass --script <another file>, or --no-script",
      });
    }
  }
  writeFileSync(file, text, { mode: 0o755 });
}
