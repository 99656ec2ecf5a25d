/** Where a server is: what OpenSSH is asked for. Its own configuration fills in what is null. */
export type ServerAddress = { readonly destination: string; readonly host: string; readonly port: number | null };

/** `ssh://root@host:2222`, `root@host` or an alias of `~/.ssh/config`. Null for everything else: a path, a password, an option. */
export function parseServerAddress(text: string): ServerAddress | null {
  const found =
    /^(?:ssh:\/\/)?(?:([a-z_][a-z0-9_.-]{0,31})@)?(?:\[([0-9a-f:]{2,45})\]|([A-Za-z0-9](?:[A-Za-z0-9._-]{0,252})))(?::(\d{1,5}))?\/?$/.exec(
      text,
    );
  if (found === null) return null;
  const [, user, six, name, digits] = found;
  const host = six ?? name ?? "";
  const port = digits === undefined ? null : Number(digits);
  if (port !== null && (port < 1 || port > 65_535)) return null;
  return { destination: user === undefined ? host : `${user}@${host}`, host, port };
}
