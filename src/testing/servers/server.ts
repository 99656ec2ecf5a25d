import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { AptProxy } from "./apt-proxy.ts";
import { baseSystem, type Release } from "./base.ts";
import { makeControlGroups, removeControlGroups } from "./control-group.ts";
import { must, type RunResult, run } from "./parts.ts";

export type ServerOptions = {
  readonly release: Release;
  readonly proxy: AptProxy;
  /** Everything that a bootstrap installs is there already. */
  readonly stocked?: boolean;
  /** False: no systemd, only sshd, as in a container that somebody gives a shell. */
  readonly systemd?: boolean;
  /** The root file system is a tmpfs of this size. */
  readonly diskBytes?: number;
  /** Puts files into it before it starts. */
  readonly prepare?: (root: string) => Promise<void> | void;
};

/** A machine of its own: file system, processes, network, and the distribution's real systemd, sshd, apt and kernel filters. */
export type TestServer = {
  readonly address: string;
  readonly root: string;
  /** For `-F`: the one key, and the host key as known. */
  readonly sshConfig: string;
  readonly publicKey: string;
  /** Runs in the machine, not over SSH. */
  exec(argv: readonly string[], input?: string): Promise<RunResult>;
  /** The same for a line of shell; its stdout. Anything but exit code 0 is an error. */
  sh(line: string): Promise<string>;
  stop(): Promise<void>;
};

const prefix = "slpsrv";
/** Beside those of the scenes of `testing/hosts`, which have 10.128.0.0/9 and take away what is left over in it. */
const network = "10.113";
const registry = join(tmpdir(), "slipway-test-servers");
const bootLimitMs = 60_000;
const betweenTriesMs = 50;

/** What a janitor needs to end a machine whose test was killed. */
type Record = {
  readonly owner: number;
  readonly pid: number | null;
  readonly number: number;
  readonly directory: string;
};

