import type { DeploymentView } from "../../../src/api/contract.ts";
import { tookText, useNow } from "../time.tsx";

type Station = { readonly word: string; readonly is: "done" | "now" | "ahead"; readonly share?: number };

/** How far a deployment is: its stations, and within the last one how much of its time is over. */
export function Progress({ deployment }: { readonly deployment: DeploymentView }) {
  const now = useNow();
  const stations = stationsOf(deployment, now);
  const left = leftMs(deployment, now);
  const at = stations.findIndex(({ is }) => is === "now");
  return (
    <div>
      <ol className="stations" aria-label={`Step ${at + 1} of ${stations.length}: ${stations[at]?.word ?? "ended"}`}>
        {stations.map(({ word, is, share }) => (
          <li key={word} className={is} aria-current={is === "now" ? "step" : undefined}>
            <span className="rail" aria-hidden="true">
              <i
                style={{ width: is === "done" ? "100%" : is === "now" ? `${Math.round((share ?? 0.5) * 100)}%` : 0 }}
              />
            </span>
            {word}
          </li>
        ))}
      </ol>
      <p className="quiet small spread">
        <span>{deployment.reason}</span>
        {left !== null && <span>{left > 0 ? `${tookText(left)} left` : "any moment"}</span>}
      </p>
    </div>
  );
}

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

function leftMs({ phase, bakeUntil, canary }: DeploymentView, now: number): number | null {
  const until = phase === "baking" ? bakeUntil : phase === "watching" ? (canary?.watchedUntil ?? null) : null;
  return until === null ? null : until - now;
}
