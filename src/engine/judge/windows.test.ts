import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, expect, it, onTestFinished } from "vitest";
import { environmentName, releaseId, revisionId, serviceName } from "../../core/ids.ts";
import { evaluate, queriesOf, quietRule } from "../../core/judge/rule/evaluate.ts";
import { rulesOf } from "../../core/judge/rule/of-spec.ts";
import type { Rule } from "../../core/judge/rule/rule.ts";
import { latencyBoundsMs } from "../../core/metric/latency.ts";
import { trafficTally } from "../../core/metric/traffic.ts";
import { openSqliteStore } from "../../drivers/stores/sqlite/index.ts";
import type { Store } from "../../ports/store.ts";
import { ManualClock } from "../../testing/engine/manual-clock.ts";
import { Metrics } from "../metrics/metrics.ts";
import { Past } from "../metrics/past.ts";
import { lookAtWindows, plotted } from "./windows.ts";

const environment = environmentName("production");
const service = serviceName("web");
const minute = 60_000;
const hour = 60 * minute;
const begin = 1_760_000_400_000 - (1_760_000_400_000 % hour);
const silent = { info: () => {}, warn: () => {}, error: () => {} };

let store: Store;
beforeEach(async () => {
  const directory = await mkdtemp(join(tmpdir(), "slipway-windows-"));
  store = await openSqliteStore({ directory });
  onTestFinished(async () => {
    await store.close();
    await rm(directory, { recursive: true, force: true });
  });
});

function ruleOf(when: string): Rule {
  const spec = { when, minimum: 1, looks: 1, whenUnknown: "wait", dryRun: false } as const;
  const [rule] = rulesOf({ rules: { it: spec }, metrics: [] }).rules;
  if (rule === undefined) throw new Error(`not understood: ${when}`);
  return rule;
}

/** The life of a control plane that begins now: what it measures, what is written down of it, and how rules look at it. */
async function plane(clock: ManualClock) {
  const metrics = new Metrics({ clock });
  const past = new Past({ store, metrics, log: silent });
  metrics.past = past;
  await past.flush();
  let requests = 0;
  let errors = 0;
  return {
    metrics,
    /** Users ask a release ten thousand times an interval, and that share of it fails. */
    async live(
      forMs: number,
      options: { readonly everyMs: number; readonly failing: number; readonly release?: number },
    ) {
      const { everyMs, failing, release = 1 } = options;
      const labels = {
        environment,
        service,
        release: releaseId(`rel_${release}`),
        revision: revisionId(`rev_${release}`),
      };
      for (let passed = 0; passed < forMs; passed += everyMs) {
        clock.advance(everyMs);
        requests += 10_000;
        errors += 10_000 * failing;
        const value = trafficTally({
          requests,
          byClass: [0, requests - errors, 0, 0, errors],
          connectErrors: 0,
          upstreamErrors: 0,
          clientAborts: 0,
          latency: latencyBoundsMs.map(() => 0).concat(requests),
        });
        metrics.record([
          { metric: "traffic", labels, value, holdMs: everyMs * 2.5 },
          { metric: "uptime", labels: { environment, service }, value: failing > 0.5 ? 0 : 1, holdMs: everyMs * 2.5 },
        ]);
        await past.flush();
      }
    },
    async look(rule: Rule) {
      const place = { environment, release: releaseId("rel_1") };
      const now = metrics.time.now();
      const windows = await lookAtWindows(metrics, queriesOf(rule, place), { before: [], now });
      const measured = windows.map((each) => each.measured);
      const look = evaluate(rule, measured, quietRule, now);
      return { ...look, evidence: Object.fromEntries(await plotted(metrics, rule, place, measured)) };
    },
  };
}

const fast = ruleOf("error budget 99.9% of web burns -> page");
const slow = ruleOf("error budget 99.9% of web burns slowly -> notify team");

