import type { RouteSpec } from "./spec.ts";

/** Labels of small letters, digits and dashes; an IPv4 address passes too. Upper case and IDN are for the caller to fold. */
const hostPattern = /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/;

/** `/api`, `example.org` or `example.org/api`; null when it is none of them. A slash at the end means nothing and is dropped. */
export function parseRoute(text: string): Omit<RouteSpec, "strip"> | null {
  const slash = text.indexOf("/");
  const host = slash < 0 ? text : text.slice(0, slash);
  const path = slash < 0 ? "/" : text.slice(slash);
  if (host !== "" && !hostPattern.test(host)) return null;
  return isUrlPath(path) ? { host: host === "" ? null : host, path: normalPath(path) } : null;
}

/** As the edge matches it: printable ASCII, decoded, no query, no doubled slash, no dot segments. */
export function isUrlPath(text: string): boolean {
  if (!/^\/[\x21-\x7e]*$/.test(text) || /[?#%\\]/.test(text) || text.includes("//")) return false;
  return !text.split("/").some((part) => part === "." || part === "..");
}

export function normalPath(path: string): string {
  return path.length > 1 && path.endsWith("/") ? path.slice(0, -1) : path;
}

export type Listen = { readonly host: string; readonly port: number };

/** `:8080` (every IPv4 address), `127.0.0.1:8080`, `[::]:8080`, or a port alone. Port 0 takes a free one. */
export function parseListen(listen: string | number): Listen | null {
  const match = /^(?:\[([0-9a-f:.]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(typeof listen === "number" ? `:${listen}` : listen);
  if (match === null) return null;
  const [, six, other, digits] = match;
  const port = Number(digits);
  const host = six ?? (other === "" ? "0.0.0.0" : other!);
  const known = six === undefined ? hostPattern.test(host) : parseV6(six) !== null;
  return known && port <= 65_535 ? { host, port } : null;
}

/** An address or a range, as a range: `192.0.2.1` → `192.0.2.1/32`. Null when it is neither. */
export function parseCidr(text: string): string | null {
  const [address = "", bits, ...more] = text.toLowerCase().split("/");
  const width = parseV4(address) !== null ? 32 : parseV6(address) !== null ? 128 : 0;
  if (width === 0 || more.length > 0) return null;
  if (bits === undefined) return `${address}/${width}`;
  return /^\d{1,3}$/.test(bits) && Number(bits) <= width ? `${address}/${Number(bits)}` : null;
}

function parseV4(text: string): readonly number[] | null {
  const parts = text.split(".");
  // No leading zeros: some parsers read them as octal, and then two readers see two addresses.
  const fine = parts.length === 4 && parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255);
  return fine ? parts.map(Number) : null;
}

/** Eight groups of four hex digits, one run of zeros left out as `::`, the last two perhaps written as IPv4. */
function parseV6(text: string): readonly string[] | null {
  const halves = text.split("::");
  if (halves.length > 2) return null;
  const groups = halves.map((half) => (half === "" ? [] : half.split(":")));
  const last = groups.at(-1)!.at(-1);
  const inV4 = last?.includes(".") ? parseV4(last) : null;
  if (inV4 !== null) groups.at(-1)!.splice(-1, 1, "0", "0");
  const all = groups.flat();
  const room = halves.length === 2 ? all.length <= 7 : all.length === 8;
  return room && all.every((group) => /^[0-9a-f]{1,4}$/.test(group)) ? all : null;
}
