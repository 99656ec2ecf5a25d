import { type StartFailure, SupervisorError, type UnitReport, type UnitSpec } from "./contract.ts";
import { Instance, type SavedInstance, type Surroundings } from "./instance.ts";
import { adoptProcess, type Marked } from "./process.ts";
import { environmentOf } from "./procfs.ts";

export type SavedUnit = {
  readonly spec: UnitSpec;
  readonly wanted: number;
  readonly instances: readonly SavedInstance[];
};

/** One command, kept running in the wanted number of instances. Level-based: `reconcile` looks at what is and does what is missing. */
export class Unit {
  readonly #around: Surroundings;
  readonly #instances: Instance[] = [];
  readonly #waiters = new Set<() => void>();
  #spec: UnitSpec;
  #wanted = 0;

  constructor(spec: UnitSpec, around: Omit<Surroundings, "changed">, changed: () => void) {
    this.#spec = spec;
    this.#around = {
      ...around,
      changed: () => {
        this.#reconcile();
        for (const check of [...this.#waiters]) check();
        changed();
      },
    };
  }

  /**
   * A changed spec does not disturb what runs: it holds from the next start of each instance. True when anything is new.
   */
  want(spec: UnitSpec, instances: number): boolean {
    const isNew = this.#wanted !== instances || JSON.stringify(this.#spec) !== JSON.stringify(spec);
    this.#spec = spec;
    this.#wanted = instances;
    if (isNew || !this.#isSettled()) this.#around.changed();
    return isNew;
  }

  /** Processes that nobody wrote down are taken over instead of being started a second time. */
  adopt(strays: readonly Marked[], idOf: (mark: string) => string): void {
    for (const { mark, pid, startTicks } of strays) {
      const index = Number(idOf(mark).slice(this.#spec.key.length + 1));
      const instance = this.#at(index);
      const live = instance.runningGroup === null && instance.atRest ? adoptProcess(pid, startTicks) : null;
      if (live !== null) instance.adopt(live, Date.now(), Number(environmentOf(pid, "PORT")) || null);
    }
  }

  restore(saved: SavedUnit, sameBoot: boolean): void {
    for (const instance of saved.instances) this.#at(instance.index).restore(instance, sameBoot);
  }

  /** Resolves when every wanted instance has been started and every other has ended. Rejects when one could not be started. */
  async settled(): Promise<void> {
    await new Promise<void>((resolve) => {
      const check = () => {
        if (!this.#isSettled()) return;
        this.#waiters.delete(check);
        resolve();
      };
      this.#waiters.add(check);
      check();
    });
    const failed = this.#instances.find(({ index, failure }) => index < this.#wanted && failure !== null);
    if (failed?.failure) throw errorOf(failed.failure, failed.id);
  }

  get spec(): UnitSpec {
    return this.#spec;
  }

  get instances(): readonly Instance[] {
    return this.#instances;
  }

  report(): UnitReport {
    const { key, labels, notes } = this.#spec;
    return { key, labels, notes, wanted: this.#wanted, instances: this.#instances.map((each) => each.report()) };
  }

  save(): SavedUnit {
    return { spec: this.#spec, wanted: this.#wanted, instances: this.#instances.map((each) => each.save()) };
  }

  forget(): void {
    for (const instance of this.#instances.splice(0)) instance.forget();
  }

  #reconcile(): void {
    for (let index = 0; index < this.#wanted; index++) this.#at(index).keep();
    for (const instance of this.#instances) {
      if (instance.index >= this.#wanted && instance.state !== "stopped") void instance.stop();
    }
  }

  #isSettled(): boolean {
    return this.#instances.every(({ index, state, atRest }) =>
      index < this.#wanted ? !["waiting", "stopping", "stopped"].includes(state) : atRest && state === "stopped",
    );
  }

  #at(index: number): Instance {
    for (let next = this.#instances.length; next <= index; next++) {
      this.#instances.push(new Instance(this.#spec.key, next, () => this.#spec, this.#around));
    }
    return this.#instances[index] as Instance;
  }
}

function errorOf(failure: StartFailure, id: string): SupervisorError {
  const code = ({ COMMAND: "START_FAILED", PORTS: "NO_PORT", SPACE: "NO_SPACE" } as const)[failure.code];
  return new SupervisorError(code, `${id} could not be started: ${failure.message}`);
}
