import type { AskBody, DeploymentView } from "../../src/api/contract.ts";

/** Something that may be asked of a deployment under way. */
export type Ask = {
  readonly kind: AskBody["kind"];
  readonly label: string;
  /** What will happen, in a sentence. */
  readonly will: string;
  /** Why it cannot be asked now; null where it can. */
  readonly not: string | null;
};

type Asked = Pick<DeploymentView, "phase" | "canary" | "stable" | "environment" | "release">;

const goingBack: ReadonlySet<string> = new Set(["restoring", "unshifting", "cleaning"]);

/** What may be asked now, each with what it does, and why not where it may not. */
export function asksOf({ phase, canary, stable, environment, release }: Asked): readonly Ask[] {
  const isBefore = phase === "queued" || phase === "gated";
  const isBack = goingBack.has(phase) ? "it goes back already" : null;
  const isHeld = phase === "paused" || phase === "held" || canary?.waits != null;
  const back =
    stable === null
      ? "nothing was live before it, so there is nothing to go back to"
      : `all traffic returns to r${stable.number}`;
  const cancel: Ask = {
    kind: "cancel",
    label: "Cancel",
    will: isBefore
      ? `r${release.number} is not deployed to ${environment}: it ends before it has begun, and nothing is touched.`
      : `r${release.number} is called off in ${environment}: ${back}.`,
    not: isBack,
  };
  const hold: Ask = isHeld
    ? {
        kind: "resume",
        label: "Go on",
        will: "It goes on where it was held; a step that could not be judged is looked at again.",
        not: isBack ?? (canary?.waits?.for === "gates" ? "it waits for its gates" : null),
      }
    : {
        kind: "pause",
        label: "Pause",
        will: "It holds where it is, before its next step; what has traffic keeps it, and goes on being watched.",
        not: isBack ?? (isBefore ? "it has not begun" : null),
      };
  const step = canary?.step ?? null;
  if (canary === null || step === null) return [hold, cancel];
  const next = canary.steps[step];
  const to = next === undefined ? "all traffic" : `${next.weight / 100} % of the traffic`;
  const promote: Ask = {
    kind: "promote",
    label: "Next step",
    will: `The canary gets ${to} now, on your word, without the rest of this step's watch.`,
    not: isBack ?? (canary.waits?.for === "gates" ? "it waits for its gates" : null),
  };
  return [promote, hold, cancel];
}