it("a budget that burns for hours fires by what is in the store, also just after a restart, and ends when the burning has", async () => {
  const clock = new ManualClock(begin);
  const first = await plane(clock);
  expect(await first.look(fast)).toMatchObject({ is: "unknown" });
  // Seven times as fast as it lasts: too slow for the hour, fast enough for the six.
  await first.live(2.5 * hour, { everyMs: 10_000, failing: 0.007 });
  expect(await first.look(fast)).toMatchObject({ is: "ok" });
  await first.live(hour, { everyMs: 10_000, failing: 0.007 });
  expect(await first.look(fast)).toMatchObject({
    is: "firing",
    reason: "the error budget burns 7.0 times as fast as it lasts over 6h, and 7.0 times over 30m (limit 6)",
    evidence: {
      budget: "0.1 % of the requests may fail",
      plot: expect.stringMatching(/^·{12}[▅▆▇█]{18} {2}highest 0\.7 % in 6h, limit 0\.6 %$/),
    },
  });
  clock.advance(20_000);
  const second = await plane(clock);
  expect(await second.look(fast)).toMatchObject({ is: "firing", reason: expect.stringContaining("over 6h, and 7.0") });
  await second.live(10 * minute, { everyMs: 10_000, failing: 0 });
  expect(await second.look(fast)).toMatchObject({
    is: "ok",
    reason: expect.stringMatching(/^the error budget burns 5\.8 times as fast as it lasts over 1h$/),
  });
});

it("the hour is known just after a restart, and a burst in it fires at once", async () => {
  const clock = new ManualClock(begin);
  const first = await plane(clock);
  await first.live(40 * minute, { everyMs: 10_000, failing: 0 });
  await first.live(6 * minute, { everyMs: 10_000, failing: 0.2 });
  const second = await plane(clock);
  expect(await second.look(fast)).toMatchObject({
    is: "firing",
    reason: expect.stringContaining("over 1h, and 200.0"),
  });
});

it("a budget that is used up within days fires slowly, over several releases, and not before they were looked at for long enough", async () => {
  const clock = new ManualClock(begin);
  const one = await plane(clock);
  for (let release = 1; release <= 3; release += 1)
    await one.live(10 * hour, { everyMs: minute, failing: 0.002, release });
  expect(await one.look(slow)).toMatchObject({ is: "unknown", reason: "only 41 % of the last 3d was looked at" });
  for (let release = 4; release <= 5; release += 1)
    await one.live(10 * hour, { everyMs: minute, failing: 0.002, release });
  expect(await one.look(slow)).toMatchObject({
    is: "firing",
    reason: "the error budget burns 2.0 times as fast as it lasts over 3d, and 2.0 times over 6h (limit 1)",
    evidence: { plot: expect.stringMatching(/^·{9}[▅▆▇█]{21} {2}highest 0\.2 % in 3d, limit 0\.1 %$/) },
  });
  expect(await one.look(fast)).toMatchObject({ is: "ok" });
});

it("a threshold over a day is held against the day, also after a restart", async () => {
  const clock = new ManualClock(begin);
  const first = await plane(clock);
  const day = ruleOf("uptime of web < 99% over 1d -> restart");
  await first.live(hour, { everyMs: minute, failing: 1 });
  expect(await first.look(day)).toMatchObject({ is: "unknown" });
  await first.live(12 * hour, { everyMs: minute, failing: 0 });
  const second = await plane(clock);
  await second.live(minute, { everyMs: minute, failing: 0 });
  expect(await second.look(day)).toMatchObject({ is: "firing", reason: expect.stringContaining("uptime is 92.") });
});

it("long windows are asked rarely, short ones at every look", async () => {
  const clock = new ManualClock(begin);
  const { metrics } = await plane(clock);
  const asked: number[] = [];
  const meter = {
    measureLong: (query: Parameters<Metrics["measureLong"]>[0]) => {
      asked.push(query.windowMs);
      return metrics.measureLong(query);
    },
  };
  const place = { environment, release: null };
  const queries = [...queriesOf(fast, place), ...queriesOf(slow, place)];
  let before: Awaited<ReturnType<typeof lookAtWindows>> = [];
  for (let second = 0; second < 600; second += 1) {
    clock.advance(1_000);
    before = await lookAtWindows(meter, queries, { before, now: metrics.time.now() });
  }
  const times = (windowMs: number): number => asked.filter((each) => each === windowMs).length;
  expect([5 * minute, 30 * minute, hour, 72 * hour].map(times)).toEqual([600, 120, 60, 2]);
  // Of both paces, each by itself.
  expect(times(6 * hour)).toBe(20);
});
