import { isSlipwayError, reasonOf } from "../../core/errors/error.ts";
import type { World } from "../../engine/world.ts";
import type { Life } from "./life.ts";
import type { Promises } from "./promises.ts";
import type { Trace } from "./trace.ts";
import type { SimWorld } from "./world.ts";

/** How often a person tries again while the control plane is away, and how long they wait. */
const [attempts, againMs] = [30, 500];
/** A control plane that cannot start is started again so often, and so long after. */
const [starts, startAgainMs] = [200, 500];

type Deps = {
  readonly world: SimWorld;
  readonly promises: Promises;
  readonly trace: Trace;
  readonly add: (what: string) => void;
};

/** Who runs the control plane: a service manager that starts it again, and persons at the command line. */
export class Operator {
  readonly #deps: Deps;
  /** The boot whose death is certain already. */
  #doomed: Life | null = null;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** Starts a control plane; one that ends by itself is started again. */
  async boot(failures = 0): Promise<void> {
    const { world, trace, promises } = this.#deps;
    const booted = world.boot().then(
      () => "up" as const,
      (error: unknown) => ({ error }),
    );
    const life = world.plane?.life;
    const end = await (life === undefined ? booted : Promise.race([booted, life.death]));
    if (end === "up") trace.note("plane", () => `up, boot ${life?.number}`);
    // Killed: whoever killed it sees to the next one.
    if (end === "up" || end === null) return;
    trace.note("plane", () => `could not start: ${reasonOf(end.error)}`);
    if (!isSlipwayError(end.error) || failures > starts)
      promises.break("resumes", `a start failed: ${reasonOf(end.error)}`);
    world.kill();
    world.timeline.after(startAgainMs, () => void this.boot(failures + 1));
  }

  /** Kills it, now or at the touch of the outside after so many more, and starts another one after a while. */
  kill({ afterTouches, downMs }: { readonly afterTouches: number | null; readonly downMs: number }): void {
    const { world, trace, add } = this.#deps;
    const life = world.plane?.life;
    if (life === undefined || this.#doomed === life) return;
    this.#doomed = life;
    life.onDeath(() => {
      trace.note("kill", () => `the control plane is dead for ${Math.round(downMs)} ms`);
      add("control planes killed");
      world.plane = null;
      world.timeline.after(downMs, () => void this.boot());
    });
    if (afterTouches === null) world.kill();
    else life.dieAfter(afterTouches);
  }

  /**
   * Has the control plane of the moment do it, and tries again while it is away or says that this may help. `done`: what was asked
   * may have been done although no answer came.
   */
  async command<T>(
    name: string,
    work: (world: World) => Promise<T>,
    done: () => T | null = () => null,
  ): Promise<T | null> {
    const { world, trace, promises } = this.#deps;
    for (let attempt = 0; attempt < attempts; attempt += 1) {
      const { plane, timeline } = world;
      if (plane !== null) {
        trace.note("person", () => name);
        const answer = await Promise.race([
          work(plane.world).then(
            (value) => ({ value }),
            (error: unknown) => ({ error }),
          ),
          plane.life.death,
        ]);
        if (answer !== null && "value" in answer) return answer.value;
        const before = done();
        if (before !== null) return before;
        if (answer !== null) {
          const { error } = answer;
          trace.note("person", () => `${name} was refused: ${reasonOf(error)}`);
          if (!isSlipwayError(error)) promises.break("resumes", `${name} met a bug: ${reasonOf(error)}`);
          // Another deployment is under way: a person is told so, and goes home.
          if (!isSlipwayError(error) || !error.retryable || error.code === "DEPLOYMENT_IN_PROGRESS") return null;
        }
      }
      await timeline.wait(againMs);
    }
    return null;
  }
}
