import { personOf } from "../gates/person.ts";
import type { EpochMs } from "../ids.ts";
import { formatDuration } from "../product/units.ts";
import { atStep, type Ending, noteOf, shareText, stepOf, stepText, switchText, withStepEnd } from "./canary.ts";
import { keepingStable, shortText } from "./capacity.ts";
import { start, stay, to, unexpected, withStopped } from "./decision.ts";
import {
  allTraffic,
  type CanaryStep,
  type Course,
  type Decision,
  type Deployment,
  type DeploymentEvent,
  type Failure,
  type GateWait,
  hasEnded,
  type Phase,
  type Undone,
  type Wait,
} from "./deployment.ts";
import { effectOf, wave } from "./effects.ts";
import { onRestored, onUnshifted, undo } from "./way-back.ts";

export { effectOf };

/** A deployment at its first instant. Its first effect is `effectOf`. */
export function begin(course: Course): Deployment {
  const first = { stage: 0, wave: 0 };
  const fresh: Deployment = {
    course,
    phase: { is: "starting", ...first },
    liveAt: null,
    detectedAt: null,
    restoredAt: null,
    marks: {},
    shifted: 0,
  };
  return withStopped(fresh, first);
}

/**
 * The one door into every phase. An event that does not belong to the phase (a late result, a request that comes too late)
 * changes nothing and says so.
 */
export function decide(deployment: Deployment, event: DeploymentEvent, now: EpochMs): Decision {
  const { phase } = deployment;
  if (hasEnded(phase)) return stay(deployment, "the deployment has ended");
  if (event.is === "asked") return onRequest(deployment, event, now);
  if (event.is === "failed") return onFailure(deployment, event.failure, now);
  switch (phase.is) {
    case "starting":
      return event.is === "started"
        ? to(deployment, { ...phase, is: "verifying" }, `${names(deployment)} started; waiting until healthy`)
        : unexpected(deployment, event);
    case "verifying":
      return event.is === "healthy" ? onHealthy(deployment, phase, event) : unexpected(deployment, event);
    case "shifting":
      return event.is === "shifted" ? onShifted(deployment, phase.stage, event, now) : unexpected(deployment, event);
    case "draining":
      return event.is === "drained"
        ? onDrained(deployment, phase.stage, event.inflight, now)
        : unexpected(deployment, event);
    case "baking":
    case "held":
      return event.is === "passed"
        ? to(deployment, { is: "retiring" }, `bake passed: ${event.note}`)
        : unexpected(deployment, event);
    case "watching":
      if (event.is === "passed") return onStepPassed(deployment, phase.stage, event.note, now);
      return event.is === "unclear" ? onUnclear(deployment, phase.stage, event.missing) : unexpected(deployment, event);
    case "retiring":
      return event.is === "retired"
        ? to(deployment, { is: "succeeded" }, endedWell(deployment))
        : unexpected(deployment, event);
    case "restoring":
      return event.is === "restored" ? onRestored(deployment, phase, now) : unexpected(deployment, event);
    case "unshifting":
      return event.is === "shifted"
        ? onUnshifted({ ...deployment, restoredAt: now }, phase.end)
        : unexpected(deployment, event);
    case "cleaning":
      return event.is === "cleaned" ? onCleaned(deployment, phase.end, event) : unexpected(deployment, event);
    case "waiting":
      return onWaiting(deployment, phase, event, now);
    case "paused":
      return unexpected(deployment, event);
  }
}

function onCleaned(
  deployment: Deployment,
  end: Undone,
  { evidence, doubt }: Extract<DeploymentEvent, { is: "cleaned" }>,
): Decision {
  const message = doubt === undefined ? end.failure.message : `${end.failure.message}; ${doubt}`;
  const failure = { ...end.failure, message, evidence: [...end.failure.evidence, ...evidence] };
  const told = { ...end, failure };
  return to(deployment, told, endReason(deployment, told));
}

function endedWell({ course }: Deployment): string {
  if (course.proven) return "succeeded: the release is live again";
  return course.bakeMs === 0
    ? "succeeded: the release is live, without a bake"
    : "succeeded: the release is live and has passed its bake";
}

function onStepPassed(deployment: Deployment, stage: number, note: string, now: EpochMs): Decision {
  const passed = `${stepText(deployment.course, stage)} passed: ${note}`;
  if (stepOf(deployment.course, stage)?.manual === true) {
    return to(
      deployment,
      { is: "waiting", stage, for: { is: "promotion", note } },
      `${passed}; waits for a person to take the next step`,
    );
  }
  return goOn(deployment, { stage, is: "passed", note, now }, passed);
}

