import type { RunView } from "../../src/api/contract.ts";
import type { Phase } from "../../src/core/deploy/deployment.ts";
import type { StepPhase } from "../../src/core/pipeline/decide.ts";

/** How something stands, before anybody reads a word. Colours are of the style sheet. */
export type Tone = "good" | "busy" | "warn" | "bad" | "quiet";
export type Word = { readonly word: string; readonly tone: Tone };

type DeploymentPhase = Phase["is"] | "queued" | "gated";

const deploymentPhases: Readonly<Record<DeploymentPhase, Word>> = {
  queued: { word: "waits its turn", tone: "quiet" },
  gated: { word: "waits at its gates", tone: "warn" },
  starting: { word: "starts", tone: "busy" },
  verifying: { word: "is verified", tone: "busy" },
  paused: { word: "is paused", tone: "warn" },
  shifting: { word: "takes the traffic", tone: "busy" },
  draining: { word: "drains the old one", tone: "busy" },
  watching: { word: "is watched", tone: "busy" },
  waiting: { word: "waits for a person", tone: "warn" },
  baking: { word: "bakes", tone: "busy" },
  held: { word: "is held in its bake", tone: "warn" },
  retiring: { word: "retires the old one", tone: "busy" },
  restoring: { word: "goes back", tone: "warn" },
  unshifting: { word: "gives the traffic back", tone: "warn" },
  cleaning: { word: "cleans up", tone: "warn" },
  succeeded: { word: "succeeded", tone: "good" },
  failed: { word: "failed", tone: "bad" },
  "rolled-back": { word: "rolled back", tone: "bad" },
  cancelled: { word: "cancelled", tone: "quiet" },
  "rollback-failed": { word: "rollback failed", tone: "bad" },
};

/** A control plane that is newer than this page may know others. */
export function deploymentWord(phase: string): Word {
  return deploymentPhases[phase as DeploymentPhase] ?? { word: phase, tone: "quiet" };
}

export const runWords: Readonly<Record<RunView["phase"], Word>> = {
  queued: { word: "waits its turn", tone: "quiet" },
  checking: { word: "is checked", tone: "busy" },
  building: { word: "is built", tone: "busy" },
  succeeded: { word: "succeeded", tone: "good" },
  failed: { word: "failed", tone: "bad" },
};

export const stepWords: Readonly<Record<StepPhase, Word>> = {
  waiting: { word: "waits", tone: "quiet" },
  running: { word: "runs", tone: "busy" },
  passed: { word: "passed", tone: "good" },
  restored: { word: "unchanged", tone: "good" },
  failed: { word: "failed", tone: "bad" },
  skipped: { word: "skipped", tone: "quiet" },
  cancelled: { word: "cancelled", tone: "quiet" },
};
