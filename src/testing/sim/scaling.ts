import type { EnvironmentSpec, ServiceSpec } from "../../core/product/spec.ts";
import { instancesNow } from "../../core/scale/count.ts";
import { downWaitMs } from "../../core/scale/decide.ts";
import { heldOf, pastOf } from "../../engine/scale/held.ts";
import type { ScaleRow } from "../../ports/tables.ts";
import type { Instance } from "./machine.ts";
import { api, type Shape, specOf } from "./product.ts";
import type { Course } from "./promises.ts";
import type { Noted, SimDatabase } from "./store.ts";

/** What users ask for, as a share of the usual: far too little for one instance, about right, far too much for all there may be. */
export const loads = { low: 0.02, usual: 1, high: 4 } as const;
export type Load = keyof typeof loads;

/** Under the usual load so many instances would be busy at all times. */
const usualBusy = 1.5;
/** With fewer requests a second than these, one more or less is half the load. */
const leastRate = 5;

/** What a request costs, so that the loads are what their names say. */
export function requestCpuMs(rate: number): number {
  return (usualBusy * 1_000) / scaledRate(rate);
}

export function scaledRate(rate: number): number {
  return Math.max(leastRate, rate);
}

const beginnings = "service.scaling";
const endings: ReadonlySet<string> = new Set(["service.scaled", "service.scale-failed", "service.scale-called-off"]);
/** Before its turn a deployment has nothing in hand; it calls off what is being scaled by coming. */
const atGates: ReadonlySet<string> = new Set(["gated", "approved"]);
const beforeTurn: ReadonlySet<string> = new Set([...atGates, "queued"]);

/** From one number of instances to the next: looks, a measurement that is new, a start or a drain. What was before is forgotten then. */
const stepMs = 30_000;
const patienceMs = 60_000;
/** So long no other is tried after an instance that did not become healthy. */
const afterFailureMs = 300_000;

/** Holds whoever brings and takes instances to their limits, and to their place beside rollouts. */
export class Scaling {
  readonly #database: () => SimDatabase;

  constructor(database: () => SimDatabase) {
    this.#database = database;
  }

  /** What is wrong with this row, or null. `live`: how what is live is run. */
  onHistory({ event, reason }: Noted, open: readonly Course[], live: Shape | null): string | null {
    const isBeginning = event === beginnings;
    if (!isBeginning && !endings.has(event)) return null;
    const may = isBeginning ? atGates : beforeTurn;
    const other = open.find(({ phases }) => !may.has(phases.at(-1)?.is ?? ""));
    if (other !== undefined)
      return `"${reason}" ${isBeginning ? "begins" : "ends"} while ${other.id} is ${other.phases.at(-1)?.is}`;
    const wanted = this.#row()?.wanted ?? null;
    const limits = live?.scale ?? null;
    if (!isBeginning || wanted === null || limits === null) return null;
    return wanted < limits.min || wanted > limits.max ? beyond(wanted, limits) : null;
  }

  /** An instance has been started: is it one too many? */
  onStarted({ index, revision: { spec } }: Instance, { scale }: Shape): string | null {
    return spec.service === api && scale !== null && index >= scale.max ? beyond(index + 1, scale) : null;
  }

  /** Whether the number of instances is being changed. */
  isUnderWay(): boolean {
    return this.#row()?.operation != null;
  }

  /** How many instances of a service there are to be, of what is live. */
  countOf(spec: EnvironmentSpec, service: ServiceSpec): number {
    const row = this.#row();
    return instancesNow(spec, service, service.name === api && row !== undefined ? heldOf(row) : undefined);
  }

  /** Followed from now on: how many instances this load calls for, and by when there is one more, or one less. */
  follow(load: Exclude<Load, "usual">, shape: Shape, nowMs: number): Following | null {
    const spec = specOf(shape);
    const service = spec.services[api];
    if (service?.scale === undefined) return null;
    const { min, max, upAfterMs } = service.scale;
    return new Following({
      wanted: load === "high" ? max : min,
      countNow: () => this.countOf(spec, service),
      waitNowMs: () => (load === "high" ? upAfterMs + afterFailureMs : this.downWaitMs(shape)),
      beganMs: nowMs,
    });
  }

  /** How long all must be quiet before one goes. */
  downWaitMs(shape: Shape): number {
    const { scale } = specOf(shape).services[api] ?? {};
    return scale === undefined ? 0 : downWaitMs(scale, pastOf(this.#row()));
  }

  #row(): ScaleRow | undefined {
    return this.#database().rows<ScaleRow>("select * from scale where service = ?", api)[0];
  }
}

type Followed = {
  readonly wanted: number;
  readonly countNow: () => number;
  /** What the scaler waits before it changes the number. It grows with every instance that was taken too soon. */
  readonly waitNowMs: () => number;
  readonly beganMs: number;
};

/**
 * A load that has changed, until there are as many instances as it calls for. How many steps it takes is not known beforehand: the most
 * modest look of a wait decides, so a step may be shorter than it may be, and what was measured before the change may bring one more,
 * which lengthens the next wait. What is certain: each wait brings them nearer.
 */
export class Following {
  readonly wanted: number;
  readonly #followed: Followed;
  #farMs: number;
  #far = Number.POSITIVE_INFINITY;

  constructor(followed: Followed) {
    this.wanted = followed.wanted;
    this.#followed = followed;
    this.#farMs = followed.beganMs;
  }

  /** Looks again: has nothing come nearer for too long? */
  isLate(nowMs: number): boolean {
    const { wanted, countNow, waitNowMs, beganMs } = this.#followed;
    const far = Math.abs(countNow() - wanted);
    if (far < this.#far || nowMs < beganMs + stepMs) {
      this.#far = far;
      this.#farMs = nowMs;
    }
    return nowMs > this.#farMs + waitNowMs() + stepMs + patienceMs;
  }
}

function beyond(count: number, { min, max }: NonNullable<Shape["scale"]>): string {
  return `${count} instances of ${api}, and the limits are ${min} to ${max}`;
}
