/**
 * `.dockerignore` as the engine's own tools read it (moby/patternmatcher 0.6, moby/buildkit frontend/dockerfile/dockerignore),
 * held by cases from its documentation: the last line that matches a path, or a directory above it, decides; `!` takes back in;
 * `**` is any number of directories; a leading `/` and spaces around a line mean nothing; `#` begins a comment only at the very
 * beginning of a line.
 */
export type Ignore = {
  /** Whether the path (relative, with `/`) stays out. */
  ignores(path: string): boolean;
  /** Whether something below an ignored directory may still be taken back in, so that it must be looked through. */
  readonly takesBack: boolean;
};

/** A line that is no pattern; `line` is as written. */
export class IgnorePatternError extends Error {
  override readonly name = "IgnorePatternError";
  readonly line: string;

  constructor(line: string) {
    super(`"${line}" is no pattern`);
    this.line = line;
  }
}

type Rule = { readonly takesBack: boolean; readonly matches: (path: string) => boolean };

/** Throws IgnorePatternError. */
export function readIgnore(text: string): Ignore {
  const rules = text
    .replace(/^\uFEFF/, "")
    .split(/\r?\n/)
    .filter((line) => !line.startsWith("#"))
    .map((line) => line.trim())
    .filter((line) => line !== "")
    .flatMap(toRule);
  return { ignores: (path) => decide(rules, path), takesBack: rules.some((rule) => rule.takesBack) };
}

function decide(rules: readonly Rule[], path: string): boolean {
  const parts = path.split("/");
  const lines = parts.map((_, i) => parts.slice(0, i + 1).join("/"));
  let ignored = false;
  for (const rule of rules) {
    // A line that takes back is of no use for what is not ignored, nor one that ignores for what is.
    if (rule.takesBack === ignored && lines.some(rule.matches)) ignored = !rule.takesBack;
  }
  return ignored;
}

function toRule(line: string): Rule[] {
  const takesBack = line.startsWith("!");
  const pattern = clean(takesBack ? line.slice(1).trim() : line);
  if (takesBack && line.length === 1) throw new IgnorePatternError(line);
  return pattern === "." ? [] : [{ takesBack, matches: compile(pattern, line) }];
}

/** The path without empty parts, `.` and `..` where a directory is before it; relative. */
function clean(pattern: string): string {
  const parts: string[] = [];
  for (const part of pattern.split("/")) {
    if (part === "" || part === ".") continue;
    if (part === ".." && parts.length > 0 && parts.at(-1) !== "..") parts.pop();
    else if (part !== ".." || !pattern.startsWith("/")) parts.push(part);
  }
  return parts.length === 0 ? "." : parts.join("/");
}

function compile(pattern: string, line: string): (path: string) => boolean {
  // Two forms that are no regular expressions there either: **x is any end, x** any beginning.
  if (/^\*\*[^*?[\]\\]*$/.test(pattern)) {
    const end = pattern.slice(2);
    return (path) => path.endsWith(end) || (end.startsWith("/") && path === end.slice(1));
  }
  if (/^[^*?[\]\\]*\*\*$/.test(pattern)) return (path) => path.startsWith(pattern.slice(0, -2));
  if (!/[*?[\]\\]/.test(pattern)) return (path) => path === pattern;
  const expression = toExpression(pattern, line);
  return (path) => expression.test(path);
}

function toExpression(pattern: string, line: string): RegExp {
  let source = "";
  for (let i = 0; i < pattern.length; i++) {
    const char = pattern.charAt(i);
    if (char === "*" && pattern[i + 1] === "*") {
      i += pattern[i + 2] === "/" ? 2 : 1;
      source += i + 1 >= pattern.length ? ".*" : "(.*/)?";
    } else if (char === "*") source += "[^/]*";
    else if (char === "?") source += "[^/]";
    else if (char === "[") {
      const end = classEnd(pattern, i);
      if (end === -1) throw new IgnorePatternError(line);
      source += pattern.slice(i, end + 1);
      i = end;
    } else if (char === "\\") source += quoted(pattern.charAt(++i) || "\\");
    else source += quoted(char);
  }
  try {
    return new RegExp(`^${source}$`, "s");
  } catch {
    throw new IgnorePatternError(line);
  }
}

/** Where the `]` is that ends a class which begins at `from`; -1 when there is none, or nothing in it. */
function classEnd(pattern: string, from: number): number {
  const first = pattern[from + 1] === "^" ? from + 2 : from + 1;
  for (let i = first; i < pattern.length; i++) {
    if (pattern[i] === "\\") i++;
    else if (pattern[i] === "]") return i === first ? -1 : i;
  }
  return -1;
}

function quoted(char: string): string {
  return /[\\^$.*+?()[\]{}|]/.test(char) ? `\\${char}` : char;
}
