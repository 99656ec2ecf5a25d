/** `db.internal:5432`, `[::1]:5432`. Null: it is none. */
export function parseHostPort(text: string): { readonly host: string; readonly port: number } | null {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:/@[\]]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  return match === null || port < 1 || port > 65_535 ? null : { host: match[1] ?? match[2] ?? "", port };
}

const schemes = new Set(["postgres", "postgresql", "mysql", "mariadb", "mongodb", "redis", "rediss"]);

/** A database's URL that may be shown: it has no password. Several hosts are allowed where their driver allows them. */
export function parseDatabaseUrl(text: string): string | null {
  const match = /^([a-z]+):\/\/([^/?]+)/.exec(text);
  const authority = match?.[2] ?? "";
  const user = authority.includes("@") ? authority.slice(0, authority.lastIndexOf("@")) : "";
  return match === null || !schemes.has(match[1] ?? "") || user.includes(":") ? null : text;
}
