import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { type Cell, openCell } from "./cell.ts";
import { makeControlGroup } from "./control-groups.ts";
import { type DaemonOptions, type EngineVersion, makeDaemon } from "./dockerd.ts";
import { needPrograms, run } from "./parts.ts";
import { letThrough, openScene, type Scene } from "./scene.ts";

/** A real engine of its own: socket, data, bridge, addresses and control group that nothing else uses. */
export type TestEngine = {
  readonly version: EngineVersion;
  /** Path of its unix socket. */
  readonly socket: string;
  /** `unix://` and the path: what `DOCKER_HOST` takes. */
  readonly url: string;
  /** Where a container's published port is reached from here. */
  readonly address: string;
  readonly directory: string;
  /** Ends the engine alone and starts it again: as its package's upgrade does (`stop`), or as a crash does (`kill`). */
  restartEngine(how?: "stop" | "kill"): Promise<void>;
  stopEngine(how?: "stop" | "kill"): Promise<void>;
  startEngine(): Promise<void>;
  /** Ends engine and containers and removes everything they had. Safe to repeat. */
  down(): Promise<void>;
};

export type EngineOptions = Partial<DaemonOptions>;

/**
 * Containers are reached from this machine by their own address and by ports published on 127.0.0.1, as with an engine that is
 * installed here. It sets no firewall rules, so that engines of several tests do not undo each other's; an engine that does is on
 * each machine of `startHosts`.
 */
export async function startEngine(options: EngineOptions = {}): Promise<TestEngine> {
  needPrograms("dockerd", "containerd", "runc", "iptables", "ip", "setpriv", "unshare", "nsenter", "tini");
  const engine: DaemonOptions = { version: "20.10", ...options };
  const scene = await openScene();
  const { directory } = scene;
  let cell: Cell | null = null;
  const down = async (): Promise<void> => {
    await cell?.kill();
    await scene.close();
  };
  try {
    for (const each of ["run", "data"]) await mkdir(join(directory, each), { recursive: true });
    const opened = await openCell({
      group: await makeControlGroup(`${scene.controlGroup}/engine`),
      network: "shared",
      setUp: `
        mount --make-rprivate /
        mount -t proc proc /proc
        mount --bind "$1" /run
        mkdir -p /run/lock`,
      args: [join(directory, "run")],
    });
    cell = opened;
    const daemon = makeDaemon({
      cell: () => opened,
      directory: join(directory, "run"),
      engine,
      config: {
        "data-root": join(directory, "data"),
        "cgroup-parent": `/${scene.controlGroup}/containers`,
        iptables: false,
        "ip-forward": false,
        ...(await bridgeOf(scene)),
      },
    });
    await daemon.start();
    const socket = join(directory, "run", "docker.sock");
    return {
      version: engine.version,
      socket,
      url: `unix://${socket}`,
      address: "127.0.0.1",
      directory,
      restartEngine: (how = "stop") => daemon.restart(how),
      stopEngine: (how = "stop") => daemon.stop(how),
      startEngine: () => daemon.start(),
      down,
    };
  } catch (error) {
    await down();
    throw error;
  }
}

/** The first /24 of the scene for the default bridge, the rest in pieces of 62 addresses for networks that are made later. */
async function bridgeOf({ id, network: { a, b } }: Scene): Promise<Record<string, unknown>> {
  await run(["ip", "link", "add", id, "type", "bridge"]);
  await run(["ip", "address", "add", `10.${a}.${b}.1/24`, "dev", id]);
  await run(["ip", "link", "set", id, "up"]);
  await letThrough({ a, b });
  return { bridge: id, "default-address-pools": [{ base: `10.${a}.${b + 32}.0/19`, size: 26 }] };
}
