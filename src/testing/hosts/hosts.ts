import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { openBridge } from "./bridge.ts";
import { makeControlGroup } from "./control-groups.ts";
import { type Machine, type MachineOptions, makeMachine } from "./machine.ts";
import { needPrograms } from "./parts.ts";
import { openScene } from "./scene.ts";
import { makeSshAccess, type SshAccess } from "./ssh-access.ts";

/** A Linux machine with Docker and sshd, as real as namespaces make it. */
export type TestHost = SshAccess & {
  /** Also its host name, and what `ssh -F <sshConfig>` knows it by. */
  readonly name: string;
  /** Reached from here, and from the other hosts. */
  readonly address: string;
  readonly port: 22;
  readonly user: "root";
  /** `ssh://root@<address>`. */
  readonly url: string;
  /** The engine's own socket: for looking at it past SSH. */
  readonly socket: string;
  /** Runs a program on the host, past SSH; gives its standard output. */
  run(command: readonly string[], options?: { readonly input?: string }): Promise<string>;
  /** Pulls its network cable out: packets are lost, nobody is told. */
  cut(): Promise<void>;
  mend(): Promise<void>;
  /** Every process of it stops, containers too; the network still takes connections. */
  freeze(): Promise<void>;
  thaw(): Promise<void>;
  /** The power fails. */
  crash(): Promise<void>;
  /** Switched on again after a crash: the engine's data are there, files elsewhere are as new. */
  boot(): Promise<void>;
  restartEngine(how?: "stop" | "kill"): Promise<void>;
  stopEngine(how?: "stop" | "kill"): Promise<void>;
  startEngine(): Promise<void>;
  /** Leaves so many bytes free on the disk of the engine. Only with `diskBytes`. */
  fillDisk(freeBytes: number): Promise<void>;
  freeDisk(): Promise<void>;
};

export type TestHosts = SshAccess & {
  readonly hosts: readonly TestHost[];
  /** This machine's address as the hosts see it: for registries and callbacks that run here. */
  readonly gateway: string;
  /** For `ssh-keyscan`-like files and sockets of the test itself; goes with the hosts. */
  readonly directory: string;
  /** Ends all hosts and removes what they had. Safe to repeat. */
  down(): Promise<void>;
};

/** Starts `count` hosts, named h1, h2, …; at most 50. They end with this process, however it ends. */
export async function startHosts(count: number, options: Partial<MachineOptions> = {}): Promise<TestHosts> {
  needPrograms(
    "dockerd",
    "containerd",
    "runc",
    "iptables",
    "ip",
    "sshd",
    "ssh",
    "ssh-keygen",
    "setpriv",
    "unshare",
    "tini",
  );
  const scene = await openScene();
  const machines: Machine[] = [];
  const endings: (() => Promise<void>)[] = [() => scene.close()];
  const down = async (): Promise<void> => {
    await Promise.all(machines.map((machine) => machine.switchOff()));
    for (const end of endings.splice(0)) await end();
  };
  try {
    const bridge = await openBridge(scene, await makeControlGroup(`${scene.controlGroup}/bridge`));
    endings.unshift(() => bridge.close());
    const names = Array.from({ length: count }, (_, index) => `h${index + 1}`);
    const access = await makeSshAccess(
      scene.directory,
      names.map((name, index) => ({ name, address: bridge.addressOf(index) })),
    );
    const hostsFile = join(scene.directory, "hosts");
    const lines = names.map((name, index) => `${bridge.addressOf(index)} ${name}`);
    await writeFile(hostsFile, `${["127.0.0.1 localhost", `${bridge.gateway} control`, ...lines].join("\n")}\n`);
    const hosts = names.map((name, index): TestHost => {
      const etcSsh = join(scene.directory, "etc", name);
      const machine = makeMachine(scene, { version: "20.10", ...options, name, index, bridge, etcSsh, hostsFile });
      machines.push(machine);
      return hostOf(name, bridge.addressOf(index), machine, access, (state) => bridge.setCable(name, state));
    });
    await Promise.all(machines.map((machine) => machine.switchOn()));
    const directory = join(scene.directory, "test");
    await mkdir(directory);
    return { ...access, hosts, gateway: bridge.gateway, directory, down };
  } catch (error) {
    await down();
    throw error;
  }
}

function hostOf(
  name: string,
  address: string,
  machine: Machine,
  access: SshAccess,
  setCable: (state: "up" | "down") => Promise<void>,
): TestHost {
  return {
    ...access,
    name,
    address,
    port: 22,
    user: "root",
    url: `ssh://root@${address}`,
    socket: machine.socket,
    run: (command, options) => machine.cell().run(command, options),
    cut: () => setCable("down"),
    mend: () => setCable("up"),
    freeze: () => machine.setFrozen(true),
    thaw: () => machine.setFrozen(false),
    crash: () => machine.switchOff(),
    boot: () => machine.switchOn(),
    restartEngine: (how = "stop") => machine.daemon.restart(how),
    stopEngine: (how = "stop") => machine.daemon.stop(how),
    startEngine: () => machine.daemon.start(),
    fillDisk: (freeBytes) => machine.fillDisk(freeBytes),
    freeDisk: () => machine.freeDisk(),
  };
}
