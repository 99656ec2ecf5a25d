import type { ReleaseId } from "../../core/ids.ts";
import type { Instance } from "./machine.ts";
import { api, type Shape, specOf } from "./product.ts";
import type { Promises } from "./promises.ts";
import type { SimWorld } from "./world.ts";

type Deps = {
  readonly promises: Promises;
  readonly world: () => SimWorld;
  readonly shapeOf: (release: ReleaseId) => Shape;
};

/** What befell an instance so long before the switch, or after it, the control plane may not have seen: a probe, and its time. */
const blindMs = 2_000;

/** As the configs there say. */
const deadlineMs = 30_000;

/** A rolling deployment stops what answers only where enough others do: all but a batch of them. */
export class Capacity {
  readonly #deps: Deps;
  #troubledMs = Number.NEGATIVE_INFINITY;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** What was broken by that, or null. */
  onInstance(event: string, { revision: { spec }, id }: Instance): string | null {
    const { promises, world, shapeOf } = this.#deps;
    if (spec.service !== api) return null;
    const { machine, timeline } = world();
    if (event === "cut off" || event === "exited") this.#troubledMs = timeline.nowMs;
    if (event !== "stopping") return null;
    const live = promises.live();
    const [course] = promises.open().filter(({ phases }) => phases.at(-1)?.is === "draining");
    if (course === undefined || course.release === null || spec.release !== live) return null;
    const shiftedMs = course.phases.findLast(({ is }) => is === "shifting")?.atMs ?? 0;
    if (this.#troubledMs > shiftedMs - blindMs) return null;
    const [from, to] = [shapeOf(live), shapeOf(course.release)];
    if (to.strategy !== "rolling" || from.lone || to.lone || from.scale !== null || to.scale !== null) return null;
    const { batch } = specOf(to).rollout;
    const size = typeof batch === "number" ? Math.max(1, Math.floor(to.instances * batch)) : batch.instances;
    const promised = Math.min(from.instances, to.instances) - size;
    const all = [...machine.revisions.values()].filter((revision) => revision.spec.service === api);
    const sides = all.filter((revision) => revision.spec.release === live || revision.spec.release === course.release);
    const starting = sides
      .filter((revision) => revision.spec.release === live)
      .flatMap(({ wanted, instances }) => [...instances.values()].filter(({ index }) => index < wanted))
      .find((each) => each.state === "running" && each.readyAtMs === null && isYoung(each, timeline.nowMs));
    if (starting !== undefined) return `${id} was stopped, and ${starting.id} had only started`;
    const well = sides
      .flatMap(({ instances }) => [...instances.values()])
      .filter((each) => machine.isListening(each) && machine.conditionOf(each).healthy);
    return well.length >= promised
      ? null
      : `${id} was stopped, and ${well.length} of at least ${promised} others answer`;
  }
}

/** Of a first life that has not had its time yet. */
function isYoung({ bornMs, lastExit, revision: { spec } }: Instance, nowMs: number): boolean {
  return spec.listens && lastExit === null && nowMs - bornMs < deadlineMs;
}
