import { type ReleaseId, revisionId } from "../../../core/ids.ts";
import { startDeployment } from "../../../engine/commands/start-deployment.ts";
import { api, digestsOf, environment, idOf, product, releaseRow, type Shape, specOf } from "../product.ts";
import { Random } from "../random.ts";
import type { Program } from "../service.ts";
import type { Noted, SimDatabase } from "../store.ts";
import { SimWorld } from "../world.ts";
import type { Second } from "./rules.ts";
import { levels, rateAt, type Scenario, scenarios } from "./scenarios.ts";

/** Which deployment to watch. */
export type Cell = { readonly scenario: number; readonly level: number; readonly mode: Mode };

/** How the candidate comes to its traffic: all of it at once, or a share at first. */
export type Mode = "at once" | "canary";

/** What came of one deployment under our own rules. */
export type Judged = {
  readonly caught: boolean;
  /** It was said that stable fails too, so that nobody can tell. */
  readonly doubted: boolean;
  /** Answers that failed, of those that the candidate gave to users. */
  readonly failed: number;
  /** From the switch to the decision. */
  readonly detectMs: number | null;
};

export type Sample = {
  readonly ours: Judged;
  /** The same release, with the same users, as long as nobody takes it back. */
  readonly unwatched: readonly Second[];
};

/** How long the release before has been live. */
const beforeMs = 120_000;
/** The bake, and as long as the other rules have. */
export const watchedMs = 600_000;

/** One deployment twice: judged by the engine, and left alone for the rules that are compared with it. */
export async function sample(cell: Cell, seed: number, database: SimDatabase): Promise<Sample> {
  const ours = await watch(cell, seed, database, true);
  const { seconds } = await watch(cell, seed, database, false);
  return { ours: ours.judged, unwatched: seconds };
}

async function watch(
  { scenario: scenarioNumber, level: levelNumber, mode }: Cell,
  seed: number,
  database: SimDatabase,
  isJudged: boolean,
): Promise<{ readonly judged: Judged; readonly seconds: readonly Second[] }> {
  const scenario = scenarios[scenarioNumber];
  const level = levels[levelNumber];
  if (scenario === undefined || level === undefined) throw new Error("there is no such cell");
  const random = new Random(seed, `cell ${scenarioNumber} ${levelNumber}`);
  const startsAtMs = random.between(0, 86_400_000);
  const phases = new Map<string, number>();
  let [ended, doubted] = [false, false];
  const nothing = (): void => {};
  const releases = [idOf(seed * 2 + (isJudged ? 1 : 0), 1), idOf(seed * 2 + (isJudged ? 1 : 0), 2)] as const;
  const world: SimWorld = new SimWorld(
    {
      seed,
      hosts: 2,
      tended: false,
      losing: false,
      requestCpuMs: null,
      ruled: false,
      rate: rateAt(level.rate, startsAtMs),
      programOf: ({ release }) => programOf(release === releases[1] ? scenario : null),
      witness: {
        history: ({ event, release_id, reason }: Noted) => {
          if (reason.includes("stable fails too")) doubted = true;
          if (release_id === releases[1] && !phases.has(event)) phases.set(event, world.timeline.nowMs);
          if (/\.(succeeded|rolled-back|failed|rollback-failed)$/.test(event)) ended = true;
        },
        table: nothing,
        lost: nothing,
        cut: nothing,
        instance: nothing,
        log: nothing,
        artifactRemoved: nothing,
      },
    },
    database,
  );
  const seconds: Second[] = [];
  let over = false;
  const play = async (): Promise<void> => {
    const { world: plane } = await world.boot();
    const deploy = async (number: number, shape: Shape): Promise<void> => {
      const id = releases[number - 1] ?? releases[0];
      add(world, id, number, shape);
      ended = false;
      await startDeployment(plane, { environment, release: id, kind: "deploy", actor: "ada", reason: "a sample" });
    };
    outageOf(world, scenario);
    await deploy(1, unwatched);
    await world.timeline.wait(beforeMs);
    await deploy(2, shapes[mode][isJudged ? "judged" : "unwatched"]);
    if (!isJudged) {
      const candidate = revisionId(`rev_${product}-${environment}-${api}-r2`);
      // A release that is refused before it takes traffic never gets any.
      let before = world.gateway.answeredOf(candidate);
      for (let second = 0; second < watchedMs / 1_000; second += 1) {
        await world.timeline.wait(1_000);
        const now = world.gateway.answeredOf(candidate);
        seconds.push({ requests: now.requests - before.requests, failed: now.failed - before.failed });
        before = now;
      }
      return;
    }
    // One that asks a person is not taken back.
    for (let second = 0; !ended && second <= watchedMs / 1_000; second += 1) await world.timeline.wait(1_000);
  };
  const playing = play().finally(() => {
    over = true;
  });
  playing.catch(nothing);
  const done = await world.timeline.run(() => over, beforeMs + watchedMs * 2);
  if (!done) throw new Error(`the sample of seed ${seed} did not end`);
  await playing;
  const { failed } = world.gateway.answeredOf(revisionId(`rev_${product}-${environment}-${api}-r2`));
  const live = phases.get("deployment.watching") ?? phases.get("deployment.draining");
  const back = phases.get("deployment.unshifting");
  const caught = phases.has("deployment.rolled-back") || phases.has("deployment.failed");
  const detectMs = caught && live !== undefined && back !== undefined ? back - live : null;
  world.close();
  return { judged: { caught, doubted, failed, detectMs }, seconds };
}

const unwatched: Shape = {
  strategy: "blue-green",
  steps: null,
  batch: "25%",
  bakeMs: 0,
  drainMs: 2_000,
  instances: 2,
  whenBusy: "queue",
  worker: false,
  job: false,
  lone: false,
  containers: false,
  losing: false,
  tended: false,
  scale: null,
  rules: { errorRatio: false, latency: false, healthLost: false },
  ruled: null,
};

/** Three steps of a minute, and five under all traffic. Left alone it stays at its first step, as one whose checks fail does. */
const canary: Shape = {
  ...unwatched,
  strategy: "canary",
  bakeMs: 300_000,
  steps: { steps: ["5%", "25%", "50%"], stepBake: "60s", stepMinimum: 20, stepLimit: "30m" },
  rules: undefined,
};

const shapes: Readonly<Record<Mode, { readonly judged: Shape; readonly unwatched: Shape }>> = {
  "at once": { judged: { ...unwatched, bakeMs: watchedMs, rules: undefined }, unwatched },
  canary: {
    judged: canary,
    unwatched: { ...canary, rules: unwatched.rules, steps: { steps: ["5%"], stepMinimum: 0, promotion: "manual" } },
  },
};

function programOf(scenario: Scenario | null): Program {
  return { readyMs: 100, stopMs: 20, baseErrors: 0.002, latencyMs: 20, ailment: scenario?.ailment ?? { is: "none" } };
}

function outageOf(world: SimWorld, { outage }: Scenario): void {
  if (outage === undefined) return;
  const set = (ratio: number): void => {
    world.gateway.flow();
    world.shared = ratio;
  };
  world.timeline.after(beforeMs + outage.fromMs, () => set(outage.ratio));
  world.timeline.after(beforeMs + outage.toMs, () => set(0));
}

function add(world: SimWorld, id: ReleaseId, number: number, shape: Shape): void {
  const spec = specOf(shape);
  world.database.insert("release", releaseRow({ id, number, spec, now: Math.round(world.timeline.wallMs) }));
  for (const digest of digestsOf(id, spec)) world.artifacts.add(digest);
}
