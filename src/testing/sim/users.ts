import type { ReleaseId } from "../../core/ids.ts";
import type { EdgeTarget, RouteTable } from "../../ports/edge.ts";
import type { Loss } from "./gateway.ts";
import type { Cause, Instance, Machine } from "./machine.ts";
import type { Shape } from "./product.ts";
import type { Promises } from "./promises.ts";
import type { Trace } from "./trace.ts";

type Deps = {
  readonly promises: Promises;
  readonly trace: Trace;
  readonly machine: () => Machine;
  readonly nowMs: () => number;
  readonly shapeOf: (release: ReleaseId) => Shape;
  readonly add: (what: string, count?: number) => void;
};

/** So long after the hosts have lied what is routed may still follow from that: the keeper has looked several times by then. */
const lieLastsMs = 60_000;
/** Two rounded moments may be so far apart. */
const roundingMs = 2;

/** Looks after the users: whose requests were lost or cut off, and whether that was the control plane's doing. */
export class Users {
  readonly #deps: Deps;
  /** Addresses in the table in force, and when others left it. */
  #routed: ReadonlySet<string> = new Set();
  readonly #leftAtMs = new Map<string, number>();
  #lieUntilMs = Number.NEGATIVE_INFINITY;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** The hosts tell lies until then. */
  onLie(untilMs: number): void {
    this.#lieUntilMs = Math.max(this.#lieUntilMs, untilMs);
  }

  onTable(table: RouteTable): void {
    const routed = new Set(addressesOf(table));
    for (const address of this.#routed) if (!routed.has(address)) this.#leftAtMs.set(address, this.#deps.nowMs());
    this.#routed = routed;
  }

  /** Requests that nobody answered. */
  onLost(loss: Loss): void {
    const { trace, promises, nowMs, add } = this.#deps;
    const { service, count, why } = loss;
    trace.note("users", () => `${count} requests to ${service} were lost: ${why}`);
    const guilty = why === "held" ? null : this.#guilty(loss);
    if (why === "held") add("requests that waited in vain", count);
    else if (guilty === null) add("requests lost by a fault", count);
    // Its sides never run at the same time, and who waits has had all the time that the config gives: as the plan says.
    else if (this.#isLone(guilty.release)) add("requests lost while one stopped for another", count);
    // It was told that all is as it should be, and had no way to know better.
    else if (nowMs() < this.#lieUntilMs + lieLastsMs) add("requests lost by a lie", count);
    else
      promises.break(
        "answered",
        `${count} requests to ${service} met nobody: ${guilty.revision} has the traffic and does not run`,
      );
  }

  /** Requests in flight where a process ended: those of the release before are to have their drain. */
  onCut({ id, address, revision: { spec } }: Instance, cause: Cause): void {
    const { trace, promises, nowMs, add, shapeOf } = this.#deps;
    trace.note("users", () => `a request was cut off at ${id}, by ${cause}`);
    add(`requests cut by ${cause}`);
    const open = promises.open().flatMap(({ release }) => (release === null ? [] : [release]));
    if (cause !== "slipway" || open.includes(spec.release) || this.#isLone(spec.release)) return;
    const drainedMs = nowMs() - (this.#leftAtMs.get(address) ?? nowMs());
    const drainMs = Math.min(...[spec.release, ...open].map((release) => shapeOf(release).drainMs));
    if (drainedMs < drainMs - roundingMs)
      promises.break(
        "answered",
        `a request at ${id} was cut off after a drain of ${Math.round(drainedMs)} of ${drainMs} ms`,
      );
  }

  /** Whoever has the traffic and does not run because the control plane has stopped it, or not started it. */
  #guilty({ targets }: Loss): EdgeTarget | null {
    const machine = this.#deps.machine();
    const isGuilty = ({ revision, weight, instances }: EdgeTarget): boolean =>
      weight > 0 &&
      (instances.length === 0
        ? machine.downBy(revision) === "slipway"
        : instances.some(({ address }) => (machine.at(address)?.downBy ?? "slipway") === "slipway"));
    return targets.find(isGuilty) ?? null;
  }

  #isLone(release: ReleaseId): boolean {
    const { promises, shapeOf } = this.#deps;
    // One that stopped the other for its own start, and could then start neither, has ended, and the keeper goes on trying.
    const failed = promises.lastEnded();
    const stoppers = [...promises.open(), ...(failed?.phases.at(-1)?.is === "rollback-failed" ? [failed] : [])];
    const live = stoppers.length === 0 ? null : promises.live();
    const sides = [release, live, ...stoppers.map((each) => each.release)];
    return sides.some((side) => side !== null && shapeOf(side).lone);
  }
}

/** Where requests go. */
function addressesOf({ services }: RouteTable): string[] {
  return Object.values(services).flatMap(({ targets }) =>
    targets.flatMap(({ weight, instances }) => (weight > 0 ? instances.map(({ address }) => address) : [])),
  );
}
