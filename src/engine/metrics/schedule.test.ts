import { expect, it } from "vitest";
import { systemClock } from "../../lib/system-clock.ts";
import type { Gauge } from "../../ports/gauge.ts";
import { ManualClock } from "../../testing/engine/manual-clock.ts";
import { type Reading, Schedule, type Task } from "./schedule.ts";

type Told = { readonly key: string; readonly reading: Reading };

function scene(clock = new ManualClock(0)) {
  const told: Told[] = [];
  let wake: () => void = () => {};
  const schedule = new Schedule({
    clock,
    random: () => 0.5,
    onReading: (key, reading) => {
      told.push({ key, reading });
      wake();
    },
  });
  schedule.open();
  const until = async (count: number): Promise<void> => {
    while (told.length < count)
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
  };
  return { clock, told, schedule, until };
}

const passing: Gauge = { read: async () => ({ is: "pass", saw: "ok" }) };
const task = (key: string, gauge: Gauge, more: Partial<Task> = {}): Task => ({
  key,
  gauge,
  everyMs: 10_000,
  timeoutMs: 5_000,
  whenLost: "fail",
  ...more,
});

it("reads each at its own times, and one that hangs holds up no other and is not begun twice", async () => {
  const { clock, told, schedule, until } = scene();
  let begun = 0;
  const hanging: Gauge = {
    read: () => {
      begun += 1;
      return new Promise(() => {});
    },
  };
  schedule.set([task("hanging", hanging), task("passing", passing)]);
  for (let time = 1; time <= 5; time += 1) {
    await clock.sleepers(1);
    clock.advance(time === 1 ? 5_000 : 10_000);
    await until(time);
  }
  expect(told.map(({ key }) => key)).toEqual(Array.from({ length: 5 }, () => "passing"));
  expect(begun).toBe(1);
  await schedule.close();
});

it("tells a failure with its reason, and as unknown where only the way to it failed", async () => {
  const { clock, told, schedule, until } = scene();
  const lost: Gauge = { read: async () => Promise.reject(new Error("connection refused")) };
  schedule.set([task("probe", lost), task("metric", lost, { whenLost: "unknown" })]);
  await clock.sleepers(1);
  clock.advance(5_000);
  await until(2);
  expect(told.map(({ key, reading }) => [key, reading.is, reading.saw])).toEqual([
    ["probe", "fail", "connection refused"],
    ["metric", "unknown", "connection refused"],
  ]);
  await schedule.close();
});

it("gives up on what takes too long, also when it does not heed its signal, and goes on with it at its next time", async () => {
  const told: Reading[] = [];
  let wake: () => void = () => {};
  const schedule = new Schedule({
    clock: systemClock,
    random: () => 0,
    onReading: (_, reading) => {
      told.push(reading);
      wake();
    },
  });
  schedule.open();
  schedule.set([task("deaf", { read: () => new Promise(() => {}) }, { everyMs: 60, timeoutMs: 20 })]);
  while (told.length < 3)
    await new Promise<void>((resolve) => {
      wake = resolve;
    });
  expect(told.map(({ is, saw }) => [is, saw])).toEqual(
    Array.from({ length: 3 }, () => ["fail", "no answer within 20 ms"]),
  );
  await schedule.close();
});

it("tells nothing any more of what is taken away, and goes on undisturbed with what stays", async () => {
  const { clock, told, schedule, until } = scene();
  let aborted = false;
  const slow: Gauge = {
    read: (signal) =>
      new Promise((_, reject) => {
        signal.addEventListener("abort", () => {
          aborted = true;
          reject(signal.reason);
        });
      }),
  };
  schedule.set([task("slow", slow), task("passing", passing)]);
  await clock.sleepers(1);
  clock.advance(5_000);
  await until(1);
  schedule.set([task("passing", passing)]);
  expect(aborted).toBe(true);
  await clock.sleepers(1);
  clock.advance(10_000);
  await until(2);
  expect(told.map(({ key }) => key)).toEqual(["passing", "passing"]);
  await schedule.close();
});
