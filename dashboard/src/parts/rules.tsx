import type { RulesView } from "../../../src/api/contract.ts";
import type { Tone } from "../words.ts";
import { Mark } from "./mark.tsx";

type Reading = RulesView["rules"][number];

const words: Readonly<Record<Reading["is"], { readonly word: string; readonly tone: Tone }>> = {
  ok: { word: "is kept", tone: "good" },
  pending: { word: "is broken, not for long enough", tone: "warn" },
  firing: { word: "fires", tone: "bad" },
  unknown: { word: "is not known", tone: "quiet" },
  off: { word: "is not looked at now", tone: "quiet" },
};

/** What the release is judged by, and how each stands; those that fire first. */
export function Rules({ rules }: { readonly rules: readonly Reading[] }) {
  return (
    <ul className="gates">
      {rules.map(({ name, text, is, reason, actions, dryRun }) => (
        <li key={name} title={text}>
          <Mark tone={words[is].tone}>
            {name} <span className="hidden">{words[is].word}</span>
          </Mark>
          <span>
            {reason}
            <span className="quiet">
              {" "}
              → {actions.join(", ")}
              {dryRun && " (only noted)"}
            </span>
          </span>
        </li>
      ))}
    </ul>
  );
}
