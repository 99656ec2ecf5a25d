import type { DeploymentView } from "../../../src/api/contract.ts";
import { leftMs, stationsOf } from "../stations.ts";
import { useNow } from "../time.tsx";
import { tookText } from "../time-text.ts";

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
