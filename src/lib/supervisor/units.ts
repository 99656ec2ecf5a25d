import { createHash } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { Cgroups } from "./cgroup.ts";
import {
  type Limits,
  requestLimits,
  type Selector,
  SupervisorError,
  type UnitReport,
  type UnitSpec,
} from "./contract.ts";
import type { Instance, Line, Surroundings } from "./instance.ts";
import type { LogFileOptions } from "./log-file.ts";
import { Logs, matches } from "./logs.ts";
import { defaultPortRange, type PortRange, Ports } from "./ports.ts";
import { findMarked, killMarked, type Marked } from "./process.ts";
import { bootId } from "./procfs.ts";
import { Sampler } from "./sampler.ts";
import { type SavedState, StateFile, stateFileName } from "./state-file.ts";
import { Unit } from "./unit.ts";

/** How often what processes wrote is read; soon again where there was more than one look takes. */
const pumpMs = 100;
const pumpAgainMs = 20;

export type UnitsOptions = {
  readonly directory: string;
  readonly ports: PortRange | null;
  readonly logs: LogFileOptions;
};

/** Every unit of one state directory, and what they share: ports, logs, samples, the file they are kept in. */
export class Units {
  readonly logs: Logs;
  readonly limits: Limits;
  readonly #directory: string;
  readonly #units = new Map<string, Unit>();
  readonly #watchers = new Set<() => void>();
  readonly #ports: Ports;
  readonly #cgroups: Cgroups | null;
  readonly #mark: string;
  readonly #state: StateFile;
  readonly #sampler: Sampler;
  readonly #strays = new Map<string, Marked[]>();
  #pumpTimer: NodeJS.Timeout | null = null;
  #notice: NodeJS.Immediate | null = null;
  #isShut = false;

  private constructor(options: UnitsOptions, saved: SavedState | null) {
    const digest = createHash("sha256").update(options.directory).digest();
    const start = saved?.portCursor ?? digest.readUInt32BE(0);
    this.#directory = options.directory;
    this.#mark = `${digest.toString("hex").slice(0, 16)}:`;
    this.#ports = new Ports(options.ports ?? defaultPortRange, start);
    this.#cgroups = Cgroups.open(`supervisor-${digest.toString("hex").slice(0, 16)}`);
    this.limits = this.#cgroups?.limits ?? { memory: "watched", cpu: "none" };
    this.logs = new Logs(join(options.directory, "logs"), options.logs);
    mkdirSync(this.#outputDirectory, { recursive: true, mode: 0o700 });
    this.#state = new StateFile(stateFile(options.directory), () => this.#save());
    this.#sampler = new Sampler(
      () => this.#running().map((instance) => instance.runningGroup as number),
      (group, usage) =>
        this.#running()
          .find((instance) => instance.runningGroup === group)
          ?.sampled(usage),
    );
  }

  /** Takes up what an earlier daemon kept running, and goes on with it. */
  static async open(options: UnitsOptions): Promise<Units> {
    const saved = await StateFile.read(stateFile(options.directory));
    const units = new Units(options, saved);
    units.#restore(saved);
    units.#sampler.start();
    units.#pump();
    return units;
  }

