/**
 * Whether a path, relative and with `/`, is meant by a pattern: `*` stands for a part of one name, `**` for any number of
 * directories, `?` for one character, and a pattern that names a directory for everything in it.
 */
export function globMatcher(patterns: readonly string[]): (path: string) => boolean {
  const all = patterns.map((pattern) => (pattern === "." ? /^/ : new RegExp(`^${source(pattern)}(?:/.*)?$`, "s")));
  return (path) => all.some((one) => one.test(path));
}

/** Whether a text is meant by a pattern in which `*` stands for any text. */
export function textMatcher(patterns: readonly string[]): (text: string) => boolean {
  const all = patterns.map((pattern) => new RegExp(`^${pattern.split("*").map(escaped).join(".*")}$`, "s"));
  return (text) => all.some((one) => one.test(text));
}

/** Where the files that a pattern means can be: the directories before its first sign. */
export function globRoot(pattern: string): string {
  const parts = pattern.split("/");
  const first = parts.findIndex((part) => /[*?]/.test(part));
  return (first === -1 ? parts : parts.slice(0, first)).join("/") || ".";
}

function source(pattern: string): string {
  return pattern
    .split("/")
    .map((part, index, parts) => {
      const last = index === parts.length - 1;
      if (part === "**") return last ? ".*" : "(?:[^/]+/)*";
      const name = part.replaceAll(/[*]+|[?]|[^*?]+/g, (piece) =>
        piece.startsWith("*") ? "[^/]*" : piece === "?" ? "[^/]" : escaped(piece),
      );
      return last ? name : `${name}/`;
    })
    .join("");
}

function escaped(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, "\\$&");
}
