import type { ServiceName } from "../../ids.ts";
import type { Metric } from "../../metric/catalogue.ts";
import type { Take } from "../../metric/measured.ts";
import type { Schedule } from "./schedule.ts";

export const severities = ["info", "warning", "critical"] as const;
export type Severity = (typeof severities)[number];

export type Compare = ">" | ">=" | "<" | "<=";

export type Action =
  /** Takes the environment back to its last good release, all services as one. */
  | { readonly do: "rollback" }
  /** Holds the deployment under way. */
  | { readonly do: "pause" }
  /** Tells one of the notifiers; `page`: all of them, as critical. */
  | { readonly do: "notify"; readonly to: string }
  | { readonly do: "page" }
  /** Switches a feature flag off for everybody: less is taken away than by a rollback. */
  | { readonly do: "flag-off"; readonly flag: string }
  /** Restarts the instances of its service, one after the other. */
  | { readonly do: "restart" }
  /** Says that more instances would help, and starts none. */
  | { readonly do: "suggest-scale-up" };

/** What is looked at. `asked` is the probe or metric of this name, where a metric has one for each. */
export type Watched = {
  readonly metric: Metric;
  readonly service: ServiceName | null;
  readonly asked: string | null;
  readonly take: Take;
  /** How far back each look goes. */
  readonly overMs: number;
};

export type Condition =
  | (Watched & { readonly is: "threshold"; readonly compare: Compare; readonly threshold: number })
  /** The error budget of an objective is used up too fast, by several windows (Google's SRE workbook, chapter 5). */
  | {
      readonly is: "burn";
      readonly metric: Metric;
      readonly service: ServiceName | null;
      readonly objective: number;
      /** `fast`: within hours, which is for waking somebody; `slow`: within days. */
      readonly pace: "fast" | "slow";
    };

export type Rule = {
  readonly name: string;
  /** As it is written, for a person. */
  readonly text: string;
  readonly condition: Condition;
  /** How long it has to hold without a break before it fires. */
  readonly forMs: number;
  /** How many looks in a row have to say so, at least. */
  readonly looks: number;
  /** What a window has to rest on to be believed: requests for a ratio or a latency, samples for everything else. */
  readonly minimum: number;
  /** Whether not to know is bad: `wait` changes nothing, `fire` counts as broken. */
  readonly whenUnknown: "wait" | "fire";
  readonly severity: Severity;
  readonly actions: readonly Action[];
  readonly during: Schedule | null;
  /** Says what it would do, and does nothing. */
  readonly dryRun: boolean;
};
