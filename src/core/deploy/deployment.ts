import type { ErrorCode } from "../errors/catalogue.ts";
import type { Evidence } from "../errors/error.ts";
import type { Approval } from "../gates/approval.ts";
import type { DeploymentId, EnvironmentName, EpochMs, InstanceId, ReleaseId, RevisionId, ServiceName } from "../ids.ts";
import type { Counts } from "../judge/counts.ts";
import type { StepGatesSpec } from "../product/gates-spec.ts";
import type { LoneReason } from "../product/lone.ts";
import type { ServiceKind } from "../product/spec.ts";
import type { Short } from "./capacity.ts";
import type { Clocks } from "./clocks.ts";

/** Hundredths of a percent: 10,000 is all traffic. */
export const allTraffic = 10_000;

/** Why a deployment does not go on, with what was seen. */
export type Failure = {
  readonly code: ErrorCode;
  readonly message: string;
  readonly evidence: readonly Evidence[];
  readonly service: ServiceName | null;
  /** What to do about it, where more is known than the code's general advice. */
  readonly hint?: string;
  /** The one that was seen to be bad, where it is one of several. */
  readonly instance?: InstanceId;
};

/** One service of a deployment: its two sides, and how many instances each has when it is whole. */
export type Rollout = {
  readonly service: ServiceName;
  /** What the release makes of it; what it was when the release no longer has it. */
  readonly kind: ServiceKind;
  /** Null when the release no longer has this service. */
  readonly candidate: RevisionId | null;
  readonly candidateInstances: number;
  /** Null when nothing was live before. */
  readonly stable: RevisionId | null;
  readonly stableInstances: number;
  /** What it was before, where that is another: a release may make a job of a worker. */
  readonly stableKind?: ServiceKind;
  /** One side at least has routes. */
  readonly routed: boolean;
  /**
   * Those of its own release ask it by its name, past the edge, as services of a Compose file do: each side serves as long as the
   * side of those that ask it does.
   */
  readonly behind?: true;
  /** Why its sides never run at the same time: whichever is to run starts when the other has stopped. Absent where they may. */
  readonly stopFirst?: LoneReason;
};

/** Does this side of the rollout take requests through the edge? */
export function takesRequests(rollout: Rollout, side: "candidate" | "stable"): boolean {
  const kind = side === "candidate" ? rollout.kind : (rollout.stableKind ?? rollout.kind);
  return rollout.routed && rollout[side] !== null && (kind === "web" || kind === "static");
}

/** Can both sides share this service's requests by weight, each with instances of its own? */
export function sharesTraffic(rollout: Rollout): boolean {
  return takesRequests(rollout, "candidate") && takesRequests(rollout, "stable") && rollout.stopFirst === undefined;
}

/** The same, or those ask it that do. */
export function serves(rollout: Rollout, side: "candidate" | "stable"): boolean {
  return takesRequests(rollout, side) || (rollout.behind === true && rollout[side] !== null);
}

/** What one stage brings about for one service. */
export type Share = { readonly candidate: number; readonly stable: number; readonly weight: number };

/** A step of the traffic towards the candidate, for all services at once. The last stage has every weight at `allTraffic`. */
export type Stage = Readonly<Record<ServiceName, Share>>;

/** How a canary is watched at one weight, before the next step. */
export type CanaryStep = {
  readonly weight: number;
  readonly bakeMs: number;
  /** A person takes the next step, also when nothing speaks against it. */
  readonly manual: boolean;
  /** What must be open, once it is over, before the next step. Absent: nothing. */
  readonly gates?: StepGatesSpec;
};

/** The part of a deployment that is fixed when it begins. */
export type Course = {
  readonly id: DeploymentId;
  readonly environment: EnvironmentName;
  readonly release: ReleaseId;
  /** What is live when it begins, and what it goes back to; null in an empty environment. */
  readonly stable: ReleaseId | null;
  readonly rollouts: readonly Rollout[];
  /** Services that may start together; each wave waits until the one before it is healthy. */
  readonly waves: readonly (readonly ServiceName[])[];
  readonly stages: readonly Stage[];
  /** Of a canary: one for each stage but the last, which brings all traffic. Absent where traffic is not moved by trust. */
  readonly canary?: {
    readonly steps: readonly CanaryStep[];
    /** How long, beyond its own time, a step waits for what it is judged by, before it asks a person. */
    readonly limitMs: number;
  };
  readonly drainMs: number;
  readonly bakeMs: number;
  /** The release has passed a bake here before: its services need not live through their start period again. */
  readonly proven: boolean;
  /** Revisions of the release are kept here from before: an attempt that is called off leaves them as they were. */
  readonly kept?: true;
};

