/** Paths as a Compose file writes them, made absolute. Always with `/`. */

export type Base = {
  /** Absolute directory that relative paths begin at. */
  readonly directory: string;
  /** What `~` stands for; null leaves it as it is. */
  readonly home: string | null;
};

export function absolutePath(path: string, { directory, home }: Base): string {
  const expanded = home !== null && /^~(\/|$)/.test(path) ? home + path.slice(1) : path;
  return cleanPath(expanded.startsWith("/") ? expanded : `${directory}/${expanded}`);
}

/** Without `.`, `..`, and double or trailing slashes; `/` at least. Relative paths stay relative. */
export function cleanPath(path: string): string {
  const parts: string[] = [];
  const rooted = path.startsWith("/");
  for (const part of path.split("/")) {
    if (part === "" || part === ".") continue;
    if (part !== "..") parts.push(part);
    else if (parts.length > 0 && parts.at(-1) !== "..") parts.pop();
    else if (!rooted) parts.push(part);
  }
  const joined = parts.join("/");
  return rooted ? `/${joined}` : joined === "" ? "." : joined;
}

export function directoryOf(path: string): string {
  return cleanPath(path.slice(0, Math.max(path.lastIndexOf("/"), 1)));
}

export function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** A repository or an archive elsewhere, or another service or image: not a directory here. */
export function isRemoteContext(context: string): boolean {
  return context.includes("://") || /^(service:|github\.com\/|git@)/.test(context);
}

/** Whether a path is this directory or in it. Both absolute and clean. */
export function isInside(path: string, directory: string): boolean {
  return path === directory || path.startsWith(directory === "/" ? "/" : `${directory}/`);
}
