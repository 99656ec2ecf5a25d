import { type Cell, openCell } from "./cell.ts";
import type { ControlGroup } from "./control-groups.ts";
import { run } from "./parts.ts";
import type { Scene } from "./scene.ts";

/** What joins the machines of one test with each other and with this one. */
export type Bridge = {
  /** Of this machine on it. */
  readonly gateway: string;
  readonly addressOf: (index: number) => string;
  /** Gives a machine's network namespace its `eth0`. */
  join(machine: Cell, port: { readonly name: string; readonly index: number }): Promise<void>;
  /** Forgets a machine that is gone. Does nothing when it is not there. */
  leave(name: string): Promise<void>;
  /** Pulls a machine's cable out, or puts it back. Nobody is told: packets are lost. */
  setCable(name: string, state: "up" | "down"): Promise<void>;
  close(): Promise<void>;
};

/**
 * A bridge in a network namespace of its own, so that no firewall rule of this machine, nor of an engine on it, applies to what
 * the machines say to each other.
 */
export async function openBridge(scene: Scene, group: ControlGroup): Promise<Bridge> {
  const { a, b } = scene.network;
  const addressOf = (index: number): string => `10.${a}.${b}.${11 + index}`;
  const gateway = `10.${a}.${b}.1`;
  const cell = await openCell({
    group,
    network: "own",
    setUp: "ip link add bridge type bridge\nip link set bridge up\nip link set lo up",
    args: [],
  });
  const inBridge = (lines: readonly string[]): Promise<string> =>
    run(["nsenter", "--target", String(cell.pid), "--net", "--", "ip", "-batch", "-"], { input: lines.join("\n") });
  await run(["ip", "-batch", "-"], {
    input: [
      `link add ${scene.id} type veth peer name here netns ${cell.pid}`,
      `address add ${gateway}/24 dev ${scene.id}`,
      `link set ${scene.id} up`,
    ].join("\n"),
  });
  await inBridge(["link set here master bridge up"]);
  return {
    gateway,
    addressOf,
    join: async (machine, { name, index }) => {
      await inBridge([
        `link add ${name} type veth peer name eth0 address ${macOf(index)} netns ${machine.pid}`,
        `link set ${name} master bridge up`,
      ]);
      await run(["nsenter", "--target", String(machine.pid), "--net", "--", "ip", "-batch", "-"], {
        input: [
          "link set lo up",
          `address add ${addressOf(index)}/24 dev eth0`,
          "link set eth0 up",
          `route add default via ${gateway}`,
        ].join("\n"),
      });
    },
    // The kernel may have been faster: the pair goes with the machine's namespace, some time after its last process.
    leave: async (name) => void (await inBridge([`link delete ${name}`]).catch(() => {})),
    setCable: async (name, state) => void (await inBridge([`link set ${name} ${state}`])),
    close: () => cell.kill(),
  };
}

/** A machine keeps its hardware address when it is switched on again, so that nobody's ARP table has to time out. */
function macOf(index: number): string {
  return `02:53:77:00:00:${(index + 1).toString(16).padStart(2, "0")}`;
}
