import type { EnvironmentName, ReleaseId } from "../../ids.ts";
import type { Selector } from "../../metric/labels.ts";
import type { Measured } from "../../metric/measured.ts";
import { formatDuration } from "../../product/units.ts";
import type { Watched } from "./rule.ts";

/** Where a rule is looked at, and of which release: what another one did is not held against it. */
export type Place = { readonly environment: EnvironmentName; readonly release: ReleaseId | null };

/** What a look saw, before it is held against those before it. */
export type Seen = {
  readonly is: "ok" | "broken" | "unknown" | "off";
  readonly reason: string;
  readonly measured: readonly Measured[];
};

/** Series that say which release they are of; the others are of the place. */
const ofReleases: ReadonlySet<string> = new Set(["traffic", "health", "restarts", "cpu", "memory", "memory share"]);

export function selectorOf(
  { metric, service }: Pick<Watched, "metric" | "service">,
  { environment, release }: Place,
): Selector {
  const isOfRelease = release !== null && ofReleases.has(metric.series);
  return { environment, ...(service !== null && { service }), ...(isOfRelease && { release }) };
}

/** Why it says nothing; null when it does. Written so that what is no number says nothing. */
export function doubtOf(measured: Measured, minimum: number): string | null {
  if (measured.is === "unknown") return measured.why;
  if (!Number.isFinite(measured.value)) return "what was measured is no number";
  return measured.count >= minimum ? null : `${measured.count} of at least ${minimum} were seen`;
}

/** A long window of which less than this was looked at says nothing: what nobody saw is neither good nor bad. */
const leastCovered = 0.5;

/** The same, because too little of the window was looked at. */
export function gapOf(measured: Measured, windowMs: number): string | null {
  if (measured.is === "unknown" || measured.covered >= leastCovered) return null;
  return `only ${Math.floor(measured.covered * 100)} % of the last ${formatDuration(windowMs)} was looked at`;
}
