import { type Problem, pathText } from "../product/problems.ts";
import { aKindOf, show } from "../product/wording.ts";
import { type At, isList, isMap, type Raw } from "./tree.ts";

type More = {
  /** The value that is refused; left out where there is none. */
  readonly seen?: Raw;
  readonly allowed?: string;
  readonly guess?: string;
};

// More than that nobody reads, and a hostile file could have millions.
const maxProblems = 1_000;

/**
 * Collects everything that is wrong with a Compose file. Values of variables, arguments, commands and the like are never
 * shown: they are where people have their secrets, if only by interpolation.
 */
export class Notes {
  readonly #problems = new Map<string, Problem>();

  get problems(): readonly Problem[] {
    return [...this.#problems.values()];
  }

  get failed(): boolean {
    return this.problems.some(({ severity }) => severity === "error");
  }

  error(at: At, message: string, more: More = {}): void {
    this.#add("error", at, message, more);
  }

  warn(at: At, message: string, more: More = {}): void {
    this.#add("warning", at, message, more);
  }

  /** A value of the wrong kind: shows it and says what may be there. */
  refuse(at: At, seen: Raw, allowed: string): void {
    this.error(at, `${shown(at, seen)} does not fit here; use ${allowed}`, { seen, allowed });
  }

  #add(severity: Problem["severity"], at: At, message: string, { seen, allowed, guess }: More): void {
    const path = pathText(at);
    const key = `${severity} ${path} ${message}`;
    if (this.#problems.size >= maxProblems || this.#problems.has(key)) return;
    this.#problems.set(key, {
      path,
      message,
      seen: seen === undefined ? null : shown(at, seen),
      allowed: allowed ?? null,
      guess: guess ?? null,
      severity,
    });
  }
}

const maySecret: ReadonlySet<string> = new Set([
  "environment",
  "args",
  "labels",
  "command",
  "entrypoint",
  "test",
  "content",
  "options",
  "driver_opts",
  "annotations",
]);

/** The value, short; its kind only where it may be a secret. */
function shown(at: At, seen: Raw): string {
  if (isMap(seen)) return "an object";
  if (isList(seen)) return "a list";
  const secret = at.some((part) => typeof part === "string" && maySecret.has(part)) || hasPassword(seen);
  return secret ? aKindOf(seen) : typeof seen === "bigint" ? String(seen) : show(seen);
}

/** `https://user:password@host` */
function hasPassword(seen: Raw): boolean {
  return typeof seen === "string" && /:\/\/[^/\s]*@/.test(seen);
}