export async function startServer(options: ServerOptions): Promise<TestServer> {
  await sweep();
  const base = await baseSystem(options.release, options);
  const directory = await mkdtemp(join(tmpdir(), `${prefix}-`));
  const number = await takeNumber(directory);
  const name = `${prefix}${number}`;
  const address = `${network}.${number}.2`;
  const note = async (pid: number | null): Promise<void> =>
    writeFile(recordFile(number), JSON.stringify({ owner: process.pid, pid, number, directory } satisfies Record));
  await note(null);
  try {
    const root = await makeRoot(directory, base, options);
    const access = await makeAccess(directory, root, address);
    await makeNetwork(number);
    await writeFile(
      join(root, "etc/apt/apt.conf.d/00proxy"),
      `Acquire::http::Proxy "http://${network}.${number}.1:${options.proxy.port}";\n`,
    );
    await options.prepare?.(root);
    const groups = await makeControlGroups(name);
    const outer = launch({ name, root, docker: join(directory, "docker"), groups, systemd: options.systemd !== false });
    await note(outer.pid ?? null);
    const log: string[] = [];
    for (const stream of [outer.stdout, outer.stderr])
      stream.setEncoding("utf8").on("data", (text: string) => void log.push(text));
    await listening(address, () => {
      if (outer.exitCode !== null) throw new Error(`the machine did not start: ${log.join("").slice(-2_000)}`);
    });
    const inside = await leaderOf(outer.pid!);
    const exec = (argv: readonly string[], input?: string): Promise<RunResult> =>
      run(["nsenter", "-t", String(inside), "-m", "-u", "-i", "-n", "-p", "-C", "-r", "-w", "--", ...argv], {
        env: { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", HOME: "/root" },
        ...(input === undefined ? {} : { input }),
      });
    return {
      address,
      root,
      ...access,
      exec,
      sh: async (line) => {
        const { code, stdout, stderr } = await exec(["sh", "-c", line]);
        if (code !== 0) throw new Error(`${line} ended with ${code}: ${stderr.slice(-1_000)}`);
        return stdout;
      },
      stop: async () => {
        const ended = once(outer, "exit");
        process.kill(inside, "SIGKILL");
        if (outer.exitCode === null) await ended;
        await remove(number, directory);
      },
    };
  } catch (error) {
    await endLeftOver(JSON.parse(await readFile(recordFile(number), "utf8")) as Record);
    throw error;
  }
}

function recordFile(number: number): string {
  return join(registry, `${number}.json`);
}

/** Each machine has a network 10.113.<number>.0/24 that leads nowhere but here. */
async function takeNumber(directory: string): Promise<number> {
  await mkdir(registry, { recursive: true });
  for (let number = 2; number < 250; number++) {
    try {
      await writeFile(recordFile(number), JSON.stringify({ owner: process.pid, pid: null, number, directory }), {
        flag: "wx",
      });
      return number;
    } catch {
      // Another one's.
    }
  }
  throw new Error("too many test servers at once");
}

async function makeRoot(directory: string, base: string, { diskBytes }: ServerOptions): Promise<string> {
  const disk = join(directory, "disk");
  const root = join(directory, "root");
  // The engine's own overlay cannot lie on an overlay.
  for (const each of [disk, root, join(directory, "docker")]) await mkdir(each);
  if (diskBytes !== undefined) await must(["mount", "-t", "tmpfs", "-o", `size=${diskBytes}`, prefix, disk]);
  for (const each of ["upper", "work"]) await mkdir(join(disk, each));
  const layers = `lowerdir=${base},upperdir=${join(disk, "upper")},workdir=${join(disk, "work")}`;
  await must(["mount", "-t", "overlay", prefix, "-o", layers, root]);
  return root;
}

async function makeAccess(
  directory: string,
  root: string,
  address: string,
): Promise<{ readonly sshConfig: string; readonly publicKey: string }> {
  const key = join(directory, "key");
  await must(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "operator@test", "-f", key]);
  const publicKey = await readFile(`${key}.pub`, "utf8");
  await mkdir(join(root, "root/.ssh"), { recursive: true, mode: 0o700 });
  await writeFile(join(root, "root/.ssh/authorized_keys"), publicKey, { mode: 0o600 });
  await chmod(join(root, "root/.ssh"), 0o700);
  const hostKey = await readFile(join(root, "etc/ssh/ssh_host_ed25519_key.pub"), "utf8");
  const knownHosts = join(directory, "known_hosts");
  await writeFile(knownHosts, `${address} ${hostKey.split(" ").slice(0, 2).join(" ")}\n`);
  const sshConfig = join(directory, "ssh_config");
  await writeFile(
    sshConfig,
    `Host *\n  IdentityFile ${key}\n  IdentitiesOnly yes\n  IdentityAgent none\n  UserKnownHostsFile ${knownHosts}\n  GlobalKnownHostsFile /dev/null\n  HostKeyAlgorithms ssh-ed25519\n`,
  );
  return { sshConfig, publicKey: publicKey.trim() };
}

async function makeNetwork(number: number): Promise<void> {
  const name = `${prefix}${number}`;
  await must(["ip", "netns", "add", name]);
  await must(["ip", "link", "add", name, "type", "veth", "peer", "name", "host0", "netns", name]);
  await must(["ip", "address", "add", `${network}.${number}.1/24`, "dev", name]);
  await must(["ip", "link", "set", name, "up"]);
  await must(["ip", "-n", name, "address", "add", `${network}.${number}.2/24`, "dev", "host0"]);
  for (const link of ["host0", "lo"]) await must(["ip", "-n", name, "link", "set", link, "up"]);
}

