import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, expect, it, onTestFinished } from "vitest";
import { environmentName, serviceName } from "../../core/ids.ts";
import { type Metric, metricOf } from "../../core/metric/catalogue.ts";
import { latencyBoundsMs } from "../../core/metric/latency.ts";
import { trafficTally } from "../../core/metric/traffic.ts";
import { openSqliteStore } from "../../drivers/stores/sqlite/index.ts";
import type { Store } from "../../ports/store.ts";
import { ManualClock } from "../../testing/engine/manual-clock.ts";
import { Metrics } from "./metrics.ts";
import { Past } from "./past.ts";
import { uptimeReadings } from "./view.ts";

const labels = { environment: environmentName("production"), service: serviceName("web") };
const uptime = metricOf("uptime") as Metric;
const errorRatio = metricOf("error ratio") as Metric;
const hour = 3_600_000;
const begin = 1_760_000_400_000 - (1_760_000_400_000 % hour);
const silent = { info: () => {}, warn: () => {}, error: () => {} };

let store: Store;
beforeEach(async () => {
  const directory = await mkdtemp(join(tmpdir(), "slipway-past-"));
  store = await openSqliteStore({ directory });
  onTestFinished(async () => {
    await store.close();
    await rm(directory, { recursive: true, force: true });
  });
});

const traffic = (requests: number, errors: number) =>
  trafficTally({
    requests,
    byClass: [0, requests - errors, 0, 0, errors],
    connectErrors: 0,
    upstreamErrors: 0,
    clientAborts: 0,
    latency: latencyBoundsMs.map(() => 0).concat(requests),
  });

/** A control plane's worth of it, on a clock of its own. Half a minute passes between two flushes. */
function plane(clock: ManualClock) {
  const metrics = new Metrics({ clock });
  const past = new Past({ store, metrics, log: silent });
  let requests = 0;
  const live = async (seconds: number, isUp: (second: number) => boolean | null): Promise<void> => {
    for (let second = 0; second < seconds; second += 1) {
      clock.advance(1_000);
      const up = isUp(second);
      requests += 10;
      if (up !== null) metrics.record([{ metric: "uptime", labels, value: up ? 1 : 0, holdMs: 2_500 }]);
      metrics.record([{ metric: "traffic", labels, value: traffic(requests, requests / 10), holdMs: 2_500 }]);
      if (second % 30 === 29) await past.flush();
    }
  };
  return { metrics, past, live };
}

it("the past survives a restart, in ever coarser slots, and what nobody saw stays unknown", async () => {
  const clock = new ManualClock(begin);
  const first = plane(clock);
  await first.past.flush();
  await first.live(2_400, (second) => second < 1_200);
  // Nobody looks for twenty minutes; then another control plane does, which has no memory of it.
  clock.advance(1_200_000);
  const second = plane(clock);
  await second.past.flush();
  await second.live(3_600, () => true);
  const { past } = second;
  const whole = await past.measure({ metric: uptime, labels, windowMs: 24 * hour });
  expect(whole).toMatchObject({ is: "known" });
  if (whole.is !== "known") return;
  // 4,800 of 6,000 known seconds, of the 86,400 of a day; the first second of each life is not covered by a sample.
  expect(whole.value).toBeCloseTo(4_800 / 6_000, 2);
  expect(whole.covered * 86_400).toBeGreaterThan(5_980);
  expect(whole.covered * 86_400).toBeLessThan(6_010);
  const ratio = await past.measure({ metric: errorRatio, labels, windowMs: 24 * hour });
  expect(ratio).toMatchObject({ is: "known", value: expect.closeTo(0.1, 3) });
  if (ratio.is === "known") expect(ratio.count).toBeGreaterThan(59_000);
  // The hours: 40 minutes known of the first, half of them up; the second whole and up.
  const steps = await past.steps({ metric: uptime, labels, windowMs: 48 * hour }, hour, begin);
  expect(steps.map((step) => (step === null ? null : Math.round((step.integral / step.coveredMs) * 100)))).toEqual([
    50, 100,
  ]);
  const slots = await store.db
    .selectFrom("metric_chunk")
    .select(["slot_ms", ({ fn }) => fn.countAll<number>().as("rows")])
    .groupBy("slot_ms")
    .orderBy("slot_ms")
    .execute();
  // Ten minutes by the second, all of it by ten seconds and by the minute, and the two hours: of two series.
  expect(slots.map(({ slot_ms }) => slot_ms)).toEqual([1_000, 10_000, 60_000, 3_600_000]);
  expect(slots[0]?.rows).toBeLessThanOrEqual(2 * 67);
  expect(slots[3]?.rows).toBe(4);
});

