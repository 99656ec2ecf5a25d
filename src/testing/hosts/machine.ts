import type { ChildProcess } from "node:child_process";
import { mkdir, statfs } from "node:fs/promises";
import { join } from "node:path";
import type { Bridge } from "./bridge.ts";
import { type Cell, openCell } from "./cell.ts";
import { makeControlGroup, removeControlGroup, setFrozen } from "./control-groups.ts";
import { type Daemon, type DaemonOptions, makeDaemon } from "./dockerd.ts";
import { cacheDirectory, type Scene } from "./scene.ts";

export type MachineOptions = DaemonOptions & {
  /** Size of the disk that holds the engine's data, in memory. Default: this machine's own disk. */
  readonly diskBytes?: number;
};

/** A machine of a test: namespaces with a root directory, network, sshd and engine of their own. */
export type Machine = {
  readonly cell: () => Cell;
  readonly daemon: Daemon;
  /** Of the engine, seen from outside. */
  readonly socket: string;
  switchOn(): Promise<void>;
  /** As when the power fails: everything in it is killed at once. What was on its disk stays. */
  switchOff(): Promise<void>;
  setFrozen(frozen: boolean): Promise<void>;
  /** Leaves so many bytes free on the engine's disk. */
  fillDisk(freeBytes: number): Promise<void>;
  freeDisk(): Promise<void>;
};

/**
 * The root directory is this machine's own under a layer that takes the changes and is gone when the machine is switched off; the
 * engine's data are beside it and stay. `$1` name, `$2` directory, `$3` its files for /etc/ssh, `$4` hosts file, `$5` size of
 * the data's disk or nothing, `$6` the cache, in which an engine may be.
 */
const setUp = `
mount --make-rprivate /
root=$2/layer/root
mount -t tmpfs -o size=1g tmpfs "$2/layer"
mkdir "$2/layer/upper" "$2/layer/work" "$root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$2/layer/upper,workdir=$2/layer/work" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount --rbind /sys/fs/cgroup "$root/sys/fs/cgroup"
mount --rbind /dev "$root/dev"
mount --bind "$2/run" "$root/run"
mkdir -p /run/lock "$2/run/sshd" "$2/run/lock" "$root/var/lib/docker" "$root/etc/ssh" "$root/.old"
[ -z "$5" ] || mount -t tmpfs -o "size=$5" tmpfs "$2/data"
mount --bind "$2/data" "$root/var/lib/docker"
mount -t tmpfs tmpfs "$root/tmp"
mkdir -p "$root/$6"
mount --bind "$6" "$root/$6"
mount -t tmpfs -o mode=0700 tmpfs "$root/root"
rm -rf "$root/etc/ssh" "$root/etc/resolv.conf"
mkdir -m 0755 "$root/etc/ssh"
cp "$3"/* "$root/etc/ssh/"
cp "$4" "$root/etc/hosts"
# No names beyond the hosts file, and a refusal at once: nothing here may wait for a public server.
echo 'nameserver 127.0.0.1' > "$root/etc/resolv.conf"
hostname "$1"
cd "$root"
pivot_root . .old
umount --lazy /.old
cd /
rm -rf /run/docker /run/docker.sock /run/docker.pid /run/containerd`;

export function makeMachine(
  scene: Scene,
  options: MachineOptions & {
    readonly name: string;
    readonly index: number;
    readonly bridge: Bridge;
    readonly etcSsh: string;
    readonly hostsFile: string;
  },
): Machine {
  const { name, bridge } = options;
  const directory = join(scene.directory, name);
  const group = `${scene.controlGroup}/${name}`;
  let on: Cell | null = null;
  const cell = (): Cell => {
    if (on === null) throw new Error(`${name} is switched off`);
    return on;
  };
  const daemon = makeDaemon({
    cell,
    directory: join(directory, "run"),
    engine: options,
    config: { "cgroup-parent": `/${group}/containers` },
  });
  const switchOn = async (): Promise<void> => {
    for (const each of ["run", "data", "layer"]) await mkdir(join(directory, each), { recursive: true });
    await mkdir(cacheDirectory, { recursive: true });
    const opened = await openCell({
      group: await makeControlGroup(group),
      network: "own",
      setUp,
      args: [name, directory, options.etcSsh, options.hostsFile, String(options.diskBytes ?? ""), cacheDirectory],
    });
    on = opened;
    await bridge.join(opened, options);
    await Promise.all([daemon.start(), startSshd(opened)]);
  };
  const switchOff = async (): Promise<void> => {
    // What is frozen cannot even be killed.
    await setFrozen(group, false);
    await on?.kill();
    on = null;
    await bridge.leave(name);
    await removeControlGroup(group);
  };
  const filler = "/var/lib/docker/filler";
  return {
    cell,
    daemon,
    socket: join(directory, "run", "docker.sock"),
    switchOn,
    switchOff,
    setFrozen: (frozen) => setFrozen(group, frozen),
    fillDisk: async (freeBytes) => {
      if (options.diskBytes === undefined) throw new Error(`${name} has no disk of its own: give it diskBytes`);
      const inside = join("/proc", String(cell().pid), "root", "var/lib/docker");
      const { bavail, bsize } = await statfs(inside);
      const bytes = bavail * bsize - freeBytes;
      if (bytes > 0) await cell().run(["fallocate", "--length", String(bytes), filler]);
    },
    freeDisk: async () => void (await cell().run(["rm", "-f", filler])),
  };
}

/** Resolves when it listens, which it says once for each address family. */
function startSshd(cell: Cell): Promise<void> {
  const child: ChildProcess = cell.start(["/usr/sbin/sshd", "-D", "-e", "-f", "/etc/ssh/sshd_config"], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  return new Promise((resolve, reject) => {
    let words = "";
    child.stderr?.on("data", (chunk: Buffer) => {
      words = (words + chunk.toString()).slice(-2_000);
      if (words.includes("Server listening on")) resolve();
    });
    child.once("error", reject);
    child.once("close", (code) => reject(new Error(`sshd ended with exit code ${code}: ${words.trim()}`)));
  });
}