/**
 * ```text
 *            ┌───────── next stage ─────────┐
 *            │    ┌──── next step ───── watching ◄─► waiting
 *            ▼    ▼                        ▲
 * starting ─► verifying ─► (paused) ─► shifting ─► draining ─► baking ─► retiring ─► succeeded
 *    └───────────┴────────────┤               └────────┴─────────┴──┐
 *      before any traffic     ▼                  after some traffic ▼
 *                (restoring) ─► cleaning     (restoring) ─► unshifting ─► (restoring) ─► cleaning ─► rolled-back | cancelled
 *                     │           └─► failed | cancelled         │             │              │
 *                     └───────────────► rollback-failed ◄────────┴─────────────┴──────────────┘
 * ```
 * Before any traffic only what was stopped first has to be restored; where nothing was, stable was never touched.
 * A step of traffic is never left half-way: a pause that is asked for while shifting or draining holds before the next step.
 *
 * A canary goes from `shifting` to `watching` instead of `draining`, at every weight but the last: nobody loses a share whole, so
 * nothing has to be drained. A step ends in one of four ways. Nothing speaks against it: the next one (`manual`: it waits for a
 * person first). A verdict is bad: back, which is one change of weights, for stable is whole all the time. It cannot be judged
 * in time: it waits for a person, and never goes on by itself. A person says: promote, pause, cancel. Where a step has gates, it
 * then waits until all are open at once; no person's word for the step passes them.
 *
 * A first deployment has nothing to go back to: when it fails after the switch it stays at 100 % and ends `failed`.
 */
export type Phase =
  | { readonly is: "starting"; readonly stage: number; readonly wave: number }
  | { readonly is: "verifying"; readonly stage: number; readonly wave: number }
  | { readonly is: "paused"; readonly stage: number; readonly by: string }
  | { readonly is: "shifting"; readonly stage: number }
  | { readonly is: "draining"; readonly stage: number }
  /** A step of a canary is watched at its weight, at least until then. */
  | { readonly is: "watching"; readonly stage: number; readonly until: EpochMs }
  /** The same without an end: it is still watched, and a person says how it goes on. */
  | { readonly is: "waiting"; readonly stage: number; readonly for: Wait }
  | { readonly is: "baking"; readonly until: EpochMs }
  /** Held in the bake: still watched, the clock stands. */
  | { readonly is: "held"; readonly leftMs: number; readonly by: string }
  | { readonly is: "retiring" }
  /** Stable's stopped instances are started again, before its traffic comes back. */
  | {
      readonly is: "restoring";
      readonly services: readonly ServiceName[];
      readonly followedBy: "unshifting";
      readonly end: Undoing;
    }
  /** The same where its traffic is back, or was never taken. */
  | {
      readonly is: "restoring";
      readonly services: readonly ServiceName[];
      readonly followedBy: "cleaning";
      readonly end: Undone;
    }
  | { readonly is: "unshifting"; readonly end: Undoing }
  | { readonly is: "cleaning"; readonly end: Undone }
  | { readonly is: "succeeded" }
  | { readonly is: "failed"; readonly failure: Failure }
  | { readonly is: "rolled-back"; readonly failure: Failure }
  | { readonly is: "cancelled"; readonly failure: Failure }
  | { readonly is: "rollback-failed"; readonly failure: Failure; readonly cause: Failure };

/** Why a canary stays where it is, and so what `resume` means there. */
export type Wait =
  /** Somebody paused it: the rest of the step's time is still to come, or its gates. */
  | { readonly is: "pause"; readonly leftMs: number; readonly by: string; readonly gates?: GateWait }
  /** The step has passed; the next one is a person's to take. */
  | { readonly is: "promotion"; readonly note: string }
  /** It could not be judged: looked at anew when it goes on. */
  | { readonly is: "evidence"; readonly missing: string }
  | GateWait;

/** The step is over, and the next one is taken when its gates are open. */
export type GateWait = {
  readonly is: "gates";
  /** What was seen of the step, and who answers for it. */
  readonly note: string;
  readonly how: "passed" | "promoted";
  readonly since: EpochMs;
  readonly approvals: readonly Approval[];
};

/** How a step of a canary ended, for the record. */
export type StepEnd = {
  readonly weight: number;
  readonly from: EpochMs;
  readonly to: EpochMs;
  /** `promoted`: at a person's word. */
  readonly is: "passed" | "promoted" | "failed" | "cancelled";
  /** What was seen of both sides. */
  readonly note: string;
};

export type Undoing = { readonly is: "rolled-back" | "cancelled"; readonly failure: Failure };
export type Undone = { readonly is: "failed" | "rolled-back" | "cancelled"; readonly failure: Failure };

