import { type ArtifactName, artifactNames, type SynthFile } from "./artifact.ts";

/** SHA-256 of a text, in hexadecimal; core touches nothing, so it is given. */
export type Sha256 = (text: string) => string;

/** What a file on disk is to us. */
export type Ownership =
  /** Written by synth, and as it was written. */
  | "ours"
  /** Written by synth, and changed by somebody since. */
  | "changed"
  /** Somebody else's. */
  | "foreign";

const words = "change slipway.config.* and run it again, not this file.";
const markLine = /^(?:#|\/\/|<!--) Written by slipway synth ([a-z]+); .* sha256:([0-9a-f]{64})(?: -->)?$/m;

/** The artifact that a file with a mark was written as; null: there is no mark of ours in it. */
export function artifactOf(text: string): ArtifactName | null {
  const name = markLine.exec(text.replaceAll("\r\n", "\n"))?.[1];
  return artifactNames.find((known) => known === name) ?? null;
}

/** Pins of actions are moved on by Dependabot, in the repository: they are no part of what a file is held against. */
const pin = /(\buses: [\w.-]+\/[\w./-]+)@([0-9a-f]{40})( # \S+)?$/gm;

export const withoutPins = (text: string): string => text.replaceAll(pin, "$1@pin");

/** The text with the pins that a file has already. */
export function withPinsOf(text: string, found: string): string {
  const pins = new Map(
    [...found.matchAll(pin)].map(([, use = "", commit, version = ""]) => [use, `@${commit}${version}`]),
  );
  return text.replaceAll(pin, (whole, use: string) => (pins.has(use) ? `${use}${pins.get(use)}` : whole));
}

/** The file's text with its mark, which holds the digest of all the rest: so that a change by hand is seen. */
export function marked(
  { artifact, text, comment, markAt }: Pick<SynthFile, "artifact" | "text" | "comment" | "markAt">,
  sha256: Sha256,
): string {
  const mark = `${comment} Written by slipway synth ${artifact}; ${words} sha256:${sha256(withoutPins(text))}${comment === "<!--" ? " -->" : ""}`;
  if (markAt === "end") return `${text}${mark}\n`;
  if (!text.startsWith("#!")) return `${mark}\n${text}`;
  const end = text.indexOf("\n") + 1;
  return `${text.slice(0, end)}${mark}\n${text.slice(end)}`;
}

/** Whose file this is. Line ends that git has turned are no change. */
export function ownershipOf(text: string, sha256: Sha256): Ownership {
  const lines = text.replaceAll("\r\n", "\n").split("\n");
  const at = lines.findIndex((line) => markLine.test(line));
  if (at === -1) return "foreign";
  const digest = markLine.exec(lines[at] ?? "")?.[2];
  return sha256(withoutPins(lines.filter((_, index) => index !== at).join("\n"))) === digest ? "ours" : "changed";
}