/** Unknown is not healthy: it never goes on by itself. */
function onUnclear(deployment: Deployment, stage: number, missing: string): Decision {
  return to(
    deployment,
    { is: "waiting", stage, for: { is: "evidence", missing } },
    `${stepText(deployment.course, stage)} cannot be judged: ${missing}; waits for a person`,
  );
}

/** To the next step, through the gates of this one. */
function goOn(deployment: Deployment, ending: Ending, reason: string): Decision {
  const { stage, note, is, now } = ending;
  if (stepOf(deployment.course, stage)?.gates === undefined) return nextStep(deployment, ending, reason);
  const wait: GateWait = { is: "gates", note, how: is === "promoted" ? is : "passed", since: now, approvals: [] };
  return to(deployment, { is: "waiting", stage, for: wait }, `${reason}; waits for its gates`);
}

function onWaiting(
  deployment: Deployment,
  { stage, for: wait }: Extract<Phase, { is: "waiting" }>,
  event: DeploymentEvent,
  now: EpochMs,
): Decision {
  if (wait.is !== "gates") return unexpected(deployment, event);
  if (event.is === "refused") return undo(deployment, "cancelled", event.failure, now, event.failure.message);
  if (event.is !== "opened") return unexpected(deployment, event);
  const reason = `the gates of ${stepText(deployment.course, stage)} are open: ${event.note}`;
  return nextStep(deployment, { stage, is: wait.how, note: wait.note, now }, reason);
}

function nextStep(deployment: Deployment, ending: Ending, reason: string): Decision {
  return start(withStepEnd(deployment, ending), { stage: ending.stage + 1, wave: 0 }, reason);
}

function onHealthy(
  deployment: Deployment,
  phase: Extract<Phase, { is: "verifying" }>,
  { short = [] }: Extract<DeploymentEvent, { is: "healthy" }>,
): Decision {
  const { course } = deployment;
  const waves = phase.stage === 0 ? course.waves.length : 1;
  if (phase.wave + 1 < waves) {
    const next = { stage: phase.stage, wave: phase.wave + 1 };
    return start(deployment, next, "healthy; the services that need them start");
  }
  const able = { ...deployment, course: keepingStable(course, phase.stage, short) };
  return shift(able, phase.stage, `every candidate is healthy${shortText(short)}`);
}

function shift(deployment: Deployment, stage: number, because: string): Decision {
  // Counted before the edge is told: after a crash in between, some user may already have met the candidate.
  return to(
    { ...deployment, shifted: stage + 1 },
    { is: "shifting", stage },
    `${because}; ${switchText(deployment.course, stage)}`,
  );
}

function onShifted(
  before: Deployment,
  stage: number,
  { marks, counted = {} }: Extract<DeploymentEvent, { is: "shifted" }>,
  now: EpochMs,
): Decision {
  const times = { exposedAt: before.exposedAt ?? now, shiftedAt: now };
  const deployment: Deployment = {
    ...before,
    ...times,
    ...(stage === 0 ? { marks } : {}),
    ...(before.course.canary === undefined ? {} : { stepMarks: counted }),
  };
  const step = stepOf(before.course, stage);
  if (step !== null) return onExposed(deployment, stage, step, now);
  const whole = hasAllTraffic(before.course, stage);
  return to(
    whole ? { ...deployment, liveAt: before.liveAt ?? now } : deployment,
    { is: "draining", stage },
    whole
      ? "all traffic is on the candidate; draining stable"
      : "the edge has acknowledged; draining what lost its share",
  );
}

/** The edge has acknowledged a step's weight. Nothing has lost its share whole, so there is nothing to drain. */
function onExposed(exposed: Deployment, stage: number, step: CanaryStep, now: EpochMs): Decision {
  const { holdFor: by, ...deployment } = exposed;
  const acknowledged = `the edge has acknowledged ${shareText(step.weight)}`;
  if (by !== undefined) {
    const wait: Wait = { is: "pause", leftMs: step.bakeMs, by };
    return to(deployment, { is: "waiting", stage, for: wait }, `${acknowledged}; held, as ${by} asked`);
  }
  return to(
    deployment,
    { is: "watching", stage, until: now + step.bakeMs },
    `${acknowledged}; watching ${stepText(deployment.course, stage)} for ${formatDuration(step.bakeMs)}`,
  );
}

function hasAllTraffic(course: Course, stage: number): boolean {
  return course.rollouts.every(
    (rollout) => !rollout.routed || course.stages[stage]?.[rollout.service]?.weight === allTraffic,
  );
}

