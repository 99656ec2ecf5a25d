import { defaultHealing } from "../../core/recover/healing.ts";
import type { Course } from "./promises.ts";
import type { Noted } from "./store.ts";

/** Phases in which nothing is started, stopped or moved; before the first of its own a deployment has nothing in hand. */
const standing: ReadonlySet<string> = new Set(["paused", "watching", "waiting", "baking", "held"]);
const before: ReadonlySet<string> = new Set(["gated", "approved", "queued"]);

type Restart = { readonly instance: string; readonly service: string; readonly at: number };

/** Holds whoever restarts instances to their rules, by the history alone: one at a time, so often, and none that a rollout has in hand. */
export class Tending {
  readonly #restarts: Restart[] = [];
  /** Those that have not ended. */
  readonly #open = new Set<Restart>();
  /** Instances that were given up, in the order of that. */
  readonly givenUp: string[] = [];

  /** What is wrong with this row, or null. `live`: what is recorded as live, which is the other side of an open rollout. */
  onHistory({ event, evidence, at, release_id }: Noted, open: readonly Course[], live: string | null): string | null {
    if (!event.startsWith("instance.")) return null;
    const said = new Map(JSON.parse(evidence) as [string, string][]);
    const instance = said.get("instance") ?? "";
    if (event === "instance.given-up") {
      this.givenUp.push(instance);
      const count = this.countOf(instance, at);
      return count >= defaultHealing.limit ? null : `${instance} is given up after ${count} restarts`;
    }
    if (event === "instance.restarted" || event === "instance.restart-failed")
      for (const each of this.#open) if (each.instance === instance) this.#open.delete(each);
    if (event !== "instance.restart") return null;
    const restart = { instance, service: said.get("service") ?? "", at };
    const problem = this.#tooOften(restart) ?? this.#notAlone(restart) ?? inHand(instance, release_id, { open, live });
    this.#restarts.push(restart);
    this.#open.add(restart);
    return problem;
  }

  /** Restarts of it that count at this time. */
  countOf(instance: string, at: number): number {
    return this.#restarts.filter((each) => each.instance === instance && each.at > at - defaultHealing.withinMs).length;
  }

  #tooOften({ instance, at }: Restart): string | null {
    const count = this.countOf(instance, at);
    return count < defaultHealing.limit ? null : `${instance} is restarted after ${count} restarts`;
  }

  #notAlone({ instance, service, at }: Restart): string | null {
    const other = [...this.#open].find((each) => each.service === service && each.at > at - defaultHealing.withinMs);
    return other === undefined ? null : `${instance} is restarted while ${other.instance} is`;
  }
}

/**
 * Who is starting, stopping or moving something has both sides in hand; who only watches has the one that is judged. What is warm from
 * before is neither.
 */
function inHand(
  instance: string,
  release: string | null,
  { open, live }: { readonly open: readonly Course[]; readonly live: string | null },
): string | null {
  for (const { id, phases, release: candidate } of open) {
    const is = phases.at(-1)?.is ?? "";
    if (before.has(is) || (release !== candidate && release !== live)) continue;
    if (!standing.has(is)) return `${instance} is restarted while ${id} is ${is}`;
    if (release === candidate) return `${instance} is restarted while ${id} judges it`;
  }
  return null;
}
