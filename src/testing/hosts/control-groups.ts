import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";

const root = "/sys/fs/cgroup";

/** One tree for all resources (v2), or one a resource (v1): whatever this machine has. */
const unified = existsSync(join(root, "cgroup.controllers"));
/** What the processes of a machine are put under; containers get every controller from their engine. */
const controllers = ["memory", "cpu", "cpuacct", "freezer", "pids"];

export type ControlGroup = {
  /** As engines want it in `cgroup-parent`. */
  readonly name: string;
  /** Where a process writes `0` into `cgroup.procs` to belong to it. */
  readonly entrances: readonly string[];
};

/** Makes `/<name>`, and below it a leaf for processes, because in v2 a group has either processes or children. */
export async function makeControlGroup(name: string): Promise<ControlGroup> {
  const entrances = unified
    ? [join(root, name, "own")]
    : controllers.filter((each) => existsSync(join(root, each))).map((each) => join(root, each, name, "own"));
  for (const entrance of entrances) await mkdir(entrance, { recursive: true });
  if (unified) await delegate(name);
  return { name, entrances };
}

/** In v2 a child has only the controllers that each of its parents hands down. */
async function delegate(name: string): Promise<void> {
  const wanted = (await readFile(join(root, "cgroup.controllers"), "utf8")).trim().split(" ");
  const parts = name.split("/");
  for (let depth = 0; depth <= parts.length; depth++) {
    const file = join(root, ...parts.slice(0, depth), "cgroup.subtree_control");
    for (const controller of wanted) {
      // One that the kernel cannot hand down here is one that nobody limits by.
      await writeFile(file, `+${controller}`).catch(() => {});
    }
  }
}

/** Stops or continues every process of the group, its containers included. Resolves when it is so. */
export async function setFrozen(name: string, frozen: boolean): Promise<void> {
  const directory = unified ? join(root, name) : join(root, "freezer", name);
  if (!existsSync(directory)) return;
  const [file, word, state] = unified
    ? ["cgroup.freeze", frozen ? "1" : "0", "cgroup.events"]
    : ["freezer.state", frozen ? "FROZEN" : "THAWED", "freezer.state"];
  const reached = unified ? `frozen ${frozen ? 1 : 0}` : word;
  await writeFile(join(directory, file), word);
  // The kernel freezes task by task and gives no event for it in v1.
  for (let left = 200; left > 0; left--) {
    if ((await readFile(join(directory, state), "utf8")).includes(reached)) return;
    await wait(10);
  }
  throw new Error(`the control group ${name} did not become ${reached}`);
}

/** Removes the group everywhere with all below it; what still runs in it is waited for. Does nothing when it is absent. */
export async function removeControlGroup(name: string): Promise<void> {
  await setFrozen(name, false);
  const hierarchies = async () => (await readdir(root, { withFileTypes: true })).filter((each) => each.isDirectory());
  const trees = unified ? [root] : (await hierarchies()).map((each) => join(root, each.name));
  for (const tree of trees) await removeTree(join(tree, name));
}

async function removeTree(directory: string): Promise<void> {
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => []);
  for (const entry of entries) if (entry.isDirectory()) await removeTree(join(directory, entry.name));
  for (let left = 300; left > 0; left--) {
    try {
      return await rmdir(directory);
    } catch (error) {
      if (!(error instanceof Error && "code" in error) || error.code === "ENOENT") return;
      if (error.code !== "EBUSY") throw error;
      // Its last process is still ending: there is no event to wait for in v1.
      await wait(10);
    }
  }
  throw new Error(`the control group ${directory} still has processes`);
}
