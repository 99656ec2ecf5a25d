import type { SynthFile } from "./artifact.ts";
import { marked, ownershipOf, type Sha256, withoutPins, withPinsOf } from "./mark.ts";

/** How a file on disk stands to what it should be, and so what is done about it. */
export type Standing =
  /** It is what it should be. */
  | "same"
  /** It is not there: it is written. */
  | "absent"
  /** It is as synth wrote it, from another config or tree: it is written anew. */
  | "outdated"
  /** A person has changed it: left alone, unless forced. */
  | "changed"
  /** It is somebody else's: left alone, unless forced. */
  | "foreign";

export type Standings = { readonly file: SynthFile; readonly standing: Standing; readonly wanted: string };

/** `text` is what is on disk; null where nothing is. */
export function standingOf(file: SynthFile, text: string | null, sha256: Sha256): Standings {
  const wanted = text === null ? marked(file, sha256) : withPinsOf(marked(file, sha256), text);
  const at = (standing: Standing): Standings => ({ file, standing, wanted });
  if (text === null) return at("absent");
  const found = text.replaceAll("\r\n", "\n");
  // `server bootstrap` writes the same text without a mark.
  if (withoutPins(found) === withoutPins(wanted) || (file.markAt === "end" && found === file.text)) return at("same");
  const ownership = ownershipOf(found, sha256);
  return at(ownership === "ours" ? "outdated" : ownership);
}