export type Deployment = {
  readonly course: Course;
  readonly phase: Phase;
  /** When the last instant things happened, for the record; null until they do. */
  readonly liveAt: EpochMs | null;
  readonly detectedAt: EpochMs | null;
  readonly restoredAt: EpochMs | null;
  /**
   * Where the counting begins. For a candidate what it had been counted for before its first shift: it may have been live
   * before. For a stable what it had been counted for a while before: its recent past is what the candidate is compared with.
   */
  readonly marks: Readonly<Record<RevisionId, Counts>>;
  /** When the edge acknowledged the first share of traffic, and the newest one. */
  readonly exposedAt?: EpochMs;
  readonly shiftedAt?: EpochMs;
  /** Of a canary: what both sides had been counted for when its newest step began. */
  readonly stepMarks?: Readonly<Record<RevisionId, Counts>>;
  /** Of a canary: the steps that are over, in order. */
  readonly steps?: readonly StepEnd[];
  /** What the clocks showed when the end of its watch was recorded; only while it has one. */
  readonly datedAt?: Clocks;
  /** How many stages have been asked of the edge: above zero, some user may have met the candidate. */
  readonly shifted: number;
  /** Services whose stable side has been asked to stop before its successor starts; recorded before it is done. */
  readonly stopped?: readonly ServiceName[];
  /** Who wants it held, asked when a step could not be left half-way: it holds before the next one. */
  readonly holdFor?: string;
};

export type EndPhase = Extract<Phase, { is: "succeeded" | "failed" | "rolled-back" | "cancelled" | "rollback-failed" }>;

const ends: ReadonlySet<string> = new Set(["succeeded", "failed", "rolled-back", "cancelled", "rollback-failed"]);

export function hasEnded(phase: Phase): phase is EndPhase {
  return ends.has(phase.is);
}

/** What has to be done now. Each is safe to repeat: it looks at what exists, then does what is missing. */
export type Effect =
  /** Bring the wave's candidates to the stage's instances; of those in `stopping`, stable is stopped before. → `started` */
  | {
      readonly do: "start";
      readonly stage: number;
      readonly services: readonly ServiceName[];
      readonly stopping: readonly ServiceName[];
    }
  /** Wait until they are healthy, jobs until they have ended well. → `healthy` */
  | { readonly do: "verify"; readonly stage: number; readonly services: readonly ServiceName[] }
  /** Bring the edge to the recorded traffic. → `shifted` */
  | { readonly do: "shift" }
  /** Let requests in flight on the losing side end, then stop what the stage no longer needs of it. → `drained` */
  | { readonly do: "drain"; readonly stage: number }
  /** Watch the candidate under all traffic until `until` (null: until something is asked). → `passed` */
  | { readonly do: "watch"; readonly until: EpochMs | null }
  /**
   * Watch a step of a canary, at least until `until`, and from then on until it can be judged; at `limit` it cannot.
   * → `passed` or `unclear`
   */
  | { readonly do: "watch-step"; readonly stage: number; readonly until: EpochMs; readonly limit: EpochMs }
  /** The same without an end, and look at the gates of the step that is over. → `opened` or `refused` */
  | { readonly do: "await-gates"; readonly stage: number; readonly wait: GateWait }
  /** Wait for a person. Ends only by a request. */
  | { readonly do: "await-resume" }
  /** Keep stable warm or stopped, drop what was warm before. → `retired` */
  | { readonly do: "retire" }
  /** Have stable's instances back where they had been stopped; first stop what cannot run beside them. → `restored` */
  | { readonly do: "restore"; readonly services: readonly ServiceName[] }
  /** Stop and forget the candidates. → `cleaned` */
  | { readonly do: "clean"; readonly failure: Failure };

/** The result of an effect, or a request of a person. */
export type DeploymentEvent =
  | { readonly is: "started" }
  /** `short`: services that may not stop any of stable's instances in this step; absent: none. */
  | { readonly is: "healthy"; readonly short?: readonly Short[] }
  | {
      readonly is: "shifted";
      readonly marks: Readonly<Record<RevisionId, Counts>>;
      /** What both sides had been counted for at that instant. */
      readonly counted?: Readonly<Record<RevisionId, Counts>>;
    }
  | { readonly is: "drained"; readonly inflight: number }
  | { readonly is: "passed"; readonly note: string }
  /** A step could not be judged in its time: what was missing. */
  | { readonly is: "unclear"; readonly missing: string }
  /** The gates of a step are all open: on what that rests. */
  | { readonly is: "opened"; readonly note: string; readonly evidence: readonly Evidence[] }
  /** Nobody has opened them in time. */
  | { readonly is: "refused"; readonly failure: Failure }
  | { readonly is: "retired" }
  | { readonly is: "restored" }
  /** With the last log lines of what failed, read before it was removed, and what was seen meanwhile that speaks for it. */
  | { readonly is: "cleaned"; readonly evidence: readonly Evidence[]; readonly doubt?: string }
  /** An effect could not be done, or a verdict was bad. */
  | { readonly is: "failed"; readonly failure: Failure }
  | {
      readonly is: "asked";
      /** `promote`: take the canary's next step now. `approve`, `reject`: a word to the gates of its step. */
      readonly to: "cancel" | "pause" | "resume" | "promote" | "approve" | "reject";
      readonly by: string;
      readonly why: string;
    };

/** What is next, what to do about it, and the sentence a person will read. */
export type Decision = { readonly next: Deployment; readonly effects: readonly Effect[]; readonly reason: string };
