import { isMapped, type KnownRef } from "./decide.ts";
import { type PushEvent, parseCommit, parseRef, type Ref } from "./event.ts";
import type { TriggerSettings } from "./settings.ts";

export type Look = {
  /** What has moved since it was last heard of. */
  readonly moved: readonly PushEvent[];
  /** What is there from before we began to look, and begins nothing. */
  readonly remembered: readonly { readonly ref: Ref; readonly after: string }[];
  /** Paths of what is not there any more. It has gone when the next look does not find it either: one answer may be wrong. */
  readonly missing: ReadonlySet<string>;
};

/** So many at once: a remote that has been exchanged for another must not begin a thousand runs. */
const maxMoved = 50;

/**
 * What the refs of a remote say beside what is known of them. At the first look what nobody has heard of is only remembered; later it
 * is new. Refs that no trigger names are left out. `missing`: what the look before did not find.
 */
export function lookAtRefs(
  refs: ReadonlyMap<string, string>,
  known: ReadonlyMap<string, KnownRef>,
  settings: TriggerSettings,
  { first, missing }: { readonly first: boolean; readonly missing: ReadonlySet<string> },
): Look {
  const moved: PushEvent[] = [];
  const remembered: { readonly ref: Ref; readonly after: string }[] = [];
  for (const [path, hash] of refs) {
    const ref = parseRef(path);
    const after = parseCommit(hash);
    if (ref === null || after === null || !isMapped(ref, settings)) continue;
    const before = known.get(path)?.after ?? null;
    if (before === after) continue;
    if (before === null && first) remembered.push({ ref, after });
    else moved.push(push(ref, before, after));
  }
  const gone = new Set<string>();
  for (const [path, { after }] of known) {
    const ref = parseRef(path);
    if (ref === null || refs.has(path)) continue;
    gone.add(path);
    if (missing.has(path)) moved.push(push(ref, after, null));
  }
  return { moved: moved.slice(0, maxMoved), remembered, missing: gone };
}

/** Who has pushed it is not known: git does not say. */
function push(ref: Ref, before: string | null, after: string | null): PushEvent {
  return { is: "push", repository: null, ref, before, after, message: null, actor: "poll" };
}
