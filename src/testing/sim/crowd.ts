import type { ReleaseId } from "../../core/ids.ts";
import type { Operator } from "./operator.ts";
import { api, type Shape, specOf } from "./product.ts";
import type { Promises } from "./promises.ts";
import type { Random } from "./random.ts";
import { type Load, loads } from "./scaling.ts";
import { isBad, type Program } from "./service.ts";
import type { Due } from "./timeline.ts";
import type { Trace } from "./trace.ts";
import type { SimWorld } from "./world.ts";

type Deps = {
  readonly random: Random;
  readonly promises: Promises;
  readonly trace: Trace;
  readonly world: () => SimWorld;
  readonly shapeOf: (release: ReleaseId) => Shape;
  /** Of the API. */
  readonly programOf: (release: ReleaseId) => Program | undefined;
  readonly kill: Operator["kill"];
  readonly add: (what: string) => void;
};

/** Longer than this nobody waits for instances to go: what soon had to come back waits twice as long each time. */
const longestDownMs = 40_000;
/** Between two looks whether they are there. */
const lookMs = 1_000;

/** How many users there are, which changes; and whether instances follow them. */
export class Crowd {
  readonly #deps: Deps;
  #load: Load = "usual";
  /** When the load changes next. */
  #turn: Due | null = null;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** Of the usual number of requests. */
  get factor(): number {
    return loads[this.#load];
  }

  /** Sometimes the load changes in the middle of what happens next. */
  mayTurn(): void {
    const { random, world } = this.#deps;
    if (!random.chance(0.4)) return;
    const load = random.pick<Load>(["low", "usual", "high"]);
    this.#turn = world().timeline.after(random.exponential(2_000), () => this.#bear(load));
  }

  /**
   * The load rises far, or falls; instances follow it as far as they may, also when the control plane dies over it. Sometimes the next
   * release comes before they have.
   */
  async mustBeFollowed(): Promise<void> {
    const { random, promises, world, shapeOf, programOf, kill, add } = this.#deps;
    const { timeline } = world();
    const { scaling } = promises;
    if (this.#turn !== null) this.#turn.off = true;
    const live = promises.live();
    const program = live === null ? undefined : programOf(live);
    // What does not answer well, or does not start, is another matter.
    if (live === null || program === undefined || isBad(program)) return;
    const shape = shapeOf(live);
    const load = scaling.downWaitMs(shape) > longestDownMs ? "low" : random.pick(["low", "high"] as const);
    this.#bear(load);
    const following = scaling.follow(load, shape, timeline.nowMs);
    if (following === null) return;
    if (random.chance(0.3))
      timeline.after(random.exponential(6_000), () =>
        kill({ afterTouches: 1 + random.below(60), downMs: random.between(20, 500) }),
      );
    if (random.chance(0.3)) return timeline.wait(random.between(500, 15_000));
    const isMatter = (): boolean => promises.live() === live && promises.open().length === 0;
    const isThere = (): boolean => {
      const spec = specOf(shape);
      const service = spec.services[api];
      return service !== undefined && !scaling.isUnderWay() && scaling.countOf(spec, service) === following.wanted;
    };
    while (!isThere() && isMatter() && promises.broken.length === 0) {
      if (following.isLate(timeline.nowMs))
        return promises.break("scaled", `the load is ${load}, and there are not ${following.wanted} of ${api}`);
      await timeline.wait(lookMs);
    }
    if (isThere() && isMatter()) add(load === "high" ? "grown with the load" : "shrunk with the load");
  }

  #bear(load: Load): void {
    const { world, trace } = this.#deps;
    world().gateway.flow();
    trace.note("users", () => `the load is ${load}`);
    this.#load = load;
  }
}