function onDrained(draining: Deployment, stage: number, inflight: number, now: EpochMs): Decision {
  const rest = inflight === 0 ? "drained" : `drain time is over with ${inflight} requests still in flight`;
  const { holdFor: by, ...deployment } = draining;
  const { course } = deployment;
  const isLast = stage + 1 >= course.stages.length;
  if (by !== undefined) {
    const reason = `${rest}; held, as ${by} asked`;
    return isLast
      ? to(deployment, { is: "held", leftMs: course.bakeMs, by }, reason)
      : to(deployment, { is: "paused", stage: stage + 1, by }, reason);
  }
  if (!isLast) {
    return start(deployment, { stage: stage + 1, wave: 0 }, `${rest}; next batch`);
  }
  if (course.bakeMs === 0) return to(deployment, { is: "retiring" }, `${rest}; no bake asked for`);
  return to(
    deployment,
    { is: "baking", until: now + course.bakeMs },
    `${rest}; watching the release under all traffic for ${formatDuration(course.bakeMs)}`,
  );
}

function onRequest(deployment: Deployment, event: Extract<DeploymentEvent, { is: "asked" }>, now: EpochMs): Decision {
  const { phase } = deployment;
  switch (event.to) {
    case "cancel":
      return undo(deployment, "cancelled", cancelled(event), now, `cancelled by ${event.by}: ${event.why}`);
    case "pause":
      if (phase.is === "baking") {
        const leftMs = Math.max(0, phase.until - now);
        return to(deployment, { is: "held", leftMs, by: event.by }, `bake held by ${event.by}: ${event.why}`);
      }
      if (phase.is === "watching") {
        const wait: Wait = { is: "pause", leftMs: Math.max(0, phase.until - now), by: event.by };
        const text = stepText(deployment.course, phase.stage);
        return to(
          deployment,
          { is: "waiting", stage: phase.stage, for: wait },
          `${text} held by ${event.by}: ${event.why}`,
        );
      }
      if (phase.is === "waiting" && phase.for.is === "gates") {
        const wait: Wait = { is: "pause", leftMs: 0, by: event.by, gates: phase.for };
        return to(deployment, { ...phase, for: wait }, `held at its gates by ${event.by}: ${event.why}`);
      }
      if (phase.is === "starting" || phase.is === "verifying") {
        return to(
          deployment,
          { is: "paused", stage: phase.stage, by: event.by },
          `paused by ${event.by}: ${event.why}${withoutTraffic(deployment)}`,
        );
      }
      if (phase.is === "shifting" || phase.is === "draining") {
        return to(
          { ...deployment, holdFor: event.by },
          phase,
          `to be paused by ${event.by}: ${event.why}; it holds when ${deployment.course.canary === undefined ? "stable is drained" : "the traffic has moved"}`,
        );
      }
      return stay(deployment, `cannot be paused while ${phase.is}`);
    case "resume":
      if (phase.is === "held") {
        const { leftMs } = phase;
        const reason = `resumed by ${event.by}; ${leftMs === 0 ? "nothing" : formatDuration(leftMs)} of the bake is left`;
        return to(deployment, { is: "baking", until: now + leftMs }, reason);
      }
      if (phase.is === "waiting") return onResumed(deployment, phase, event, now);
      // What had been started is looked at again from the first wave: each effect finds what exists.
      if (phase.is === "paused") return start(deployment, { stage: phase.stage, wave: 0 }, `resumed by ${event.by}`);
      if (deployment.holdFor !== undefined) {
        const { holdFor: _, ...going } = deployment;
        return to(going, phase, `resumed by ${event.by}; it is not held`);
      }
      return stay(deployment, "it was not paused");
    case "promote":
      if (phase.is === "watching" || phase.is === "waiting") return onPromoted(deployment, phase, event, now);
      if (phase.is === "paused") return start(deployment, { stage: phase.stage, wave: 0 }, `resumed by ${event.by}`);
      return stay(deployment, `there is no step to take while ${phase.is}`);
    case "approve":
      return onApproved(deployment, event, now);
    case "reject": {
      const message = `rejected by ${event.by}: ${event.why}`;
      return undo(deployment, "cancelled", { ...cancelled(event), code: "APPROVAL_REFUSED", message }, now, message);
    }
  }
}

/** Who may, and whether it is enough, is the gates' to say: here it is kept, once a person. */
function onApproved(deployment: Deployment, { by, why }: Asked, now: EpochMs): Decision {
  const { phase, course } = deployment;
  if (phase.is !== "waiting" || phase.for.is !== "gates") return stay(deployment, `nothing waits for ${by}'s approval`);
  const { approvals } = phase.for;
  if (approvals.some((approval) => personOf(approval.by) === personOf(by)))
    return stay(deployment, `${by} has approved ${stepText(course, phase.stage)} already`);
  const wait = { ...phase.for, approvals: [...approvals, { by, at: now, reason: why, live: course.stable }] };
  return to(deployment, { ...phase, for: wait }, `${stepText(course, phase.stage)} approved by ${by}: ${why}`);
}

