import { reasonOf } from "../../core/errors/error.ts";
import type { World } from "../world.ts";
import type { DeclaredSource } from "./declared-source.ts";
import { HealthSource, tickMs } from "./health-source.ts";
import type { Metrics } from "./metrics.ts";
import { flushMs, type Past } from "./past.ts";
import { lookAtTargets, lookMs } from "./target-source.ts";
import { uptimeNow } from "./uptime-source.ts";

/** All that is measured as long as the control plane runs. The edge's counts come by themselves. */
export class MetricSources {
  readonly #world: World;
  readonly #metrics: Metrics;
  readonly #declared: DeclaredSource;
  readonly #past: Past;
  /** What serves, and how each instance of it is. */
  readonly health: HealthSource;
  readonly #stop = new AbortController();
  #done: Promise<unknown> = Promise.resolve();
  /** The same trouble again is not news. */
  readonly #troubles = new Map<string, string>();

  constructor(
    world: World,
    metrics: Metrics,
    { declared, past }: { readonly declared: DeclaredSource; readonly past: Past },
  ) {
    this.#world = world;
    this.#metrics = metrics;
    this.#declared = declared;
    this.#past = past;
    this.health = new HealthSource(world, metrics, this.#stop.signal);
  }

  open(): void {
    const { health } = this;
    const tick = async (): Promise<void> => {
      await health.tick();
      this.#metrics.record(uptimeNow(health, this.#metrics, this.#declared.uptime()));
    };
    this.#declared.open();
    this.#done = Promise.all([
      this.#every(tickMs, "health", tick).finally(() => health.close()),
      this.#every(lookMs, "targets", () => lookAtTargets(this.#world, this.#metrics)),
      this.#every(flushMs, "past", () => this.#past.flush()),
      this.#every(lookMs, "declared", () => this.#declared.refresh()).finally(() => this.#declared.close()),
    ]);
  }

  async close(): Promise<void> {
    this.#stop.abort(new Error("the control plane is closing"));
    await this.#done;
    await this.#past.flush().catch((error: unknown) => {
      this.#world.log.warn("metrics.not-written", { reason: reasonOf(error) });
    });
  }

  async #every(ms: number, what: string, work: () => Promise<void>): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        await work();
        this.#troubles.delete(what);
      } catch (error) {
        const trouble = reasonOf(error);
        if (!signal.aborted && this.#troubles.get(what) !== trouble)
          this.#world.log.warn("metrics.not-taken", { source: what, reason: trouble });
        this.#troubles.set(what, trouble);
      }
      await this.#world.clock.sleep(ms, signal).catch(() => {});
    }
  }
}
