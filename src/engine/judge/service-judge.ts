import type { RevisionId } from "../../core/ids.ts";
import { verdictOf } from "../../core/judge/compared.ts";
import { type Comparison, type ComparisonRules, type Look, look, openComparison } from "../../core/judge/comparison.ts";
import type { Counts } from "../../core/judge/counts.ts";
import type { Verdict } from "../../core/judge/verdict.ts";
import { latencyBoundsMs } from "../../core/metric/latency.ts";
import type { EdgeCounts } from "../traffic/counts.ts";

/** The two sides of a service, as one watch sees them. */
export type Sides = {
  readonly revision: RevisionId;
  /** The candidate's counts before its first request of this deployment. */
  readonly mark: Counts;
  readonly stable: RevisionId | null;
  /** Stable's counts where its recent past begins. */
  readonly stableMark: Counts;
  /** As many of the candidate's instances take requests: those that come with a later step are new then. */
  readonly instances: number;
  /** Whether stable has a share of the traffic now. */
  readonly stableServes: boolean;
};

/** Compares the two sides of one service for as long as a deployment lasts: what one watch has seen, the next one goes on from. */
export class ServiceJudge {
  readonly #rules: ComparisonRules;
  readonly #warmUpMs: number;
  readonly #coldMs: number;
  #comparison: Comparison | null = null;
  /** How many have been given time to become warm, and until when the newest of them have. */
  #warming = 0;
  #warmAtMs: number | null = null;
  #settledAtMs: number | null = null;

  /** `warmUpMs`: before that nobody is called slow; `coldMs`: before that errors are held against the margin for what is cold. */
  constructor(rules: ComparisonRules, options: { readonly warmUpMs: number; readonly coldMs?: number }) {
    this.#rules = rules;
    this.#warmUpMs = options.warmUpMs;
    this.#coldMs = options.coldMs ?? 0;
  }

  /** The newest counts, judged. Null when no rule is on. Looking twice at the same counts changes nothing. */
  look(sides: Sides, counts: Pick<EdgeCounts, "counted" | "countedBefore">, nowMs: number): Verdict | null {
    const now = this.#look(sides, counts, nowMs);
    const opened = this.#comparison ?? openComparison(this.#rules, latencyBoundsMs, this.#first(sides, now));
    this.#comparison = look(opened, now);
    return verdictOf(this.#comparison);
  }

  #look(sides: Sides, counts: Pick<EdgeCounts, "counted" | "countedBefore">, nowMs: number): Look {
    const candidate = counts.counted(sides.revision);
    if (sides.instances > this.#warming && candidate.counts.requests > sides.mark.requests) {
      this.#warming = sides.instances;
      this.#warmAtMs = nowMs + this.#warmUpMs;
      this.#settledAtMs = nowMs + this.#coldMs;
    }
    const isWarm = this.#warmAtMs !== null && nowMs >= this.#warmAtMs;
    const isSettled = this.#settledAtMs !== null && nowMs >= this.#settledAtMs;
    if (sides.stable === null) return { candidate, stable: null, isWarm, isSettled };
    const before = counts.countedBefore(sides.stable);
    return {
      candidate,
      stable: {
        now: counts.counted(sides.stable),
        before: { counts: sides.stableMark, latency: before.latency },
        serves: sides.stableServes,
      },
      isWarm,
      isSettled,
    };
  }

  /** Of the latency only what comes from now on is counted; of the errors all since the mark. */
  #first({ mark }: Sides, now: Look): Look {
    return { ...now, candidate: { ...now.candidate, counts: mark } };
  }
}
