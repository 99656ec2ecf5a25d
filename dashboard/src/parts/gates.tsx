import type { GateReading } from "../../../src/core/gates/reading.ts";
import { dateTime } from "../time-text.ts";
import { Mark } from "./mark.tsx";

/** What must be open, and what each waits for. */
export function Gates({ gates }: { readonly gates: readonly GateReading[] }) {
  return (
    <ul className="gates" aria-label="Gates">
      {gates.map(({ gate, open, says, opensAt }) => (
        <li key={`${gate} ${says}`}>
          <Mark tone={open ? "good" : "warn"}>
            {gate} <span className="hidden">{open ? "is open" : "is closed"}</span>
          </Mark>
          <span>
            {says}
            {opensAt !== null && <span className="quiet"> (opens {dateTime(opensAt)})</span>}
          </span>
        </li>
      ))}
    </ul>
  );
}
