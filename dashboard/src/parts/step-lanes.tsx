import type { StepView } from "../../../src/api/contract.ts";
import { tookText, useNow } from "../time.tsx";
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

/** By how many steps must have ended one after the other before it may begin. */
export function lanesOf(steps: readonly StepView[]): readonly (readonly StepView[])[] {
  const depths = new Map<string, number>();
  const depthOf = (id: string): number => {
    const known = depths.get(id);
    if (known !== undefined) return known;
    depths.set(id, 0); // a circle is refused before there is a run; here it must only end
    const needs = steps.find((step) => step.id === id)?.needs ?? [];
    const depth = needs.length === 0 ? 0 : 1 + Math.max(...needs.map(depthOf));
    depths.set(id, depth);
    return depth;
  };
  const lanes: StepView[][] = [];
  for (const step of steps) {
    const depth = depthOf(step.id);
    lanes[depth] = [...(lanes[depth] ?? []), step];
  }
  return lanes.filter((lane) => lane !== undefined);
}
