import type { CiFacts } from "../ci/facts.ts";
import type { EnvironmentName } from "../ids.ts";
import type { ParameterValue } from "../pipeline/parameter.ts";
import type { ForgeKind } from "../product/forges.ts";

/** A branch or a tag of the watched repository. */
export type Ref = { readonly kind: "branch" | "tag"; readonly name: string };

/** A pull request of the watched repository, or a merge request. */
export type PullRef = {
  readonly kind: "pull-request";
  /** Its number. */
  readonly name: string;
  /** What its newest commit is fetched by: `refs/pull/12/head`. */
  readonly head: string;
};

export type AnyRef = Ref | PullRef;

/** A ref stands at another commit than before. */
export type PushEvent = {
  readonly is: "push";
  /** As the forge names the repository; null where nobody said. */
  readonly repository: string | null;
  readonly ref: Ref;
  /** The commit before; null: the ref is new, or nobody said. */
  readonly before: string | null;
  /** The commit now; null: the ref was deleted. */
  readonly after: string | null;
  /** Of the newest commit; null where nobody said. */
  readonly message: string | null;
  readonly actor: string;
};

/** A pull request was opened, has new commits, or was closed, merged or not. */
export type PullEvent = {
  readonly is: "pull-request";
  readonly repository: string | null;
  readonly ref: PullRef;
  /** `opened` also when it was closed before; `moved`: it has other commits. */
  readonly became: "opened" | "moved" | "closed";
  /** Null where the forge does not say it in full. */
  readonly commit: string | null;
  /** False where its commits are in another repository only, and the forge keeps no copy in this one. */
  readonly isHere: boolean;
  /** Whose branch it asks to have pulled; null where the forge does not say any more. */
  readonly from: { readonly repository: string; readonly branch: string } | null;
  readonly actor: string;
};

/** A job of a CI wants a commit deployed, and may. */
export type CiEvent = {
  readonly is: "ci";
  readonly at: AnyRef;
  readonly deploy: EnvironmentName;
  readonly facts: CiFacts;
  readonly actor: string;
  /** Of its run, where any are given. */
  readonly parameters?: Readonly<Record<string, ParameterValue>>;
};

export type TriggerEvent =
  | CiEvent
  | PushEvent
  | PullEvent
  | { readonly is: "schedule"; readonly schedule: string }
  | { readonly is: "manual"; readonly branch: string; readonly actor: string; readonly template?: EnvironmentName };

/** Where an event comes from. */
export type TriggerSource = ForgeKind | "poll" | "schedule" | "manual" | "ci";

/** `refs/heads/main`, as git says it. Null for what is neither a branch nor a tag, or no name that git would take. */
export function parseRef(text: string): Ref | null {
  const match = /^refs\/(heads|tags)\/(.+)$/s.exec(text);
  if (match === null) return null;
  const [, kind, name = ""] = match;
  return isRefName(name) ? { kind: kind === "heads" ? "branch" : "tag", name } : null;
}

export const refPath = ({ kind, name }: Ref): string => `refs/${kind === "branch" ? "heads" : "tags"}/${name}`;

/** What nothing else has: a pull request may be fetched by the name of a branch. */
export const refKey = (ref: AnyRef): string =>
  ref.kind === "pull-request" ? `pull-request/${ref.name}` : refPath(ref);

/** What it is fetched by. */
export const remotePath = (ref: AnyRef): string => (ref.kind === "pull-request" ? ref.head : refPath(ref));

/** What `git check-ref-format` takes, without the longest and with nothing that looks like an option. */
export function isRefName(name: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: git refuses them too.
  if (name.length > 255 || /^[-/]|[\u0000-\u0020\u007f~^:?*[\\]|\.\.|\/\/|@\{|[/.]$/.test(name)) return false;
  return !name.split("/").some((part) => part.startsWith(".") || part.endsWith(".lock")) && name !== "@";
}

/** SHA-1 or SHA-256, in full; all zeros is how forges say that there is none. */
export function parseCommit(text: string): string | null {
  return /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(text) && !/^0+$/.test(text) ? text : null;
}