type Asked = Extract<DeploymentEvent, { is: "asked" }>;

/** After what has passed comes the next step; what has not is watched. */
function onResumed(
  deployment: Deployment,
  { stage, for: wait }: Extract<Phase, { is: "waiting" }>,
  { by, why }: Asked,
  now: EpochMs,
): Decision {
  if (wait.is === "gates") return stay(deployment, "it was not paused; it waits for its gates");
  if (wait.is === "pause" && wait.gates !== undefined)
    return to(deployment, { is: "waiting", stage, for: wait.gates }, `resumed by ${by}; it waits for its gates`);
  if (wait.is === "promotion")
    return goOn(deployment, { stage, is: "promoted", note: wait.note, now }, `next step taken by ${by}: ${why}`);
  const leftMs = wait.is === "pause" ? wait.leftMs : (stepOf(deployment.course, stage)?.bakeMs ?? 0);
  const text = `${stepText(deployment.course, stage)} ${wait.is === "pause" ? "goes on" : "is looked at anew"}`;
  return to(
    deployment,
    { is: "watching", stage, until: now + leftMs },
    `resumed by ${by}; ${text} for ${formatDuration(leftMs)}`,
  );
}

/** A person answers for it: what was missing, or not over yet, is kept in the record. */
function onPromoted(
  deployment: Deployment,
  phase: Extract<Phase, { is: "watching" | "waiting" }>,
  { by, why }: Asked,
  now: EpochMs,
): Decision {
  if (
    phase.is === "waiting" &&
    (phase.for.is === "gates" || (phase.for.is === "pause" && phase.for.gates !== undefined))
  )
    return stay(deployment, "it waits for its gates, which no promotion passes");
  const note = phase.is === "watching" ? "not watched to its end" : noteOf(phase.for);
  const reason = `next step taken by ${by}: ${why} (${stepText(deployment.course, phase.stage)}: ${note})`;
  return goOn(deployment, { stage: phase.stage, is: "promoted", note, now }, reason);
}

function onFailure(deployment: Deployment, failure: Failure, now: EpochMs): Decision {
  const { phase } = deployment;
  switch (phase.is) {
    case "restoring":
    case "unshifting":
      return to(
        deployment,
        { is: "rollback-failed", failure, cause: phase.end.failure },
        `could not go back: ${failure.message}`,
      );
    case "cleaning":
      // Traffic is where it should be; what is left over is found and removed by the next sweep.
      return to(deployment, phase.end, `${endReason(deployment, phase.end)}; leftovers remain: ${failure.message}`);
    case "retiring":
      return to(deployment, { is: "succeeded" }, `succeeded; leftovers remain: ${failure.message}`);
    default: {
      const seen = atStep(deployment, failure);
      return undo(deployment, deployment.shifted > 0 ? "rolled-back" : "failed", seen, now, seen.message);
    }
  }
}

function names({ course, phase }: Deployment): string {
  if (phase.is !== "starting") return "candidates";
  const { stage } = phase;
  // In a canary some come only with its last step.
  const there = wave(course, phase).filter((service) => (course.stages[stage]?.[service]?.candidate ?? 0) > 0);
  return there.length === 0 ? "nothing" : there.join(", ");
}

/** Who pauses here should know who waits: those services have been stopped, and their successors have no traffic yet. */
function withoutTraffic({ course, shifted, stopped = [] }: Deployment): string {
  const before = course.stages[shifted - 1];
  const waiting = stopped.filter((service) => (before?.[service]?.candidate ?? 0) === 0);
  return waiting.length === 0 ? "" : `; meanwhile stable's ${waiting.join(", ")} is stopped`;
}

function cancelled(event: { readonly by: string; readonly why: string }): Failure {
  return { code: "CANCELLED", message: `cancelled by ${event.by}: ${event.why}`, evidence: [], service: null };
}

function endReason({ stopped = [] }: Deployment, end: Undone): string {
  switch (end.is) {
    case "failed":
      return stopped.length === 0
        ? `refused: ${end.failure.message}; stable was never touched`
        : `refused: ${end.failure.message}; stable runs again (${stopped.join(", ")} had been stopped first)`;
    case "rolled-back":
      return `rolled back: ${end.failure.message}`;
    case "cancelled":
      return end.failure.message;
  }
}
