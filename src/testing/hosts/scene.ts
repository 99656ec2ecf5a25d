import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { removeControlGroup } from "./control-groups.ts";
import { run } from "./parts.ts";

/**
 * What one fixture owns on this machine: a directory, a control group, and a range of addresses that no other fixture uses,
 * also not one of another process. Processes, mounts and networks end with the process that made them (see `spawnTied`); what the
 * kernel leaves behind then is swept away by the next scene.
 */
export type Scene = {
  /** Short, for names of links and groups. */
  readonly id: string;
  readonly directory: string;
  /** `10.x.y`: the first three numbers of a /18, of which the whole third number may be counted up by 63. */
  readonly network: { readonly a: number; readonly b: number };
  readonly controlGroup: string;
  /** Removes directory, control group and links. Whatever runs in them must have been ended. Safe to repeat. */
  close(): Promise<void>;
};

const home = join(tmpdir(), "slipway-hosts");
/** /18 ranges in 10.128.0.0/9: far from what clouds and home networks use. */
const slots = 512;

/** What can be made again, kept between runs: base images, unpacked engines. */
export const cacheDirectory = join(tmpdir(), "slipway-hosts-cache");

export async function openScene(): Promise<Scene> {
  await mkdir(home, { recursive: true });
  await sweep();
  const slot = await takeSlot();
  const directory = join(home, String(slot));
  return sceneOf(slot, directory);
}

function sceneOf(slot: number, directory: string): Scene {
  const network = { a: 128 + Math.floor(slot / 4), b: (slot % 4) * 64 };
  const controlGroup = `slipway-hosts-${slot}`;
  return {
    id: `sw${slot}`,
    directory,
    network,
    controlGroup,
    close: async () => {
      await removeControlGroup(controlGroup);
      // Only a scene with an engine of its own has made the rule.
      await run(["iptables", "--wait", "--delete", ...rule(network)]).catch(() => {});
      await removeLinks(`sw${slot}`, network);
      // The claim goes last: until then nobody else uses the range.
      await rm(directory, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/**
 * An engine that sets firewall rules drops what it does not know on its way between containers of others. The rule goes when
 * the scene is closed.
 */
export async function letThrough(network: Scene["network"]): Promise<void> {
  await run(["iptables", "--wait", "--insert", ...rule(network)]);
}

function rule({ a, b }: Scene["network"]): readonly string[] {
  const range = `10.${a}.${b}.0/18`;
  return ["FORWARD", "--source", range, "--destination", range, "--jump", "ACCEPT"];
}

type Owner = { readonly pid: number; readonly startedAt: string };

/** The directory's name is the claim: whoever renames its own into place has the slot. */
async function takeSlot(): Promise<number> {
  const draft = await mkdtemp(join(home, "draft-"));
  await writeFile(join(draft, "owner.json"), JSON.stringify(await ourselves()));
  const first = randomBytes(2).readUInt16LE() % slots;
  for (let step = 0; step < slots; step++) {
    const slot = (first + step) % slots;
    try {
      await rename(draft, join(home, String(slot)));
      return slot;
    } catch (error) {
      if (!(error instanceof Error && "code" in error && (error.code === "ENOTEMPTY" || error.code === "EEXIST")))
        throw error;
    }
  }
  throw new Error(`all ${slots} ranges of addresses are taken; look into ${home}`);
}

/** Longer than it takes to write an owner into a new directory, or to remove an old one. */
const ownerlessMs = 10 * 60_000;

/** Clears away what processes left behind that were killed. */
async function sweep(): Promise<void> {
  for (const name of await readdir(home)) {
    const directory = join(home, name);
    const owner = await readOwner(directory);
    if (owner === null) {
      // Being made or removed at this moment, or left so by one that was killed in between.
      const seen = await stat(directory).catch(() => null);
      if (seen === null || Date.now() - seen.mtimeMs < ownerlessMs) continue;
    } else {
      if ((await startedAt(owner.pid)) === owner.startedAt) continue;
      if (!(await takeOver(directory, owner))) continue;
    }
    if (/^\d+$/.test(name)) await sceneOf(Number(name), directory).close();
    else await rm(directory, { recursive: true, force: true });
  }
}

/** Of several that sweep at the same time one gets it, and none gets a scene that was opened anew in the meantime. */
async function takeOver(directory: string, dead: Owner): Promise<boolean> {
  const file = join(directory, "owner.json");
  const taken = join(directory, `owner-${process.pid}.json`);
  try {
    await rename(file, taken);
    const { pid, startedAt: since } = JSON.parse(await readFile(taken, "utf8")) as Owner;
    const isDead = pid === dead.pid && since === dead.startedAt;
    if (isDead) await writeFile(file, JSON.stringify(await ourselves()));
    else await rename(taken, file);
    return isDead;
  } catch {
    return false;
  }
}

async function ourselves(): Promise<Owner> {
  return { pid: process.pid, startedAt: (await startedAt(process.pid)) ?? "" };
}

async function readOwner(directory: string): Promise<Owner | null> {
  try {
    return JSON.parse(await readFile(join(directory, "owner.json"), "utf8")) as Owner;
  } catch {
    return null;
  }
}

/** In clock ticks since boot; with the pid it names a process for good. Null when there is none. */
async function startedAt(pid: number): Promise<string | null> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, "utf8");
    // The name, in parentheses, may hold anything; the 20th field after it is the start time.
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? null;
  } catch {
    return null;
  }
}

/** Links named after the scene, and bridges that its engine made with addresses of its range. */
async function removeLinks(id: string, network: Scene["network"]): Promise<void> {
  type Link = { readonly ifname: string; readonly addr_info?: readonly { readonly local?: string }[] };
  const links = JSON.parse(await run(["ip", "-json", "address", "show"])) as readonly Link[];
  const ours = links.filter(
    ({ ifname, addr_info = [] }) =>
      ifname === id ||
      ifname.startsWith(`${id}-`) ||
      (/^(?:br-|docker)/.test(ifname) &&
        addr_info.some(({ local = "" }) => {
          const [first, second, third] = local.split(".").map(Number);
          return first === 10 && second === network.a && third !== undefined && third >> 6 === network.b >> 6;
        })),
  );
  // A veth may have gone with its peer in the meantime.
  for (const { ifname } of ours) await run(["ip", "link", "delete", ifname]).catch(() => {});
}
