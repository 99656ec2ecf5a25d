import type { ForgeKind } from "../product/forges.ts";

/** A branch or a tag of the watched repository. */
export type Ref = { readonly kind: "branch" | "tag"; readonly name: string };

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

export type TriggerEvent =
  | PushEvent
  | { readonly is: "schedule"; readonly schedule: string }
  | { readonly is: "manual"; readonly branch: string; readonly actor: string };

/** Where an event comes from. */
export type TriggerSource = ForgeKind | "poll" | "schedule" | "manual";

/** `refs/heads/main`, as git says it. Null for what is neither a branch nor a tag, or no name that git would take. */
export function parseRef(text: string): Ref | null {
  const match = /^refs\/(heads|tags)\/(.+)$/s.exec(text);
  if (match === null) return null;
  const [, kind, name = ""] = match;
  return isRefName(name) ? { kind: kind === "heads" ? "branch" : "tag", name } : null;
}

export const refPath = ({ kind, name }: Ref): string => `refs/${kind === "branch" ? "heads" : "tags"}/${name}`;

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
