import type { ServiceSpec } from "../../core/product/spec.ts";
import { lostAfterMs } from "./lost.ts";
import type { Operator } from "./operator.ts";
import { api, environment, product, type Shape, specOf } from "./product.ts";
import type { Promises } from "./promises.ts";
import type { Random } from "./random.ts";
import type { Trace } from "./trace.ts";
import type { SimWorld } from "./world.ts";

/** As the configs say, and then a minute: a control plane that dies, starts, looks that are repeated. */
const patienceMs = lostAfterMs + 60_000;
const lookMs = 1_000;

type Deps = {
  readonly random: Random;
  readonly promises: Promises;
  readonly trace: Trace;
  readonly world: () => SimWorld;
  readonly shapeOf: (release: NonNullable<ReturnType<Promises["live"]>>) => Shape;
  readonly kill: Operator["kill"];
  readonly add: (what: string) => void;
};

/** A whole host goes away, at rest or in the middle of a deployment, and comes back or never does. */
export class Losing {
  readonly #deps: Deps;
  /** The one that is away; there is never another one at the same time. */
  #host: number | null = null;
  #isForEver = false;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** While something else is under way; it is back after a while, or when all is well again. */
  mayLose(): void {
    const { random, world } = this.#deps;
    if (this.#host !== null || !random.chance(0.4)) return;
    const { timeline } = world();
    const backMs = random.between(500, 15_000);
    timeline.after(random.exponential(1_500), () => {
      if (this.#host !== null) return;
      this.#lose(random.below(world().machine.hosts));
      const { losses } = world().machine;
      // Another one that is away by then has a time of its own.
      timeline.after(backMs, () => losses === world().machine.losses && this.back());
    });
  }

  /** The host that is not away for ever is here again. */
  back(): void {
    if (this.#host === null || this.#isForEver) return;
    this.#deps.trace.note("fault", () => `host-${this.#host} is back`);
    this.#deps.world().machine.find(this.#host);
    this.#host = null;
  }

  /** All that was on it runs on the others soon, and users are sent there alone. */
  async mustBeReplaced(): Promise<void> {
    const { random, world, promises, kill, add } = this.#deps;
    const { timeline, machine } = world();
    const live = promises.live();
    if (this.#host !== null || live === null) return;
    this.#lose(random.below(machine.hosts));
    this.#isForEver = random.chance(0.1);
    if (random.chance(0.4))
      timeline.after(random.exponential(6_000), () =>
        kill({ afterTouches: 1 + random.below(60), downMs: random.between(20, 500) }),
      );
    const untilMs = timeline.nowMs + patienceMs;
    // A person may bring something else meanwhile, and then it is no matter of healing until that has ended.
    const isMatter = (): boolean => promises.live() === live && promises.open().length === 0;
    let missing = this.#missing();
    while (missing !== null && isMatter() && timeline.nowMs < untilMs) {
      await timeline.wait(lookMs);
      missing = this.#missing();
    }
    if (missing === null) add("lost hosts replaced");
    else if (isMatter()) promises.break("replaced", missing);
    if (random.chance(0.5)) await timeline.wait(random.exponential(4_000));
    this.back();
  }

  #lose(host: number): void {
    const { trace, world, add } = this.#deps;
    trace.note("fault", () => `host-${host} is lost`);
    add("hosts lost");
    this.#host = host;
    world().machine.lose(host);
  }

  /** What of the live release does not run elsewhere yet, or where users are still sent; null when all is as it should be. */
  #missing(): string | null {
    const { promises, world, shapeOf } = this.#deps;
    const { machine, gateway } = world();
    const live = promises.live();
    if (live === null || this.#host === null) return null;
    const spec = specOf(shapeOf(live));
    for (const service of Object.values<ServiceSpec>(spec.services)) {
      if (service.kind === "job") continue;
      const revision = [...machine.revisions.values()].find(
        (each) => each.spec.release === live && each.spec.service === service.name,
      );
      const there = [...(revision?.instances.values() ?? [])].filter(({ host }) => !machine.isLost(host));
      const wanted = promises.scaling.countOf(spec, service);
      if (there.length < wanted)
        return `${there.length} of ${wanted} instances of ${service.name} are on the other hosts, a minute after one was lost`;
    }
    const targets = gateway.table?.services[`${product}/${environment}/${api}`]?.targets ?? [];
    const astray = targets
      .filter(({ weight }) => weight > 0)
      .flatMap(({ instances }) => instances)
      .find(({ address }) => machine.isLost(machine.at(address)?.host ?? -1));
    return astray === undefined ? null : `users are still sent to ${astray.address}, whose host is lost`;
  }
}
