import { describe, expect, it } from "vitest";
import { environmentName, instanceId, releaseId, revisionId, serviceName } from "../../core/ids.ts";
import { nothingCounted } from "../../core/judge/comparison.ts";
import type { Counts } from "../../core/judge/counts.ts";
import type { EdgeSample } from "../../ports/edge.ts";
import type { InstanceStatus, RevisionStatus } from "../../ports/target.ts";
import { ManualClock } from "../../testing/engine/manual-clock.ts";
import { ServiceJudge } from "../judge/service-judge.ts";
import { type BakeInput, type BakeWorld, bake } from "./bake.ts";

const candidate = revisionId("rev_candidate");
const start = 1_700_000_000_000;
const bakeMs = 10_000;

/** A world in which time, the processes, the probes and the counts are what the test says. */
class Scene {
  readonly clock = new ManualClock(start);
  healthy = true;
  counts: Counts = { requests: 100, errors: 0 };
  stable: Counts = { requests: 0, errors: 0 };
  sampleAgeMs: number | null = 50;
  #instance: InstanceStatus = {
    id: instanceId(candidate, 0),
    index: 0,
    host: null,
    state: "running",
    address: "127.0.0.1:1",
    pid: 7,
    startedAt: start - 1_000,
    restarts: 0,
    lastExit: null,
    cpu: null,
    memoryBytes: null,
  };
  readonly #changed = new Set<() => void>();

  exit(): void {
    this.#instance = { ...this.#instance, state: "backoff", lastExit: { code: 1, signal: null, at: this.clock.now() } };
    for (const wake of this.#changed) wake();
  }

  runAgain(): void {
    this.#instance = { ...this.#instance, state: "running", restarts: 1 };
  }

  world(): BakeWorld {
    const scene = this;
    return {
      clock: this.clock,
      prober: {
        http: async () => ({
          is: "answer",
          at: this.clock.now(),
          tookMs: 1,
          status: this.healthy ? 200 : 503,
          body: "",
        }),
      },
      counts: {
        counted: (revision) => ({ counts: revision === candidate ? this.counts : this.stable, latency: [] }),
        countedBefore: () => nothingCounted,
        ageMs: () => this.sampleAgeMs,
        next: (signal) =>
          new Promise<EdgeSample>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
      },
      targets: {
        reach: () => Promise.reject(new Error("a watch reaches nothing")),
        async *watch(_selector, signal) {
          while (!signal.aborted) {
            yield [scene.#status()];
            await new Promise<void>((resolve) => {
              scene.#changed.add(resolve);
              signal.addEventListener("abort", () => resolve(), { once: true });
            });
          }
        },
      },
    };
  }

  #status(): RevisionStatus {
    return {
      id: candidate,
      product: "shop",
      environment: environmentName("production"),
      service: serviceName("web"),
      release: releaseId("rel_2"),
      configDigest: "sha256:0",
      wanted: 1,
      instances: [this.#instance],
    };
  }
}

function input(changes: Partial<BakeInput> = {}): BakeInput {
  const health = {
    path: "/up",
    status: null,
    body: null,
    intervalMs: 500,
    timeoutMs: 500,
    retries: 3,
    startPeriodMs: 0,
    deadlineMs: 5_000,
  };
  const mark = { requests: 0, errors: 0 };
  const errorRatio = { margin: 0.05, minimum: 20 };
  return {
    services: [
      {
        revision: candidate,
        service: serviceName("web"),
        kind: "web",
        health,
        instances: 1,
        stable: null,
        stableMark: mark,
        routed: true,
        stableServes: false,
        judge: new ServiceJudge({ alpha: 0.01, errorRatio, latency: null, onAlone: 1 }, { warmUpMs: 0 }),
        mark,
      },
    ],
    rules: { errorRatio, healthLost: true },
    since: start,
    until: start + bakeMs,
    bakeMs,
    ...changes,
  };
}

/** Lets time pass in small steps, as it does, until the watch has ended or `forMs` are over. */
async function watch(
  scene: Scene,
  forMs: number,
  options: { readonly input?: BakeInput; readonly each?: (passedMs: number) => void } = {},
) {
  const stop = new AbortController();
  let result: Awaited<ReturnType<typeof bake>> | null = null;
  const done = bake(scene.world(), options.input ?? input(), stop.signal).then(
    (value) => {
      result = value;
    },
    () => {},
  );
  let passed = 0;
  for (; passed < forMs && result === null; passed += 50) {
    options.each?.(passed);
    await new Promise((resolve) => setImmediate(resolve));
    scene.clock.advance(50);
    await new Promise((resolve) => setImmediate(resolve));
  }
  stop.abort();
  await done;
  return { result: result as Awaited<ReturnType<typeof bake>> | null, passedMs: passed };
}

describe("the watch of a bake", () => {
  it("ends well when its time has passed and the instance was seen healthy", async () => {
    const { result, passedMs } = await watch(new Scene(), 20_000);
    expect(result).toMatchObject({ note: expect.stringContaining("web 1/1 healthy") });
    expect(passedMs).toBeGreaterThanOrEqual(bakeMs);
  });

  it("does not end early when the wall clock is set forward", async () => {
    const scene = new Scene();
    const { result, passedMs } = await watch(scene, 20_000, {
      each: (passed) => passed === 1_000 && scene.clock.jump(3_600_000),
    });
    expect(result).toMatchObject({ note: expect.any(String) });
    expect(passedMs).toBeGreaterThanOrEqual(bakeMs);
  });

  it("does not become longer when the wall clock is set back, before it began or while it goes on", async () => {
    const scene = new Scene();
    scene.clock.jump(-3_600_000);
    const { result, passedMs } = await watch(scene, 20_000, {
      each: (passed) => passed === 1_000 && scene.clock.jump(-3_600_000),
    });
    expect(result).toMatchObject({ note: expect.any(String) });
    expect(passedMs).toBeLessThan(bakeMs + 1_000);
  });

  it("that was interrupted and comes back after its time sees for itself before it ends well", async () => {
    const scene = new Scene();
    scene.healthy = false;
    const late = input({ until: start - 60_000 });
    const { result } = await watch(scene, 5_000, { input: late });
    expect(result).toMatchObject({ code: "HEALTH_LOST" });
  });

  it("does not end well while the edge gives no counts: unknown is not healthy", async () => {
    const scene = new Scene();
    scene.sampleAgeMs = null;
    const { result } = await watch(scene, 30_000);
    expect(result).toBeNull();
  });

  it("takes no exit for one of its own that was before the clock was set back, and one of now it does", async () => {
    const scene = new Scene();
    scene.clock.advance(60_000);
    scene.exit();
    scene.runAgain();
    scene.clock.jump(-60_000);
    const long = input({ since: start - 200_000 });
    expect((await watch(scene, 20_000, { input: long })).result).toMatchObject({ note: expect.any(String) });
    scene.clock.jump(-60_000);
    const ends = {
      input: input({ since: start - 200_000 }),
      each: (passed: number) => passed === 2_000 && scene.exit(),
    };
    expect((await watch(scene, 20_000, ends)).result).toMatchObject({ code: "HEALTH_LOST" });
  });

  it("fails at once when an instance exits by itself", async () => {
    const scene = new Scene();
    const { result, passedMs } = await watch(scene, 20_000, { each: (passed) => passed === 2_000 && scene.exit() });
    expect(result).toMatchObject({
      code: "HEALTH_LOST",
      message: expect.stringContaining("exited by itself"),
      instance: instanceId(candidate, 0),
    });
    expect(passedMs).toBeLessThan(3_000);
  });

  it("fails when probes fail as often in a row as the config says", async () => {
    const scene = new Scene();
    const { result } = await watch(scene, 20_000, {
      each: (passed) => {
        scene.healthy = passed < 2_000;
      },
    });
    expect(result).toMatchObject({ code: "HEALTH_LOST", message: expect.stringContaining("3 probes in a row") });
  });

  it("fails when the candidate answers errors", async () => {
    const scene = new Scene();
    scene.counts = { requests: 100, errors: 30 };
    const { result, passedMs } = await watch(scene, 20_000);
    expect(result).toMatchObject({ code: "ERROR_RATIO" });
    expect(passedMs).toBeLessThan(1_000);
  });

  it("compares with what stable answered of late, not with what it answered in all its life", async () => {
    const beside = () => ({
      ...input().services[0]!,
      stable: revisionId("rev_stable"),
      stableMark: { requests: 1_000_000, errors: 300_000 },
    });
    const scene = new Scene();
    scene.counts = { requests: 1_000, errors: 250 };
    // Bad once, and good ever since: the candidate is worse than what users had a moment ago.
    scene.stable = { requests: 1_010_000, errors: 300_000 };
    const worse = await watch(scene, 20_000, { input: input({ services: [beside()] }) });
    expect(worse.result).toMatchObject({ code: "ERROR_RATIO", message: expect.stringContaining("stable has 0.0 %") });
    // Good for long, and as bad as the candidate of late: what fails is behind both.
    const alike = new Scene();
    alike.counts = { requests: 1_000, errors: 250 };
    alike.stable = { requests: 1_010_000, errors: 2_600 };
    const mark = { requests: 1_000_000, errors: 100 };
    const { result } = await watch(alike, 20_000, { input: input({ services: [{ ...beside(), stableMark: mark }] }) });
    expect(result).toMatchObject({ note: expect.any(String) });
  });

  it("says what was too little to judge by, and takes the probes' word", async () => {
    const scene = new Scene();
    scene.counts = { requests: 3, errors: 0 };
    const { result } = await watch(scene, 20_000);
    expect(result).toMatchObject({ note: expect.stringContaining("3 of at least 20 requests were seen") });
  });

  it("without an end goes on until it is called off", async () => {
    const { result } = await watch(new Scene(), 60_000, { input: input({ until: null }) });
    expect(result).toBeNull();
  });
});
