import { describe, expect, it } from "vitest";
import type { DeploymentView, EnvironmentView } from "../../src/api/contract.ts";
import { asksOf } from "./asks.ts";
import { healthOf } from "./health.ts";
import { lanesOf } from "./lanes.ts";
import { leftMs, stationsOf } from "./stations.ts";
import { agoText, tookText } from "./time-text.ts";

const instance = { id: "i", host: null, state: "running", address: null, lastSeen: null, healthy: null, restarts: 0 };
const instances = (...states: readonly (string | { readonly awaySince: number })[]) =>
  states.map((state) =>
    typeof state === "string" ? { ...instance, state } : { ...instance, lastSeen: state.awaySince },
  );

function environment(more: object, ...revisions: readonly object[]): EnvironmentView {
  const services = [{ service: "web", limits: null, revisions: revisions.map((each) => ({ number: 1, ...each })) }];
  const empty = { live: { number: 1 }, accessories: [], away: [], certificates: [], firing: [] };
  return { ...empty, services: revisions.length === 0 ? [] : services, ...more } as unknown as EnvironmentView;
}

describe("the health of an environment", () => {
  const tell = (...given: Parameters<typeof environment>) => {
    const { word, why } = healthOf(environment(...given));
    return [word, ...why];
  };

  it("is well when all that is meant to serve runs; what is kept warm or stops on purpose is not missed", () => {
    expect(tell({}, { role: "stable", instances: instances("running", "stopping") })).toEqual(["healthy"]);
    expect(
      tell({}, { role: "stable", instances: instances("running") }, { role: "warm", instances: instances("stopped") }),
    ).toEqual(["healthy"]);
    expect(tell({ live: null })).toEqual(["nothing live"]);
  });

  it("says what is wrong, and what is not seen is not called well", () => {
    expect(tell({}, { role: "stable", instances: instances("backoff") })).toEqual([
      "not healthy",
      "nothing of web runs",
    ]);
    expect(tell({}, { role: "stable", instances: instances({ awaySince: 1 }) })[0]).toBe("not healthy");
    expect(tell({}, { role: "stable", instances: instances("running", "crash-looping") })).toEqual([
      "needs a look",
      "1 of 2 instances of web r1 run",
    ]);
    const running = { role: "stable", instances: instances("running") };
    expect(tell({ accessories: [{ name: "redis", state: "exited" }] }, running)).toEqual([
      "not healthy",
      "redis is exited",
    ]);
    expect(tell({ away: [{ host: "a", says: "a is away" }] }, running)).toEqual(["needs a look", "a is away"]);
  });
});

const deployment = (more: object): DeploymentView =>
  ({ canary: null, liveAt: null, bakeUntil: null, stable: null, ...more }) as unknown as DeploymentView;

describe("the way of a deployment", () => {
  const way = (more: object, now = 0) => stationsOf(deployment(more), now).map(({ word, is }) => `${word} ${is}`);

  it("goes from start to retire, a bake by its clock; and of one that goes back, back", () => {
    expect(way({ phase: "shifting" })).toEqual([
      "start done",
      "verify done",
      "shift now",
      "bake ahead",
      "retire ahead",
    ]);
    const baking = { phase: "baking", liveAt: 1_000, bakeUntil: 5_000 };
    expect(stationsOf(deployment(baking), 2_000)[3]).toEqual({ word: "bake", is: "now", share: 0.25 });
    expect(leftMs(deployment(baking), 2_000)).toBe(3_000);
    expect(way({ phase: "unshifting" })).toEqual(["start the old one done", "give traffic back now", "clean up ahead"]);
  });

  it("has the steps of a canary in the place of its shift", () => {
    const steps = [
      { weight: 1_000, end: { is: "passed" } },
      { weight: 5_000, end: null },
    ];
    const canary = { steps, step: 2, watchedUntil: 30, watchMs: 20, waits: null };
    expect(way({ phase: "watching", canary }, 15)).toEqual([
      "start done",
      "verify done",
      "10 % done",
      "50 % now",
      "bake ahead",
      "retire ahead",
    ]);
    expect(stationsOf(deployment({ phase: "watching", canary }), 15)[3]?.share).toBe(0.25);
  });
});

describe("what may be asked of a deployment", () => {
  const asks = (more: object) =>
    asksOf(deployment({ environment: "production", release: { number: 2 }, ...more })).map(
      ({ kind, not }) => `${kind}${not === null ? "" : `: ${not}`}`,
    );

  it("is what does something now, and what does not says why", () => {
    expect(asks({ phase: "baking" })).toEqual(["pause", "cancel"]);
    expect(asks({ phase: "held" })).toEqual(["resume", "cancel"]);
    expect(asks({ phase: "queued" })).toEqual(["pause: it has not begun", "cancel"]);
    expect(asks({ phase: "cleaning" })).toEqual(["pause: it goes back already", "cancel: it goes back already"]);
    const canary = { steps: [{ weight: 1_000, end: null }], step: 1, watchedUntil: 1, watchMs: 1, waits: null };
    expect(asks({ phase: "watching", canary })).toEqual(["promote", "pause", "cancel"]);
    const gated = { ...canary, waits: { for: "gates", why: "" } };
    expect(asks({ phase: "waiting", canary: gated })).toEqual([
      "promote: it waits for its gates",
      "resume: it waits for its gates",
      "cancel",
    ]);
  });
});

describe("the lanes of a pipeline", () => {
  it("have each step right of all that it needs, and end where steps go round in a circle", () => {
    const step = (id: string, ...needs: readonly string[]) => ({ id, needs });
    const lanes = lanesOf([step("lint"), step("unit"), step("build", "lint"), step("ship", "unit", "build")]);
    expect(lanes.map((lane) => lane.map(({ id }) => id))).toEqual([["lint", "unit"], ["build"], ["ship"]]);
    expect(lanesOf([step("a", "b"), step("b", "a"), step("c", "gone")]).flat()).toHaveLength(3);
  });
});

describe("times", () => {
  it("are said as a person says them", () => {
    expect([0, 4_999, 59_000, 61_000, 7_200_000, 172_800_000].map((ms) => agoText(0, ms))).toEqual([
      "just now",
      "5 s ago",
      "59 s ago",
      "1 min ago",
      "2 h ago",
      "2 d ago",
    ]);
    expect([12, 1_250, 61_000, 3_660_000].map(tookText)).toEqual(["12 ms", "1.3 s", "1 min 1 s", "1 h 1 min"]);
  });
});
