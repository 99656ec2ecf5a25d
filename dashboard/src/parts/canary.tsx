import type { DeploymentView } from "../../../src/api/contract.ts";
import { tookText } from "../time-text.ts";
import type { Tone } from "../words.ts";
import { Mark } from "./mark.tsx";

type CanaryView = NonNullable<DeploymentView["canary"]>;

/** Each step of a canary: its share, how it stands, and what it was judged by. */
export function Canary({ canary, isOver }: { readonly canary: CanaryView; readonly isOver: boolean }) {
  return (
    <div>
      <ul className="gates" aria-label="Steps of the canary">
        {canary.steps.map(({ weight, end }, index) => {
          const isNow = canary.step === index + 1;
          return (
            // A canary may have the same share twice: it is told by its place.
            // biome-ignore lint/suspicious/noArrayIndexKey: steps never move
            <li key={index}>
              <Mark tone={toneOf(end?.is ?? null, { isNow, isOver, waits: canary.waits !== null })}>
                {weight / 100} %
              </Mark>
              <span>
                {end === null
                  ? isNow
                    ? (canary.waits?.why ?? "is watched")
                    : "not taken"
                  : `${end.note} (${tookText(end.to - end.from)})`}
              </span>
            </li>
          );
        })}
      </ul>
      {canary.waits !== null && <p className="note warn">{waitText[canary.waits.for]}</p>}
    </div>
  );
}

const waitText: Readonly<Record<NonNullable<CanaryView["waits"]>["for"], string>> = {
  resume: "It was paused: somebody has to let it go on.",
  promotion: "The step has passed: somebody has to take the next one.",
  evidence: "The step could not be judged: look again, take the next one, or go back.",
  gates: "The next step is taken when its gates are open.",
};

type Seen = { readonly isNow: boolean; readonly isOver: boolean; readonly waits: boolean };

function toneOf(end: string | null, { isNow, isOver, waits }: Seen): Tone {
  if (end === "failed") return "bad";
  if (end === "cancelled") return "warn";
  if (end !== null) return "good";
  if (!isNow || isOver) return "quiet";
  return waits ? "warn" : "busy";
}
