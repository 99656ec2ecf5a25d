import { revisionId } from "../../core/ids.ts";
import type { EdgeCounters } from "../../ports/edge.ts";
import type { Operator } from "./operator.ts";
import { api, environment, product, type Ruled, ruleName } from "./product.ts";
import type { Promises } from "./promises.ts";
import type { Random } from "./random.ts";
import type { Noted } from "./store.ts";
import type { Due } from "./timeline.ts";
import type { Trace } from "./trace.ts";
import type { SimWorld } from "./world.ts";

/** As a rule is broken no longer than this without an end: a control plane that dies, its window, tries that are repeated. */
const patienceMs = 60_000;
/** A rule looks 2 s back, a second long; edges and control planes may be late, and what came in a while after is counted in one go. */
const memoryMs = 15_000;
const lookMs = 1_000;

type Deps = {
  readonly random: Random;
  readonly promises: Promises;
  readonly trace: Trace;
  readonly world: () => SimWorld;
  readonly kill: Operator["kill"];
  readonly add: (what: string) => void;
};

type Counted = { readonly atMs: number; readonly number: string; readonly bad: number; readonly requests: number };

/**
 * Holds the rules of a config to what they say: what goes on failing is taken back, by itself and whoever dies meanwhile; what does
 * not fail never fires; and what only says so does nothing.
 */
export class Ruling {
  readonly #deps: Deps;
  /** What each release was counted for that was bad, at the looks of late. */
  #counted: Counted[] = [];
  #look: Due | null = null;
  /** The release for which it fires now, and what was not done about that, with why. */
  #firing: string | null = null;
  #notDone: { readonly reason: string; readonly way: string | null } | null = null;
  /** What it has begun; and the release that a person has kept, by calling that off. */
  readonly #begun = new Set<string | null>();
  #kept: string | null = null;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** From now on answers are counted, past the control plane. */
  watch(): void {
    const { timeline, gateway } = this.#deps.world();
    this.#look = timeline.after(lookMs, () => this.watch());
    this.#counted = this.#counted.filter(({ atMs }) => atMs > timeline.nowMs - memoryMs);
    for (const [revision, counters] of Object.entries(gateway.sample().revisions)) {
      const number = /-api-r(\d+)$/.exec(revision)?.[1];
      if (number === undefined) continue;
      const atMs = timeline.nowMs;
      // What is bad of one that is counted first has come since the look before.
      if (!this.#counted.some((each) => each.number === number))
        this.#counted.push({ atMs, number, bad: 0, requests: 0 });
      this.#counted.push({ atMs, number, bad: badOf(counters), requests: counters.requests });
    }
  }

  close(): void {
    if (this.#look !== null) this.#look.off = true;
  }

  /** What is wrong with this row, or null. */
  onHistory({ event, actor, release_id, deployment_id, reason }: Noted, ruled: Ruled | null): string | null {
    if (event === "deployment.cancelled" && this.#begun.has(deployment_id)) this.#kept = this.#firing;
    if (actor !== `rule ${ruleName}`) return null;
    if (event === "rule.action-failed" && release_id === this.#firing)
      this.#notDone = { reason, way: this.#deps.promises.wayBack() };
    if (event === "rule.resolved" && release_id === this.#firing) this.#firing = null;
    if (event === "rule.fired") {
      this.#firing = release_id;
      this.#notDone = null;
      this.#deps.add("rules fired");
      const number = release_id?.replace(/^.*x/, "") ?? "";
      return this.#hasFailed(number) ? null : `it fired, and nothing of r${number} has failed: ${reason}`;
    }
    if (event === "deployment.queued") this.#begun.add(deployment_id);
    return event.startsWith("deployment.") && ruled === "says" ? `a rule that only says so did ${event}` : null;
  }

  /** All instances of what is live fail from now on. */
  async mustTakeBack(ruled: Ruled): Promise<void> {
    const { random, promises, world, trace, kill, add } = this.#deps;
    const { machine, timeline } = world();
    const live = promises.live();
    const revision = machine.revisions.get(
      revisionId(`rev_${product}-${environment}-${api}-r${live?.replace(/^.*x/, "")}`),
    );
    if (live === null || revision === undefined) return;
    const struck = [...revision.instances.values()].filter((each) => machine.isListening(each));
    if (struck.length === 0 || struck.some(({ sick }) => sick)) return;
    trace.note("host", () => `all of ${revision.spec.id} fall sick`);
    for (const each of struck) machine.sicken(each, true);
    if (random.chance(0.4))
      timeline.after(random.exponential(4_000), () =>
        kill({ afterTouches: 1 + random.below(80), downMs: random.between(20, 500) }),
      );
    const untilMs = timeline.nowMs + patienceMs;
    // A person may bring something else meanwhile, and then it is that one's matter.
    const isMatter = (): boolean =>
      promises.live() === live &&
      this.#kept !== live &&
      struck.every((each) => each.sick && machine.at(each.address) === each) &&
      (promises.open().length === 0 || this.#firing === live);
    const isDone = (): boolean => this.#firing === live && (ruled === "says" || this.#notDone !== null);
    while (isMatter() && !isDone() && timeline.nowMs < untilMs) await timeline.wait(lookMs);
    const isBack = promises.live() !== live;
    if (isBack && ruled === "acts") add("taken back by a rule");
    if (isDone() && ruled === "says") add("rules that only said so");
    if (isMatter() && !isDone())
      promises.break(
        "ruled",
        `all answers of ${live} have failed for a minute, and ${this.#firing === live ? "the rule has fired" : "no rule has fired"}`,
      );
    // Nowhere to go is an answer where there is nowhere, and where somebody has just gone back to what fails now.
    const { reason, way } = (this.#firing === live ? this.#notDone : null) ?? { reason: "", way: null };
    if (way !== null && !/gone back to/.test(reason))
      promises.break("ruled", `${live} was not taken back, though ${way} is there: ${reason}`);
    for (const each of struck) machine.sicken(each, false);
  }

  /** Whether something of it has failed of late. Where the edge has begun to count anew, nobody knows. */
  #hasFailed(number: string): boolean {
    const { timeline, gateway } = this.#deps.world();
    const counters = gateway.sample().revisions[revisionId(`rev_${product}-${environment}-${api}-r${number}`)];
    const before = this.#counted.filter((each) => each.number === number && each.atMs > timeline.nowMs - memoryMs);
    if (counters === undefined || before.some(({ requests }) => requests > counters.requests)) return true;
    const now = badOf(counters);
    return before.length === 0 || before.some(({ bad }) => bad !== now);
  }
}

function badOf({ byClass, connectErrors, upstreamErrors }: EdgeCounters): number {
  return byClass[4] + connectErrors + upstreamErrors;
}
