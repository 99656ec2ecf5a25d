import { createHash } from "node:crypto";
import { mkdirSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";

/** Linux allows 108 bytes in a unix socket's path, macOS 104, both with the closing NUL (unix(7)). */
const maxSocketPathBytes = 103;

/**
 * Where a unix socket called `name` of a state directory is: inside it when the path is short enough, else in a 0700 folder
 * of the user in the temporary directory, found again by the digest of the path.
 */
export function socketPath(directory: string, name: string): string {
  const direct = join(directory, name);
  if (Buffer.byteLength(direct) <= maxSocketPathBytes) return direct;
  const folder = socketFolder();
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  return join(folder, createHash("sha256").update(direct).digest("hex").slice(0, 24));
}

/** Where sockets of this user are whose paths would be too long elsewhere. It need not be there. */
export function socketFolder(): string {
  // A user need not have a name.
  return join(tmpdir(), `slipway-${process.getuid?.() ?? userInfo().uid}`);
}
