import { type CiFacts, ciText } from "../ci/facts.ts";
import type { EnvironmentName } from "../ids.ts";
import { textMatcher } from "../pipeline/glob.ts";
import type { ParameterValue } from "../pipeline/parameter.ts";
import { previewName } from "../previews/name.ts";
import type { RunEvent } from "../product/pipeline.ts";
import type { AnyRef, PullEvent, PushEvent, Ref, TriggerEvent } from "./event.ts";
import type { RefRule, TriggerSettings } from "./settings.ts";

/** Where a ref stood when we last heard of it, and before that. */
export type KnownRef = { readonly before: string | null; readonly after: string };

/** What is begun: a run of a commit, and, with an environment, a release of it that is deployed there. */
export type Begin = {
  readonly event: RunEvent;
  readonly ref: AnyRef;
  /** For steps that are only for some branches; null for a tag. Absent in events of before: it is the ref's own. */
  readonly branch?: string | null;
  /** Null: the newest of the ref. */
  readonly commit: string | null;
  readonly deploy: EnvironmentName | null;
  /** Where `deploy` is a preview: what it is made of. */
  readonly template?: EnvironmentName;
  readonly actor: string;
  /** Of a CI that has asked for it. */
  readonly ci?: CiFacts;
  /** Of the run, by who asks; what is not given is the default. */
  readonly parameters?: Readonly<Record<string, ParameterValue>>;
};

export type TriggerDecision =
  | { readonly is: "begin"; readonly begin: Begin; readonly reason: string }
  /** The branch or the pull request is no more: its preview goes, when what was begun of it before has ended. */
  | {
      readonly is: "end";
      readonly preview: EnvironmentName;
      readonly ref: AnyRef;
      readonly actor: string;
      readonly reason: string;
    }
  | {
      readonly is: "ignore";
      readonly why: "stranger" | "deleted" | "seen" | "late" | "unmapped" | "skip" | "gone" | "fork";
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

/** What an event begins or ends under these settings, or why it does neither. `known` is what was last heard of its ref. */
export function decideTrigger(
  event: TriggerEvent,
  settings: TriggerSettings,
  known: KnownRef | null,
  /** That its ref has. */
  preview: EnvironmentName | null = null,
): TriggerDecision {
  switch (event.is) {
    case "push":
      return decidePush(event, settings, { known, preview });
    case "pull-request":
      return decidePull(event, settings, { known, preview });
    case "ci": {
      const { at, deploy, facts, actor, parameters = {} } = event;
      const { commit, branch } = facts;
      const kind = ({ branch: "push", tag: "tag", "pull-request": "pull-request" } as const)[at.kind];
      const begin = { event: kind, ref: at, branch, commit, deploy, actor, ci: facts, parameters };
      return { is: "begin", begin, reason: `${ciText(facts)}: ${refText(at)} at ${short(commit)}: ${what(deploy)}` };
    }
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
      const rule = event.template === undefined ? ruleFor(ref, settings) : { deploy: event.template };
      if (rule === null) return unmapped(ref, settings);
      const place = placeFor(rule.deploy, ref, settings);
      const begin = { event: "manual", ref, commit: null, ...place, actor: event.actor } as const;
      return { is: "begin", begin, reason: `by hand: ${what(place.deploy)} of the newest of ${event.branch}` };
    }
  }
}

type Past = { readonly known: KnownRef | null; readonly preview: EnvironmentName | null };

