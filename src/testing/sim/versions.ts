import type { RolloutInput } from "../../core/product/input.ts";
import type { EnvironmentSpec } from "../../core/product/spec.ts";
import type { Ruled, Shape } from "./product.ts";
import type { Random } from "./random.ts";
import type { Ailment, Program } from "./service.ts";

/** How a release is run. Short times, so that much happens in them: what a wait is for does not depend on its length. */
export function drawShape(
  random: Random,
  kind: {
    readonly containers: boolean;
    readonly tended: boolean;
    readonly scaled: boolean;
    readonly ruled: Ruled | null;
    readonly losing: boolean;
  },
): Shape {
  const { containers, tended, scaled, ruled, losing } = kind;
  const strategy = random.weighted<Shape["strategy"]>([
    ["blue-green", 3],
    ["rolling", 2],
    ["canary", 3],
  ]);
  const shape = {
    strategy,
    steps: strategy === "canary" ? drawSteps(random) : null,
    batch: random.pick<Shape["batch"]>(["25%", "50%"]),
    bakeMs: random.pick([0, 1_000, 1_000, 2_000, 2_000, 5_000]),
    drainMs: random.pick([500, 2_000, 10_000]),
    instances: random.pick([1, 1, 2, 2, 3]),
    whenBusy: random.weighted([
      ["queue", 3],
      ["replace", 2],
      ["refuse", 1],
    ]),
    worker: random.chance(0.3),
    job: random.chance(0.25),
    // What has a port of its host waits for that host.
    lone: containers && random.chance(0.4) && !losing,
    containers,
    tended,
    scale: null,
    // What a rule of the config is there for is not taken from it by the comparison.
    rules: ruled === null ? undefined : { errorRatio: false },
    ruled,
    losing,
  } satisfies Shape;
  if (!scaled) return shape;
  const min = random.pick([1, 1, 2]);
  const scale = { min, max: min + random.pick([1, 2]), step: random.pick([1, 2]) };
  // What has a port of its host has no room for a second instance.
  return { ...shape, instances: min, lone: false, scale };
}

function drawSteps(random: Random): Shape["steps"] {
  return {
    steps: random.pick<NonNullable<RolloutInput["steps"]>>([["5%", "25%", "50%"], ["10%", "50%"], ["1%"]]),
    stepBake: random.pick(["200ms", "500ms", "1s"] as const),
    stepMinimum: random.pick([0, 1, 10]),
    stepLimit: random.pick(["1s", "3s"] as const),
    promotion: random.chance(0.2) ? "manual" : "automatic",
  };
}

/** The programs of a release; `ailing`: four in ten have something wrong with one of them. */
export function drawPrograms(
  random: Random,
  spec: EnvironmentSpec,
  { ailing, hosts }: { readonly ailing: boolean; readonly hosts: number },
): Record<string, Program> {
  const sick = ailing && random.chance(0.4) ? random.pick(Object.keys(spec.services) as [string, ...string[]]) : null;
  return Object.fromEntries(
    Object.entries(spec.services).map(([name, { kind }]) => [
      name,
      {
        readyMs: random.chance(0.1) ? random.between(60, 1_000) : random.between(5, 60),
        stopMs: random.between(2, 300),
        baseErrors: random.pick([0, 0, 0.0005, 0.002]),
        latencyMs: random.pick([4, 15, 60]),
        ailment: name === sick ? drawAilment(random, kind, hosts) : { is: "none" },
      } satisfies Program,
    ]),
  );
}

function drawAilment(random: Random, kind: string, hosts: number): Ailment {
  if (kind === "job") return random.chance(0.5) ? { is: "job-fails", code: 3 } : { is: "dead-on-start" };
  if (kind === "worker")
    return random.pick<Ailment>([{ is: "dead-on-start" }, { is: "crash-loop", afterMs: random.between(10, 3_000) }]);
  return random.weighted<Ailment>([
    [{ is: "errors", ratio: random.pick([0.02, 0.1, 0.3, 1]) }, 4],
    [{ is: "leak", ratio: 0.5, fullMs: random.between(2_000, 60_000) }, 1],
    [{ is: "latency-creep", factor: 10, fullMs: 5_000 }, 1],
    [{ is: "cold-cache", ratio: 0.05, factor: 5, halfMs: random.between(200, 2_000) }, 2],
    [{ is: "crash-loop", afterMs: random.between(10, 3_000) }, 2],
    [{ is: "bad-host", ratio: 0.4, host: random.below(hosts) }, 1],
    [{ is: "sick", afterMs: random.between(0, 3_000) }, 2],
    [{ is: "dead-on-start" }, 1],
    [{ is: "never-ready" }, 1],
  ]);
}

/** What is wrong with them, for a trace. */
export function ailmentsIn(programs: Readonly<Record<string, Program>>): string {
  return Object.entries(programs)
    .map(([name, { ailment }]) => `${name}: ${JSON.stringify(ailment)}`)
    .join(", ");
}
