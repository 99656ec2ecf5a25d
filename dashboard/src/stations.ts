import type { DeploymentView } from "../../src/api/contract.ts";

/** A part of a deployment's way. `share`: how much of the time of the one that it is at is over, where it has one. */
export type Station = { readonly word: string; readonly is: "done" | "now" | "ahead"; readonly share?: number };

const order = ["start", "verify", "shift", "bake", "retire"] as const;
const atStation: Readonly<Record<string, (typeof order)[number]>> = {
  queued: "start",
  starting: "start",
  verifying: "verify",
  paused: "verify",
  shifting: "shift",
  draining: "shift",
  watching: "shift",
  waiting: "shift",
  baking: "bake",
  held: "bake",
  retiring: "retire",
};

/** The way of a deployment, and where on it it is; of one that goes back, the way back. */
export function stationsOf(deployment: DeploymentView, now: number): readonly Station[] {
  const { phase, canary, liveAt, bakeUntil } = deployment;
  if (phase === "restoring" || phase === "unshifting" || phase === "cleaning")
    return (["restoring", "unshifting", "cleaning"] as const).map((word, index, all) => ({
      word: { restoring: "start the old one", unshifting: "give traffic back", cleaning: "clean up" }[word],
      is: standing(index, all.indexOf(phase)),
    }));
  const here = order.indexOf(atStation[phase] ?? "retire");
  const stations = order.map((word, index) => {
    const share = word === "bake" && bakeUntil !== null && liveAt !== null ? part(liveAt, bakeUntil, now) : undefined;
    return { word, is: standing(index, here), ...(share === undefined ? {} : { share }) };
  });
  if (canary === null) return stations;
  const steps = canary.steps.map(({ weight, end }, index): Station => {
    const isNow = here === 2 && canary.step === index + 1;
    const { watchedUntil, watchMs } = canary;
    const share =
      isNow && watchedUntil !== null && watchMs !== null ? part(watchedUntil - watchMs, watchedUntil, now) : undefined;
    const is = end !== null || here > 2 ? "done" : isNow ? "now" : "ahead";
    return { word: `${weight / 100} %`, is, ...(share === undefined ? {} : { share }) };
  });
  return [...stations.slice(0, 2), ...steps, ...stations.slice(3)];
}

const standing = (index: number, here: number): Station["is"] =>
  index < here ? "done" : index === here ? "now" : "ahead";

const part = (from: number, to: number, now: number): number =>
  Math.min(1, Math.max(0, (now - from) / Math.max(1, to - from)));

/** Until it goes on by itself; null where no clock says when. */
export function leftMs({ phase, bakeUntil, canary }: DeploymentView, now: number): number | null {
  const until = phase === "baking" ? bakeUntil : phase === "watching" ? (canary?.watchedUntil ?? null) : null;
  return until === null ? null : until - now;
}
