/**
 * What a request's path means. `decision` is decoded, without dot segments and empty segments: routes and allow-lists are
 * matched against it and against nothing else. `forward` is what the service is sent, and means the same: what was
 * decided about is what is passed on.
 */
export type RequestPath = { readonly decision: string; readonly forward: string };

/**
 * Reads a request target that starts with `/`; null when it must be refused: dots, slashes or backslashes in disguise
 * (`%2e%2e`, `%2f`, `%5c`, overlong UTF-8), NUL, broken percent signs, or more `..` than there are folders.
 */
export function readPath(target: string): RequestPath | null {
  const end = pathEnd(target);
  if (end === plain) return { decision: target, forward: target };
  if (end > 0) return { decision: target.slice(0, end), forward: target };
  return readOddPath(target);
}

/** Removes `prefix` (a decision path without a slash at its end) from what is passed on; `/api` alone becomes `/`. */
export function stripPrefix(path: RequestPath, prefix: string): string {
  const { forward } = path;
  if (forward.startsWith(prefix)) {
    const rest = forward.slice(prefix.length);
    if (rest === "" || rest.startsWith("?")) return `/${rest}`;
    // `//` would be read as a host name by some.
    if (rest.startsWith("/") && !rest.startsWith("//")) return rest;
  }
  const cut = queryStart(forward);
  const kept = segmentsOf(forward.slice(0, cut)).slice(segmentsOf(prefix).length);
  const slash = kept.length > 0 && forward[cut - 1] === "/" ? "/" : "";
  return `/${kept.join("/")}${slash}${forward.slice(cut)}`;
}

/** True when `path` is `prefix` or under it; `prefix` has no slash at its end, so the root is the empty text. */
export function isUnder(path: string, prefix: string): boolean {
  return path.startsWith(prefix) && (path.length === prefix.length || path.charCodeAt(prefix.length) === slashCode);
}

/**
 * How an allow-list reads a path: services may ignore case (Express does by default) and cut `;…` parameters off a
 * segment (Tomcat does), so `/Admin` and `/admin;x` are `/admin` here.
 */
export function guardedForm(decision: string): string {
  const lower = decision.toLowerCase();
  return lower.includes(";") ? lower.replace(/;[^/]*/g, "") : lower;
}

const slashCode = 47;
const plain = -1;
const odd = 0;

/** Where the path ends in a target that needs no decoding, `plain` when it has no query, `odd` when it needs the slow way. */
function pathEnd(target: string): number {
  for (let index = 0, before = 0; index < target.length; index += 1) {
    const code = target.charCodeAt(index);
    if (code === 63) return index;
    // Percent signs, backslashes, hashes and what is no visible ASCII; then empty segments and those that start with a dot.
    if (code === 37 || code === 92 || code === 35 || code <= 32 || code >= 127) return odd;
    if (before === slashCode && (code === slashCode || code === 46)) return odd;
    before = code;
  }
  return plain;
}

function readOddPath(target: string): RequestPath | null {
  const cut = queryStart(target);
  const raw = target.slice(0, cut);
  if (/[\\#\0-\x20\x7f]|%(?![0-9a-f]{2})|%2f|%5c|%00|%c0%a[ef]/i.test(raw)) return null;
  const segments = segmentsOf(raw);
  const kept: string[] = [];
  let dots = false;
  for (const segment of segments) {
    if (segment === "." || segment === "..") {
      dots = true;
      if (segment === ".." && kept.pop() === undefined) return null;
    } else if (isDotsInDisguise(segment)) return null;
    else kept.push(segment);
  }
  const last = segments.at(-1);
  const slash = kept.length > 0 && (raw.endsWith("/") || last === "." || last === "..") ? "/" : "";
  const canonical = `/${kept.join("/")}${slash}`;
  // Without dot segments the bytes are passed on as they came: `//` means something to some services.
  return { decision: decode(canonical), forward: dots ? canonical + target.slice(cut) : target };
}

function queryStart(target: string): number {
  const mark = target.indexOf("?");
  return mark === -1 ? target.length : mark;
}

/** Empty segments are none: `//a/` is one segment. */
function segmentsOf(path: string): string[] {
  return path.split("/").filter((segment) => segment !== "");
}

function isDotsInDisguise(segment: string): boolean {
  if (!segment.includes("%")) return false;
  const decoded = decode(segment);
  return decoded === "." || decoded === "..";
}

/** Percent signs to bytes, bytes to text. What is no UTF-8 stays apart from everything a config can spell. */
function decode(path: string): string {
  if (!path.includes("%")) return path;
  try {
    return decodeURIComponent(path);
  } catch {
    return path.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  }
}
