import { join } from "node:path";
import { debianPart } from "./debian-part.ts";

/** Caddys of Debian, which run unpacked, beside what is installed. */
const parts = {
  /** What users are told to have: 2.8 or newer. */
  caddy: { suite: "sid", package: "caddy", path: "usr/bin/caddy" },
  /** Debian 12's and 13's 2.6.2, which is refused. */
  "caddy-old": { suite: "bookworm", package: "caddy", path: "usr/bin/caddy" },
} as const;

export type Part = keyof typeof parts;

/** The path of a real program, from Debian's archive (see `debianPart`). */
export async function caddyPart(part: Part): Promise<string> {
  const { path, ...from } = parts[part];
  return join(await debianPart({ name: part, ...from, whole: false }), path);
}
