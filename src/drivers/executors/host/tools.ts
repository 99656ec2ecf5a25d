import { existsSync } from "node:fs";
import { join } from "node:path";

/** Where the tools are. Not searched on PATH: that is the step's. */
const places = ["/usr/bin", "/bin", "/usr/sbin", "/sbin"];
/** Of util-linux and coreutils, which every Debian and Ubuntu has. */
const names = ["unshare", "nsenter", "mount", "setpriv", "sh", "cat", "env"] as const;

export type Tools = Readonly<Record<(typeof names)[number], string>>;

export function toolAt(name: string): string | null {
  return places.map((at) => join(at, name)).find(existsSync) ?? null;
}

/** Or which are not there. */
export function findTools(): Tools | string {
  const found = names.map((name) => [name, toolAt(name)] as const);
  const absent = found.filter(([, path]) => path === null).map(([name]) => name);
  return absent.length === 0
    ? (Object.fromEntries(found) as Tools)
    : `there is no ${absent.join(", ")} in ${places.join(", ")}`;
}
