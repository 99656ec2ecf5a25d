import { readFileSync } from "node:fs";
import { join } from "node:path";
import { SlipwayError } from "../core/errors/error.ts";
import { Secret } from "../core/secret.ts";
import type { Sealed } from "../engine/world.ts";
import { isSealed, type Sealer } from "../lib/sealer.ts";

/** Opens what releases hold sealed, and says whether its source in the working tree is still the same. Errors: SECRET_UNREADABLE. */
export function sealedBy(sealer: Sealer): Sealed {
  return {
    open: (text) => {
      if (!isSealed(text)) return text;
      const opened = sealer.open(text);
      if (opened !== null) return new Secret(opened);
      throw new SlipwayError("SECRET_UNREADABLE", {
        message: "the release holds a value that was sealed with another key than this state directory has",
      });
    },
    markNow: (workingTree, path) => {
      const text = path.startsWith("$") ? process.env[path.slice(1)] : textOf(join(workingTree, path));
      return text === undefined ? null : sealer.mark(text);
    },
  };
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}
