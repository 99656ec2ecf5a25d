import { isSlipwayError } from "../../core/errors/error.ts";
import type { RevisionId } from "../../core/ids.ts";
import { type Counts, noCounts } from "../../core/judge/counts.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Prober } from "../../ports/probe.ts";
import type { InstanceStatus } from "../../ports/target.ts";
import type { HealthTargets } from "../health/health-watch.ts";

/** As long as a request may take; one that hangs counts as failed. */
const timeoutMs = 10_000;

type Sent = { readonly path: string; readonly perSecond: number };

type Asked = {
  readonly revision: RevisionId;
  /** Those with traffic now. */
  readonly instances: () => readonly InstanceStatus[];
  /** Users send too few. */
  readonly isWanted: () => boolean;
};

/** Requests of our own to a candidate, past the edge, while users send too few. Ends with the signal. */
export class Synthetic {
  readonly #deps: { readonly targets: HealthTargets; readonly prober: Prober; readonly clock: Clock };
  readonly #sent: Sent;
  readonly #signal: AbortSignal;
  readonly #counts = new Map<RevisionId, Counts>();
  #turn = 0;

  constructor(
    deps: { readonly targets: HealthTargets; readonly prober: Prober; readonly clock: Clock },
    sent: Sent,
    signal: AbortSignal,
  ) {
    this.#deps = deps;
    this.#sent = sent;
    this.#signal = signal;
  }

  /** What it has counted in this watch. After a restart of the control plane it begins anew: never more than was seen. */
  of(revision: RevisionId): Counts {
    return this.#counts.get(revision) ?? noCounts;
  }

  /** One request after the other, at the rate, as long as they are wanted. */
  async keepAsking(asked: Asked): Promise<void> {
    const { clock } = this.#deps;
    while (!this.#signal.aborted) {
      const next = clock.sleep(1_000 / this.#sent.perSecond, this.#signal).catch(() => {});
      const instances = asked.instances().filter(({ address }) => address !== null);
      this.#turn += 1;
      const instance = instances[this.#turn % Math.max(1, instances.length)];
      if (instance !== undefined && asked.isWanted()) await this.#ask(asked.revision, instance).catch(() => {});
      await next;
    }
  }

  async #ask(revision: RevisionId, instance: InstanceStatus): Promise<void> {
    const { prober, targets } = this.#deps;
    let address = instance.address ?? "";
    try {
      if (instance.tunnelled) address = await targets.reach(instance.id, this.#signal);
    } catch (error) {
      // No way to it says nothing about it: nothing is counted.
      if (this.#signal.aborted || isSlipwayError(error)) return;
      throw error;
    }
    const answer = await prober.http({ address, path: this.#sent.path, timeoutMs }, this.#signal);
    const isBad = answer.is === "nothing" || answer.status >= 500;
    const { requests, errors } = this.of(revision);
    this.#counts.set(revision, { requests: requests + 1, errors: errors + (isBad ? 1 : 0) });
  }
}