  /** Returns when the unit runs as wanted, and that is written down. */
  async ensure(spec: UnitSpec, instances: number): Promise<UnitReport> {
    this.#mustBeOpen();
    const known = this.#units.get(spec.key);
    const unit = known ?? this.#add(spec);
    const isNew = unit.want(spec, instances) || known === undefined;
    await unit.settled();
    // After the start, not before it: a process that is not written down yet is found again by its mark. But a job that ends
    // while no daemon lives leaves no mark, and unless its start is written down it would be begun again: so before the answer.
    await (isNew ? this.#state.save() : this.#state.settled()).catch((error: unknown) => {
      throw new SupervisorError("NO_SPACE", `the state could not be written: ${String(error)}`, { cause: error });
    });
    return unit.report();
  }

  observe(selector: Selector): readonly UnitReport[] {
    return [...this.#units.values()].filter((unit) => matches(unit.spec, selector)).map((unit) => unit.report());
  }

  /** Calls back soon after any change, once for those that come together. */
  watch(changed: () => void): () => void {
    this.#watchers.add(changed);
    return () => this.#watchers.delete(changed);
  }

  async remove(key: string): Promise<void> {
    const unit = this.#units.get(key);
    if (unit === undefined) return;
    unit.want(unit.spec, 0);
    await unit.settled();
    if (this.#units.get(key) !== unit) return; // removed by another call meanwhile
    this.#units.delete(key);
    unit.forget();
    this.logs.retire(key, new Set(this.#units.keys()));
    this.#changed();
    await this.#state.save();
  }

  /** Returns when the process of that life has ended; another one is on its way then. */
  async restart(id: string, startedAt: number): Promise<void> {
    this.#mustBeOpen();
    const unit = this.#units.get(id.slice(0, id.lastIndexOf(".")));
    const instance = unit?.instances.find((each) => each.id === id);
    if (instance === undefined) throw new SupervisorError("NOT_FOUND", `there is no instance ${id}`);
    await instance.restart(startedAt);
  }

  /** Ends the watch; the processes go on. */
  async leave(): Promise<void> {
    this.#stopTimers();
    await this.#state.save().catch(() => undefined);
    for (const unit of this.#units.values()) for (const instance of unit.instances) instance.detach();
    this.logs.close();
  }

  /** Stops everything, also processes that bear our mark and belong to no unit. The units are kept, as stopped. */
  async shutdown(): Promise<void> {
    // What was started from now on would be there when this daemon has gone.
    this.#isShut = true;
    await Promise.all(
      [...this.#units.values()].map((unit) => {
        unit.want(unit.spec, 0);
        return unit.settled();
      }),
    );
    for (const strays of this.#strays.values()) for (const { mark } of strays) await killMarked(mark);
    await this.leave();
  }

  #mustBeOpen(): void {
    if (this.#isShut)
      throw new SupervisorError("BAD_REQUEST", "everything is being stopped: nothing is started any more");
  }

  #restore(saved: SavedState | null): void {
    for (const stray of findMarked(this.#mark)) {
      const id = stray.mark.slice(this.#mark.length);
      const key = id.slice(0, id.lastIndexOf("."));
      this.#strays.set(key, [...(this.#strays.get(key) ?? []), stray]);
    }
    const sameBoot = saved?.boot === bootId();
    for (const unit of saved?.units ?? []) {
      this.#add(unit.spec, (added) => added.restore(unit, sameBoot)).want(unit.spec, unit.wanted);
    }
  }

  /** Makes a unit known. What was kept of it comes first, then processes that nobody had time to write down. */
  #add(spec: UnitSpec, restore: (unit: Unit) => void = () => undefined): Unit {
    if (this.#units.size >= requestLimits.units) {
      throw new SupervisorError("BAD_REQUEST", `there are ${requestLimits.units} units already; remove some`);
    }
    const around: Omit<Surroundings, "changed"> = {
      ports: this.#ports,
      cgroups: this.#cgroups,
      outputDirectory: this.#outputDirectory,
      mark: (id) => this.#mark + id,
      write: (lines: readonly Line[]) => this.logs.write(unit.spec, lines),
    };
    const unit: Unit = new Unit(spec, around, () => this.#changed());
    this.#units.set(spec.key, unit);
    restore(unit);
    unit.adopt(this.#strays.get(spec.key) ?? [], (mark) => mark.slice(this.#mark.length));
    this.#strays.delete(spec.key);
    return unit;
  }

  #changed(): void {
    this.#notice ??= setImmediate(() => {
      this.#notice = null;
      this.#state.saveSoon();
      for (const watcher of this.#watchers) watcher();
    });
  }

  #running(): Instance[] {
    const running: Instance[] = [];
    for (const unit of this.#units.values()) {
      for (const instance of unit.instances) if (instance.runningGroup !== null) running.push(instance);
    }
    return running;
  }

  #pump(): void {
    let more = false;
    for (const instance of this.#running()) more = instance.pump() || more;
    this.#pumpTimer = setTimeout(() => this.#pump(), more ? pumpAgainMs : pumpMs);
  }

  #stopTimers(): void {
    this.#sampler.stop();
    if (this.#pumpTimer !== null) clearTimeout(this.#pumpTimer);
    if (this.#notice !== null) clearImmediate(this.#notice);
  }

  #save(): SavedState {
    const units = [...this.#units.values()].map((unit) => unit.save());
    return { version: 1, boot: bootId(), portCursor: this.#ports.cursor, units };
  }

  get #outputDirectory(): string {
    return join(this.#directory, "output");
  }
}

function stateFile(directory: string): string {
  return join(directory, stateFileName);
}