function launch(machine: {
  readonly name: string;
  readonly root: string;
  readonly docker: string;
  readonly groups: readonly string[];
  readonly systemd: boolean;
}) {
  const argv = [
    "systemd-nspawn",
    `--directory=${machine.root}`,
    `--machine=${machine.name}`,
    `--hostname=${machine.name}`,
    `--network-namespace-path=/run/netns/${machine.name}`,
    `--bind=${machine.docker}:/var/lib/docker`,
    "--resolv-conf=off",
    "--timezone=off",
    "--link-journal=no",
    "--console=pipe",
    // There may be no systemd outside to tell of it.
    "--register=no",
    "--keep-unit",
    // What an engine needs and nspawn keeps from a container. Its default keeps swap and the clock from it, which are this machine's.
    "--capability=CAP_NET_ADMIN,CAP_SYS_ADMIN,CAP_SYS_PTRACE,CAP_SYSLOG,CAP_BPF,CAP_PERFMON",
    "--system-call-filter=@keyring bpf",
    ...(machine.systemd
      ? ["--boot"]
      : ["--as-pid2", "/bin/sh", "-c", "mkdir -p /run/sshd && exec /usr/sbin/sshd -D -e"]),
  ];
  return spawn("sh", ["-c", 'for group in $GROUPS_OF_MACHINE; do echo $$ >"$group"; done; exec "$@"', "_", ...argv], {
    env: {
      PATH: "/usr/sbin:/usr/bin:/sbin:/bin",
      GROUPS_OF_MACHINE: machine.groups.join(" "),
      SYSTEMD_NSPAWN_UNIFIED_HIERARCHY: "1",
      SYSTEMD_NSPAWN_USE_CGNS: "1",
      // Its own network's settings may be written, as an engine does; the kernel's are this machine's and stay read-only.
      SYSTEMD_NSPAWN_API_VFS_WRITABLE: "network",
    },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
}

/** Until sshd answers. There is nothing to wait on from outside but to try. */
async function listening(address: string, check: () => void): Promise<void> {
  const until = Date.now() + bootLimitMs;
  for (;;) {
    check();
    const socket = connect({ host: address, port: 22, timeout: 1_000 });
    const answered = await new Promise<boolean>((resolve) => {
      // sshd speaks first; a port that is only open may still be systemd's.
      socket.once("data", () => resolve(true));
      for (const event of ["error", "timeout", "close"]) socket.once(event, () => resolve(false));
    });
    socket.destroy();
    if (answered) return;
    if (Date.now() > until) throw new Error(`${address} did not answer within ${bootLimitMs} ms`);
    await delay(betweenTriesMs);
  }
}

/** Process 1 of the machine, as seen from here. */
async function leaderOf(outer: number): Promise<number> {
  const children = (await readFile(`/proc/${outer}/task/${outer}/children`, "utf8")).trim().split(" ");
  const leader = Number(children[0]);
  if (!(leader > 0)) throw new Error("the machine has no first process");
  return leader;
}

async function remove(number: number, directory: string): Promise<void> {
  const name = `${prefix}${number}`;
  for (const mount of ["root", "disk"]) await run(["umount", "--lazy", join(directory, mount)]);
  await run(["ip", "netns", "delete", name]);
  await run(["ip", "link", "delete", name]);
  await removeControlGroups(name);
  await rm(directory, { recursive: true, force: true });
  await rm(recordFile(number), { force: true });
}

/** Ends machines whose test is no more. */
async function sweep(): Promise<void> {
  await mkdir(registry, { recursive: true });
  for (const file of await readdir(registry)) {
    const record = JSON.parse(await readFile(join(registry, file), "utf8").catch(() => "null")) as Record | null;
    if (record !== null && !isAlive(record.owner)) await endLeftOver(record);
  }
}

async function endLeftOver({ pid, number, directory }: Record): Promise<void> {
  if (pid !== null && isMachine(pid, number)) {
    const leader = await leaderOf(pid).catch(() => pid);
    for (const each of [leader, pid]) {
      try {
        process.kill(each, "SIGKILL");
      } catch {
        // Gone with the first.
      }
    }
  }
  await remove(number, directory);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** A pid is given again to others: only one that runs our command is ours. */
function isMachine(pid: number, number: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(`--machine=${prefix}${number}\0`);
  } catch {
    return false;
  }
}
