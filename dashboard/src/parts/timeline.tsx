import type { HistoryView } from "../../../src/api/contract.ts";
import { dateTime, tookText } from "../time-text.ts";
import { deploymentWord, type Tone } from "../words.ts";
import { Evidence } from "./evidence.tsx";

/** Who, when, why, one step after the other; what was seen is one press away. */
export function Timeline({ entries }: { readonly entries: readonly HistoryView[] }) {
  return (
    <ol className="timeline">
      {entries.map((entry, index) => {
        const { at, event, actor, reason, evidence } = entry;
        const next = entries[index + 1];
        const name = event.replace(/^deployment\./, "").replace(".", " ");
        return (
          <li key={`${at} ${event} ${reason}`}>
            <span className={`dot ${toneOf(event, next !== undefined)}`} aria-hidden="true" />
            <div>
              <p>
                <strong>{name}</strong>
                <span className="quiet small">
                  <time dateTime={new Date(at).toISOString()} title={dateTime(at)}>
                    {new Date(at).toLocaleTimeString()}
                  </time>
                  {next !== undefined && ` for ${tookText(next.at - at)}`} · {actor}
                </span>
              </p>
              <p className="small">{reason}</p>
              {evidence.length > 0 && (
                <details>
                  <summary className="small quiet">What was seen</summary>
                  <Evidence lines={evidence} />
                </details>
              )}
            </div>
          </li>
        );
      })}
    </ol>
  );
}

/** What is over is not busy any more. */
function toneOf(event: string, isOver: boolean): Tone {
  if (event.startsWith("rule.fired") || event.endsWith(".missed")) return "bad";
  if (event.endsWith(".approved")) return "good";
  const { tone } = event.startsWith("deployment.")
    ? deploymentWord(event.slice("deployment.".length))
    : ({ tone: "quiet" } as const);
  return tone === "busy" && isOver ? "quiet" : tone;
}
