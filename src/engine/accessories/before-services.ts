import { self } from "../../core/actor.ts";
import type { ReleaseView } from "../../core/deploy/course.ts";
import { isSlipwayError } from "../../core/errors/error.ts";
import { untilAccessoriesWellAgain } from "../deploy/accessories-well.ts";
import { appendHistory } from "../history.ts";
import type { World } from "../world.ts";

type Wait = { readonly release: ReleaseView["id"]; isOver: boolean };

/**
 * After everything was stopped, services start when their accessories are well, or when those have had the time that their health gives
 * them: nobody is there to decide, and what waits for ever serves nobody. Why one is not well is in the history then.
 */
export class AccessoriesFirst {
  readonly #world: World;
  readonly #signal: AbortSignal;
  readonly #onOver: () => void;
  readonly #waits = new Map<string, Wait>();

  /** `onOver`: what was waited for may start. */
  constructor(world: World, signal: AbortSignal, onOver: () => void) {
    this.#world = world;
    this.#signal = signal;
    this.#onOver = onOver;
  }

  /** Whether the services of an environment where none runs may start now. Begins to wait where nobody does, and answers at once. */
  mayStart({ id: release, spec }: ReleaseView): boolean {
    if (Object.keys(spec.accessories).length === 0) return true;
    const key = `${spec.product}/${spec.environment}`;
    const known = this.#waits.get(key);
    if (known !== undefined && known.release === release) return known.isOver;
    const wait: Wait = { release, isOver: false };
    this.#waits.set(key, wait);
    void this.#until({ id: release, spec }).finally(() => {
      wait.isOver = true;
      this.#onOver();
    });
    return false;
  }

  /** They run: when they have been stopped once more, it is waited anew. */
  forget({ spec }: ReleaseView): void {
    const key = `${spec.product}/${spec.environment}`;
    if (this.#waits.get(key)?.isOver === true) this.#waits.delete(key);
  }

  async #until({ id, spec }: Pick<ReleaseView, "id" | "spec">): Promise<void> {
    const { store, clock, log, changes } = this.#world;
    const { product, environment } = spec;
    try {
      await untilAccessoriesWellAgain(this.#world, spec, clock.now(), this.#signal);
    } catch (error) {
      if (this.#signal.aborted) return;
      if (!isSlipwayError(error)) {
        log.error("accessory.not-asked", { environment, reason: String(error) });
        return;
      }
      const reason = `${error.message}; they start all the same`;
      const entry = { at: clock.now(), product, environment, release: id, event: "accessory.unwell", actor: self };
      log.warn("accessory.unwell", { environment, code: error.code, reason });
      await store.db
        .transaction()
        .execute((trx) => appendHistory(trx, { ...entry, reason, evidence: error.evidence }))
        .catch((trouble: unknown) => log.error("accessory.not-recorded", { environment, reason: String(trouble) }));
      changes.announce();
    }
  }
}
