/** `label(.label)*`, an IPv4 address, or an IPv6 address in brackets; then perhaps a port. RFC 9110 §7.2, RFC 3986 §3.2.2. */
const pattern =
  /^(?:(?<name>[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*)\.?|(?<ip>\[[0-9a-f:.]{2,45}\]))(?::(?<port>\d{1,5}))?$/;
const maxHostChars = 255;

export type Host = {
  /** Lower case, without the port and the root's dot. */
  readonly name: string;
  /** `:8080`, or empty. */
  readonly port: string;
};

/** Null when the text is no valid Host header. */
export function readHost(text: string): Host | null {
  if (text.length > maxHostChars) return null;
  const groups = pattern.exec(text.toLowerCase())?.groups;
  const name = groups?.name ?? groups?.ip;
  if (name === undefined || Number(groups?.port ?? 0) > 65_535) return null;
  return { name, port: groups?.port === undefined ? "" : `:${groups.port}` };
}

/** `http://host/path` as `{ authority, target }`; null when it is no such thing. RFC 9112 §3.2.2. */
export function readAbsoluteForm(url: string): { authority: string; target: string } | null {
  const match = /^https?:\/\/([^/?#]+)(.*)$/i.exec(url);
  if (match === null) return null;
  const rest = match[2] ?? "";
  return { authority: match[1] ?? "", target: rest.startsWith("/") ? rest : `/${rest}` };
}
