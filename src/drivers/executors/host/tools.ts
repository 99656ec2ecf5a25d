import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";

/** Where the tools are. Not searched on PATH: that is the step's. */
const places = ["/usr/bin", "/bin", "/usr/sbin", "/sbin"];
/** Of util-linux and coreutils, which every Debian and Ubuntu has. */
const names = ["unshare", "nsenter", "mount", "setpriv", "sh", "cat", "env"] as const;

type Name = (typeof names)[number];
export type Tools = Readonly<Record<Name, string>> & {
  /** nsenter can go to a directory that it finds inside: util-linux 2.38, of 2022. */
  readonly entersDirectories: boolean;
};

const helpMs = 5_000;

export function toolAt(name: string): string | null {
  return places.map((at) => join(at, name)).find(existsSync) ?? null;
}

/** Or which are not there. */
export function findTools(): Tools | string {
  const found = names.map((name) => [name, toolAt(name)] as const);
  const absent = found.filter(([, path]) => path === null).map(([name]) => name);
  if (absent.length > 0) return `there is no ${absent.join(", ")} in ${places.join(", ")}`;
  const paths = Object.fromEntries(found) as Record<Name, string>;
  const { stdout } = spawnSync(paths.nsenter, ["--help"], { encoding: "utf8", env: {}, timeout: helpMs });
  return { ...paths, entersDirectories: /--wdns\b/.test(stdout ?? "") };
}
