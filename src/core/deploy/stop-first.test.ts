import { expect, it } from "vitest";
import { serviceName } from "../ids.ts";
import { courseWith, rolloutOf } from "./course.fixture.ts";
import { begin, decide, effectOf } from "./decide.ts";
import type { Deployment, DeploymentEvent, Failure } from "./deployment.ts";
import { canHold, holdMs, outlastsHold } from "./stop-first.ts";

const [api, web] = [serviceName("api"), serviceName("web")];

const rollouts = [rolloutOf(web), rolloutOf(api, { stopFirst: "volumes" })];
const course = courseWith(rollouts, { waves: [[web], [api]] });
const failure: Failure = { code: "PROBE_DEADLINE", message: "api was not healthy", evidence: [], service: api };
const failed: DeploymentEvent = { is: "failed", failure };
const asked = (to: "pause" | "resume" | "cancel"): DeploymentEvent => ({ is: "asked", to, by: "ada", why: "lunch" });

/** After these events, one a millisecond; with the reason of the last. */
function after(...events: DeploymentEvent[]): { readonly now: Deployment; readonly reason: string } {
  let now = begin(course);
  let reason = "";
  events.forEach((event, index) => {
    ({ next: now, reason } = decide(now, event, index + 1));
  });
  return { now, reason };
}

const started: DeploymentEvent = { is: "started" };
const healthy: DeploymentEvent = { is: "healthy" };
const second = [started, healthy] as const;

it("stable is stopped when its own wave starts, and that is recorded before it is done", () => {
  expect(effectOf(begin(course))).toEqual({ do: "start", stage: 0, services: [web], stopping: [] });
  expect(begin(course)).not.toHaveProperty("stopped");
  const { now } = after(...second);
  expect(effectOf(now)).toEqual({ do: "start", stage: 0, services: [api], stopping: [api] });
  expect(now.stopped).toEqual([api]);
});

it("a failure before anything was stopped touches nothing", () => {
  const { now, reason } = after(started, failed, { is: "cleaned", evidence: [] });
  expect([now.phase.is, reason]).toEqual(["failed", "refused: api was not healthy; stable was never touched"]);
});

it("a failure after it, before any traffic, has stable run again before the rest is cleaned, and says so", () => {
  const undone = after(...second, started, failed);
  expect(undone.now.phase).toMatchObject({ is: "restoring", services: [api], followedBy: "cleaning" });
  expect(undone.reason).toBe("api was not healthy; starting api again as before");
  const restored = after(...second, started, failed, { is: "restored" });
  expect([restored.now.phase.is, restored.now.detectedAt, restored.now.restoredAt]).toEqual(["cleaning", 4, 5]);
  const { now, reason } = after(...second, started, failed, { is: "restored" }, { is: "cleaned", evidence: [] });
  expect([now.phase.is, reason]).toEqual([
    "failed",
    "refused: api was not healthy; stable runs again (api had been stopped first)",
  ]);
});

it("a way back that fails before any traffic is a failed rollback: users miss a service", () => {
  const lost: DeploymentEvent = { is: "failed", failure: { ...failure, message: "api of r1 was not healthy" } };
  const { now, reason } = after(...second, failed, lost);
  expect(now.phase).toMatchObject({ is: "rollback-failed", cause: failure });
  expect(reason).toBe("could not go back: api of r1 was not healthy");
});

it("a pause says what does not run meanwhile, and goes on by stopping what is left to stop", () => {
  const paused = after(...second, started, asked("pause"));
  expect(paused.reason).toBe("paused by ada: lunch; meanwhile stable's api is stopped");
  expect(after(started, asked("pause")).reason).toBe("paused by ada: lunch");
  const cancelled = after(...second, started, asked("pause"), asked("cancel"));
  expect(cancelled.now.phase).toMatchObject({ is: "restoring", end: { is: "cancelled" } });
  // From the first wave on: what had been stopped stays known, although that wave stops nothing.
  const resumed = after(...second, started, asked("pause"), asked("resume"));
  expect([resumed.now.phase, resumed.now.stopped]).toEqual([{ is: "starting", stage: 0, wave: 0 }, [api]]);
});

it("from under traffic it comes back before the traffic does", () => {
  const live = [...second, started, healthy, { is: "shifted", marks: {} }, { is: "drained", inflight: 0 }] as const;
  const { now } = after(...live, failed);
  expect(now.phase).toMatchObject({ is: "restoring", services: [api], followedBy: "unshifting" });
  expect(after(...live, failed, { is: "restored" }).now.phase.is).toBe("unshifting");
});

it("a state that was recorded before services were stopped first reads on", () => {
  const recorded = JSON.parse(JSON.stringify({ ...begin({ ...course, rollouts: [rolloutOf(web)], waves: [[web]] }) }));
  expect(decide(recorded, failed, 1).next.phase.is).toBe("cleaning");
});

it("requests wait as long as the start may take, and no longer than anybody waits", () => {
  const health = { deadlineMs: 30_000 } as Parameters<typeof holdMs>[0]["health"];
  // With the time in which the way back begins, which then holds them itself.
  expect(holdMs({ health })).toBe(60_000);
  expect(outlastsHold({ health })).toBe(false);
  const slow = { health: { ...health, deadlineMs: 600_000 } };
  expect([holdMs(slow), outlastsHold(slow)]).toEqual([120_000, true]);
  expect([
    canHold({ driver: "embedded", server: null }),
    canHold({ driver: "caddy", server: null }),
    canHold({ driver: "caddy", server: "ssh://edge" }),
  ]).toEqual([true, true, false]);
});