function decidePush(event: PushEvent, settings: TriggerSettings, { known, preview }: Past): TriggerDecision {
  const { ref, after, message, repository } = event;
  const stranger = strangerOf(repository, settings);
  if (stranger !== null) return stranger;
  if (after === null) {
    const place = placeFor(ruleFor(ref, settings)?.deploy ?? null, ref, settings);
    const ends = preview ?? (place.template === undefined ? null : place.deploy);
    const reason = `${refText(ref)} was deleted`;
    return ends !== null
      ? { is: "end", preview: ends, ref, actor: event.actor, reason: `${reason}: ${ends} goes` }
      : ignore("deleted", reason);
  }
  if (known?.after === after) return ignore("seen", `${refText(ref)} at ${short(after)} was heard of before`);
  // Deliveries overtake each other: this one tells of what the newer one has told to be over.
  if (known?.before === after && event.before !== known.after)
    return ignore("late", `${refText(ref)} has moved on from ${short(after)} to ${short(known.after)} already`);
  const rule = ruleFor(ref, settings);
  if (rule === null) return unmapped(ref, settings);
  const word = message === null ? null : skipWordIn(message);
  if (word !== null) return skipped(after, word);
  const place = placeFor(rule.deploy, ref, settings);
  const begin: Begin = { event: ref.kind === "tag" ? "tag" : "push", ref, commit: after, ...place, actor: event.actor };
  return { is: "begin", begin, reason: `${refText(ref)} at ${short(after)}: ${what(place.deploy)}` };
}

/** One that is closed ends its preview whatever the settings say by now. */
function decidePull(event: PullEvent, settings: TriggerSettings, { known, preview: made }: Past): TriggerDecision {
  const { ref, commit, repository, from, actor } = event;
  const stranger = strangerOf(repository, settings);
  if (stranger !== null) return stranger;
  const rule = settings.pullRequests;
  if (event.became === "closed") {
    const preview = made ?? (rule === null ? null : placeFor(rule.deploy, ref, settings).deploy);
    const reason = `${refText(ref)} was closed`;
    return preview === null
      ? ignore("deleted", reason)
      : { is: "end", preview, ref, actor, reason: `${reason}: ${preview} goes` };
  }
  if (rule === null)
    return ignore("unmapped", `${refText(ref)} begins nothing; the config has no triggers.pullRequests`);
  const isOwn = from !== null && repository !== null && from.repository.toLowerCase() === repository.toLowerCase();
  if (!isOwn && !rule.forks)
    return ignore(
      "fork",
      `${refText(ref)} is from ${from?.repository ?? "a repository that is gone"}; triggers.pullRequests.forks does not allow that`,
    );
  if (!event.isHere)
    return ignore(
      "fork",
      `${refText(ref)} is from ${from?.repository ?? "elsewhere"}, and the forge keeps none of its commits in this repository`,
    );
  if (event.became === "moved" && commit !== null && known?.after === commit)
    return ignore("seen", `${refText(ref)} at ${short(commit)} was heard of before`);
  const place = placeFor(rule.deploy, ref, settings);
  const begin: Begin = { event: "pull-request", ref, branch: from?.branch ?? null, commit, ...place, actor };
  const at = commit === null ? "" : ` at ${short(commit)}`;
  return { is: "begin", begin, reason: `${refText(ref)}${at}: ${what(place.deploy)}` };
}

function strangerOf(repository: string | null, { repository: wanted }: TriggerSettings): TriggerDecision | null {
  if (wanted === null || repository === null || wanted.toLowerCase() === repository.toLowerCase()) return null;
  return ignore("stranger", `it is of ${repository}; only ${wanted} is listened to`);
}

/** Where it is deployed to: to the ref's own preview, where the rule names a template. */
function placeFor(
  deploy: EnvironmentName | null,
  ref: AnyRef,
  { templates }: TriggerSettings,
): Pick<Begin, "deploy" | "template"> {
  if (deploy === null || templates[deploy] === undefined) return { deploy };
  return { deploy: previewName(deploy, ref), template: deploy };
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

export const refText = ({ kind, name }: AnyRef): string =>
  ({ branch: name, tag: `tag ${name}`, "pull-request": `pull request ${name}` })[kind];

const what = (deploy: EnvironmentName | null): string => (deploy === null ? "a run" : `a release for ${deploy}`);

const short = (commit: string): string => commit.slice(0, 7);

type Ignored = Extract<TriggerDecision, { is: "ignore" }>;

function ignore(why: Ignored["why"], reason: string): TriggerDecision {
  return { is: "ignore", why, reason };
}
