import type { Random } from "./random.ts";
import { afflict } from "./target.ts";
import type { SimWorld } from "./world.ts";

/** What befalls a world, for a while where it has a `lastsMs`. */
export type Fault =
  | { readonly is: "kill"; readonly afterTouches: number | null; readonly downMs: number }
  | { readonly is: "hosts-away" | "hosts-hang" | "hosts-refuse" | "hosts-lie"; readonly lastsMs: number }
  | { readonly is: "edge-away" | "edge-deaf" | "edge-slow" | "edge-mute"; readonly lastsMs: number }
  | { readonly is: "edge-restarts" | "edge-forgets" }
  | { readonly is: "commits-fail" | "disk-dead"; readonly lastsMs: number }
  | { readonly is: "instance-dies" | "host-restarts" }
  | { readonly is: "clock-jumps"; readonly byMs: number }
  | { readonly is: "outage"; readonly ratio: number; readonly lastsMs: number };

export type Timed = { readonly afterMs: number; readonly fault: Fault };

/** A deployment is given none, or a few of them, mostly at its beginning, where most happens. */
export function drawFaults(random: Random): Timed[] {
  const count = random.weighted([
    [0, 2],
    [1, 5],
    [2, 2],
    [3, 1],
  ]);
  return Array.from({ length: count }, () => ({
    afterMs: random.chance(0.3) ? random.between(0, 40) : random.exponential(900),
    fault: drawFault(random),
  }));
}

function drawFault(random: Random): Fault {
  const lastsMs = random.weighted([
    [random.between(5, 300), 3],
    [random.between(300, 3_000), 3],
    [random.between(3_000, 20_000), 1],
  ]);
  const is = random.weighted<Fault["is"]>([
    ["kill", 40],
    ["hosts-away", 8],
    ["hosts-hang", 5],
    ["hosts-refuse", 4],
    ["hosts-lie", 4],
    ["edge-away", 6],
    ["edge-deaf", 5],
    ["edge-slow", 5],
    ["edge-mute", 4],
    ["edge-restarts", 4],
    ["edge-forgets", 2],
    ["commits-fail", 6],
    ["disk-dead", 3],
    ["instance-dies", 5],
    ["host-restarts", 2],
    ["clock-jumps", 3],
    ["outage", 3],
  ]);
  switch (is) {
    case "kill": {
      const afterTouches = random.chance(0.8) ? 1 + random.below(250) : null;
      return { is, afterTouches, downMs: random.chance(0.2) ? random.between(1_000, 8_000) : random.between(20, 500) };
    }
    case "edge-restarts":
    case "edge-forgets":
    case "instance-dies":
    case "host-restarts":
      return { is };
    case "clock-jumps":
      return { is, byMs: Math.round(random.between(-120_000, 120_000)) };
    case "outage":
      return { is, ratio: random.between(0.1, 0.8), lastsMs };
    default:
      return { is, lastsMs };
  }
}

/** Lets it happen now. `kill` is the story's own matter: it starts the next control plane. */
export function happen(world: SimWorld, fault: Exclude<Fault, { is: "kill" }>, random: Random): void {
  const { machine, gateway, gate, place, database, timeline } = world;
  switch (fault.is) {
    case "hosts-away":
    case "hosts-hang":
    case "hosts-refuse":
    case "hosts-lie": {
      const trouble = (
        { "hosts-away": "away", "hosts-hang": "hang", "hosts-refuse": "refuse", "hosts-lie": "lie" } as const
      )[fault.is];
      afflict(place, trouble);
      timeline.after(fault.lastsMs, () => {
        if (place.trouble === trouble) afflict(place, null);
      });
      return;
    }
    case "edge-away":
    case "edge-deaf":
    case "edge-slow":
    case "edge-mute": {
      const trouble = ({ "edge-away": "away", "edge-deaf": "deaf", "edge-slow": "slow", "edge-mute": "mute" } as const)[
        fault.is
      ];
      gate.trouble = trouble;
      timeline.after(fault.lastsMs, () => {
        if (gate.trouble === trouble) gate.trouble = null;
      });
      return;
    }
    case "edge-restarts":
    case "edge-forgets":
      gateway.restart({ forgetful: fault.is === "edge-forgets" });
      return;
    case "commits-fail":
    case "disk-dead": {
      const trouble = fault.is === "commits-fail" ? "commit" : "all";
      database.trouble = trouble;
      timeline.after(fault.lastsMs, () => {
        if (database.trouble === trouble) database.trouble = null;
      });
      return;
    }
    case "instance-dies":
    case "host-restarts": {
      const all = [...machine.revisions.values()].flatMap(({ instances }) => [...instances.values()]);
      const running = all.filter(({ state }) => state === "running");
      const struck = running[random.below(Math.max(1, running.length))];
      const hit = fault.is === "instance-dies" ? [struck] : running.filter(({ host }) => host === struck?.host);
      for (const instance of hit) if (instance !== undefined) machine.strike(instance);
      return;
    }
    case "clock-jumps":
      timeline.jump(fault.byMs);
      return;
    case "outage":
      gateway.flow();
      world.shared = fault.ratio;
      timeline.after(fault.lastsMs, () => {
        gateway.flow();
        world.shared = 0;
      });
  }
}

/** Nothing is wrong any more. */
export function heal(world: SimWorld): void {
  afflict(world.place, null);
  world.gate.trouble = null;
  world.database.trouble = null;
  world.gateway.flow();
  world.shared = 0;
}
