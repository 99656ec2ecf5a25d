import type { Json } from "../ids.ts";
import { canonicalJson } from "../product/canonical.ts";
import type { GatesSpec } from "../product/gates-spec.ts";
import type { Policy } from "./decide.ts";

type Side = { readonly number: number; readonly spec: { readonly gates?: GatesSpec } };

/**
 * Whose gates hold: the release's own, and those of what is live where they are others. A release that takes a gate away must
 * still pass it, or the config would be the way around it.
 */
export function policiesOf(release: Side, live: Side | null): readonly Policy[] {
  const own = release.spec.gates;
  const theirs = live?.spec.gates;
  const same =
    own !== undefined && theirs !== undefined && canonicalJson(own as Json) === canonicalJson(theirs as Json);
  const ownPolicy = { gates: own ?? noGates, of: `r${release.number}` };
  if (live === null || theirs === undefined || same) return own === undefined ? [] : [ownPolicy];
  return [ownPolicy, { gates: theirs, of: `r${live.number}` }];
}

const noGates: GatesSpec = { approval: null, windows: [], freezes: [], waitMs: 0, bakedMs: 0 };
