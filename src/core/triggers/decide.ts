import type { EnvironmentName } from "../ids.ts";
import { textMatcher } from "../pipeline/glob.ts";
import type { RunEvent } from "../product/pipeline.ts";
import type { PushEvent, Ref, TriggerEvent } from "./event.ts";
import type { RefRule, TriggerSettings } from "./settings.ts";

/** Where a ref stood when we last heard of it, and before that. */
export type KnownRef = { readonly before: string | null; readonly after: string };

/** What is begun: a run of a commit, and, with an environment, a release of it that is deployed there. */
export type Begin = {
  readonly event: RunEvent;
  readonly ref: Ref;
  /** Null: the newest of the ref. */
  readonly commit: string | null;
  readonly deploy: EnvironmentName | null;
  readonly actor: string;
};

export type TriggerDecision =
  | { readonly is: "begin"; readonly begin: Begin; readonly reason: string }
  | {
      readonly is: "ignore";
      readonly why: "stranger" | "deleted" | "seen" | "late" | "unmapped" | "skip" | "gone";
      readonly reason: string;
    };

/**
 * Words in a commit's message with which its author says that nothing is to be begun. Those of GitHub, GitLab, Bitbucket and
 * Jenkins. Source: https://docs.github.com/en/actions/how-tos/manage-workflow-runs/skip-workflow-runs, 2026-11.
 */
const skipWords = ["[skip ci]", "[ci skip]", "[no ci]", "[skip actions]", "[actions skip]"] as const;
/** A line of its own, which GitHub reads too. */
const skipLine = /^skip-checks:\s*true\s*$/im;

/** The word of the message that says so, or null. */
export function skipWordIn(message: string): string | null {
  const lower = message.toLowerCase();
  return skipWords.find((word) => lower.includes(word)) ?? (skipLine.test(message) ? "skip-checks: true" : null);
}

/** What an event begins under these settings, or why it begins nothing. `known` is what was last heard of its ref. */
export function decideTrigger(event: TriggerEvent, settings: TriggerSettings, known: KnownRef | null): TriggerDecision {
  switch (event.is) {
    case "push":
      return decidePush(event, settings, known);
    case "schedule": {
      const rule = settings.schedules.find(({ name }) => name === event.schedule);
      if (rule === undefined) return ignore("gone", `there is no schedule ${event.schedule} any more`);
      const ref: Ref = { kind: "branch", name: rule.branch };
      const begin = {
        event: "schedule",
        ref,
        commit: null,
        deploy: rule.deploy,
        actor: `schedule ${rule.name}`,
      } as const;
      return {
        is: "begin",
        begin,
        reason: `schedule ${rule.name}: ${what(rule.deploy)} of the newest of ${rule.branch}`,
      };
    }
    case "manual": {
      const ref: Ref = { kind: "branch", name: event.branch };
      const rule = ruleFor(ref, settings);
      if (rule === null) return unmapped(ref, settings);
      const begin = { event: "manual", ref, commit: null, deploy: rule.deploy, actor: event.actor } as const;
      return { is: "begin", begin, reason: `by hand: ${what(rule.deploy)} of the newest of ${event.branch}` };
    }
  }
}

function decidePush(event: PushEvent, settings: TriggerSettings, known: KnownRef | null): TriggerDecision {
  const { ref, after, message, repository } = event;
  const wanted = settings.repository;
  if (wanted !== null && repository !== null && wanted.toLowerCase() !== repository.toLowerCase())
    return ignore("stranger", `it is of ${repository}; only ${wanted} is listened to`);
  if (after === null) return ignore("deleted", `${refText(ref)} was deleted`);
  if (known?.after === after) return ignore("seen", `${refText(ref)} at ${short(after)} was heard of before`);
  // Deliveries overtake each other: this one tells of what the newer one has told to be over.
  if (known?.before === after && event.before !== known.after)
    return ignore("late", `${refText(ref)} has moved on from ${short(after)} to ${short(known.after)} already`);
  const rule = ruleFor(ref, settings);
  if (rule === null) return unmapped(ref, settings);
  const word = message === null ? null : skipWordIn(message);
  if (word !== null) return skipped(after, word);
  const begin: Begin = {
    event: ref.kind === "tag" ? "tag" : "push",
    ref,
    commit: after,
    deploy: rule.deploy,
    actor: event.actor,
  };
  return { is: "begin", begin, reason: `${refText(ref)} at ${short(after)}: ${what(rule.deploy)}` };
}

/** The message may only be known when the commit has been fetched. */
export function skipped(commit: string, word: string): TriggerDecision {
  return ignore("skip", `the message of ${short(commit)} says ${word}`);
}

/** A name in full goes before patterns, and of those the first that fits. */
function ruleFor({ kind, name }: Ref, { branches, tags }: TriggerSettings): RefRule | null {
  const rules = kind === "branch" ? branches : tags;
  return (
    rules.find(({ pattern }) => pattern === name) ?? rules.find(({ pattern }) => textMatcher([pattern])(name)) ?? null
  );
}

/** Whether a push to the ref could begin anything. */
export function isMapped(ref: Ref, settings: TriggerSettings): boolean {
  return ruleFor(ref, settings) !== null;
}

function unmapped(ref: Ref, { branches, tags }: TriggerSettings): TriggerDecision {
  const patterns = (ref.kind === "branch" ? branches : tags).map(({ pattern }) => pattern);
  const all = patterns.length === 0 ? "none" : patterns.join(", ");
  return ignore("unmapped", `${refText(ref)} begins nothing; the config names ${all}`);
}

export const refText = ({ kind, name }: Ref): string => (kind === "branch" ? name : `tag ${name}`);

const what = (deploy: EnvironmentName | null): string => (deploy === null ? "a run" : `a release for ${deploy}`);

const short = (commit: string): string => commit.slice(0, 7);

type Ignored = Extract<TriggerDecision, { is: "ignore" }>;

function ignore(why: Ignored["why"], reason: string): TriggerDecision {
  return { is: "ignore", why, reason };
}
