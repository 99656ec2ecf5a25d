import { existsSync } from "node:fs";
import { mkdir, readdir, rmdir } from "node:fs/promises";
import { join } from "node:path";

/** Where systemd keeps its processes apart: its own v1 hierarchy and v2 beside it, or v2 alone. */
const roots = existsSync("/sys/fs/cgroup/cgroup.controllers")
  ? ["/sys/fs/cgroup"]
  : ["/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified"].filter((root) => existsSync(root));

/** A group for one machine, so that what runs in it can be found and does not mix with this machine's. */
export async function makeControlGroups(name: string): Promise<readonly string[]> {
  const groups = roots.map((root) => join(root, name));
  for (const group of groups) await mkdir(group, { recursive: true });
  return groups.map((group) => join(group, "cgroup.procs"));
}

export async function removeControlGroups(name: string): Promise<void> {
  for (const root of roots) await removeTree(join(root, name));
}

/** Groups have files that cannot be removed, so only directories are. One that is still busy is left to the next janitor. */
async function removeTree(group: string): Promise<void> {
  if (!existsSync(group)) return;
  const children = await readdir(group, { withFileTypes: true });
  for (const child of children) if (child.isDirectory()) await removeTree(join(group, child.name));
  await rmdir(group).catch(() => {});
}