it("a clock that is set back or far ahead loses some of the past, and never the program", async () => {
  const clock = new ManualClock(begin);
  const { past, live } = plane(clock);
  await past.flush();
  await live(60, () => true);
  clock.jump(-30_000);
  await live(60, () => true);
  clock.jump(400 * 24 * hour);
  await live(60, () => true);
  expect(await past.measure({ metric: uptime, labels, windowMs: 60_000 })).toMatchObject({ is: "known", value: 1 });
  expect(await store.check()).toMatchObject({ ok: true });
});

it("more series than can be kept are not, and that is said once", async () => {
  const clock = new ManualClock(begin);
  const warned: string[] = [];
  const metrics = new Metrics({ clock });
  const past = new Past({ store, metrics, log: { ...silent, warn: (event) => warned.push(event) } });
  await past.flush();
  for (let time = 0; time < 2; time += 1) {
    clock.advance(10_000);
    metrics.record(
      Array.from({ length: 1_100 }, (_, index) => ({
        metric: "cpu",
        labels: { ...labels, host: `h${index}` },
        value: 1,
        holdMs: 2_500,
      })),
    );
    clock.advance(10_000);
    await past.flush();
  }
  const count = async (): Promise<number | undefined> =>
    (
      await store.db
        .selectFrom("metric_series")
        .select(({ fn }) => fn.countAll<number>().as("all"))
        .executeTakeFirst()
    )?.all;
  expect(await count()).toBe(1_000);
  expect(warned).toEqual(["metrics.too-many"]);
  // Nobody measures those any more: the oldest make room for what is measured now.
  clock.advance(3 * hour);
  metrics.record([{ metric: "uptime", labels, value: 1, holdMs: 2_500 }]);
  clock.advance(10_000);
  metrics.record([{ metric: "uptime", labels, value: 1, holdMs: 2_500 }]);
  clock.advance(10_000);
  await past.flush();
  expect(await past.labels("uptime", {})).toEqual([labels]);
  expect(await count()).toBeLessThanOrEqual(901);
});

it("uptime is known for 30 days by the hour, and what is older than 32 days is forgotten", async () => {
  const clock = new ManualClock(begin);
  const metrics = new Metrics({ clock });
  const past = new Past({ store, metrics, log: silent });
  metrics.past = past;
  await past.flush();
  const live = async (hours: number, value: 0 | 1): Promise<void> => {
    for (let passed = 0; passed < hours * 6; passed += 1) {
      clock.advance(hour / 6);
      metrics.record([{ metric: "uptime", labels, value, holdMs: (hour / 6) * 2.5 }]);
      if (passed % 6 === 5) await past.flush();
    }
  };
  const oldest = async (): Promise<number> =>
    Number(
      (
        await store.db
          .selectFrom("metric_chunk")
          .select(({ fn }) => fn.min("start_at").as("start"))
          .where("slot_ms", "=", hour)
          .executeTakeFirst()
      )?.start ?? 0,
    );
  await live(12, 0);
  await live(24, 1);
  clock.advance(26 * 24 * hour);
  await live(24, 1);
  const [month] = await uptimeReadings(metrics, {}, 30);
  expect(month).toMatchObject({ environment: "production", service: "web" });
  expect(month?.up).toBeCloseTo(48 / 60, 1);
  expect((month?.known ?? 0) * 30 * 24).toBeGreaterThan(58);
  expect(month?.days).toHaveLength(30);
  const asked = await past.measure({ metric: uptime, labels, windowMs: 30 * 24 * hour });
  expect(asked).toMatchObject({ is: "known", value: expect.closeTo(48 / 60, 1) });
  expect(await oldest()).toBe(begin);
  // After days in which nobody looked, the first hours are beyond what is kept.
  clock.advance(4 * 24 * hour);
  await live(2, 1);
  const now = clock.now();
  expect(await oldest()).toBeGreaterThanOrEqual(now - 32 * 24 * hour - 2 * hour);
  expect(await oldest()).toBeLessThan(now - 31 * 24 * hour + 12 * hour);
  const [later] = await uptimeReadings(metrics, {}, 30);
  expect(later?.up).toBe(1);
});
