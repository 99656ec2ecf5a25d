import type { StepView } from "../../../src/api/contract.ts";
import { lanesOf } from "../lanes.ts";
import { useNow } from "../time.tsx";
import { tookText } from "../time-text.ts";
import { stepWords } from "../words.ts";
import { Mark } from "./mark.tsx";

type LanesProps = {
  readonly steps: readonly StepView[];
  readonly chosen: string | null;
  readonly onChoose: (id: string) => void;
};

/** The steps from left to right as they wait for each other: each stands right of all that it needs. */
export function StepLanes({ steps, chosen, onChoose }: LanesProps) {
  return (
    <div className="lanes">
      {lanesOf(steps).map((lane) => (
        <ul key={lane[0]?.id} className="lane">
          {lane.map((step) => (
            <li key={step.id}>
              <Step step={step} isChosen={step.id === chosen} onChoose={() => onChoose(step.id)} />
            </li>
          ))}
        </ul>
      ))}
    </div>
  );
}

function Step({
  step,
  isChosen,
  onChoose,
}: {
  readonly step: StepView;
  readonly isChosen: boolean;
  readonly onChoose: () => void;
}) {
  const now = useNow();
  const { id, phase, needs, startedAt, endedAt, allowFailure, lastLine } = step;
  const { word, tone } = stepWords[phase];
  const time = startedAt === null ? "" : tookText((endedAt ?? now) - startedAt);
  const waits = needs.length === 0 ? "needs nothing" : `needs ${needs.join(", ")}`;
  return (
    <button
      type="button"
      className={isChosen ? "step chosen" : "step"}
      aria-pressed={isChosen}
      title={`${waits}${allowFailure ? "; may fail" : ""}`}
      onClick={onChoose}
    >
      <Mark tone={tone}>
        <strong>{id}</strong>
      </Mark>
      <span className="quiet small">
        {word} {phase === "restored" ? "" : time}
      </span>
      {lastLine !== null && <code className="last-line">{lastLine}</code>}
    </button>
  );
}
