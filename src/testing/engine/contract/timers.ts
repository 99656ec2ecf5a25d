import { expect, test } from "vitest";
import type { Workflow } from "../../../ports/engine.ts";
import type { EngineHarness } from "../harness.ts";
import { programKind } from "../program.ts";
import { eventually, setScene } from "../scene.ts";

const everySecond = "* * * * * *";

export function timerContract(harness: EngineHarness): void {
  test("a sleep goes on at its time, and not before", async () => {
    const { here, input } = await setScene(harness);
    const { engine } = await here();
    const begun = Date.now();
    await engine.start(programKind, "w", input({ do: "sleep", name: "z", ms: 80 }));

    await engine.ended("w");
    expect(Date.now() - begun).toBeGreaterThanOrEqual(80);
  });

  test("a timer that came due while everything was down fires once, at the start", async () => {
    const { here, child, input, attempts } = await setScene(harness);
    const before = await child();
    await before.engine.open();
    const begun = Date.now();
    const acts = [
      { do: "step", name: "a" },
      { do: "sleep", name: "z", ms: 2_000 },
      { do: "step", name: "b" },
    ] as const;
    await before.engine.start(programKind, "w", input(...acts));
    await eventually(() => attempts("w").length).toBe(1);
    await before.engine.start(programKind, "probe", input({ do: "step", name: "p" }));
    await before.engine.ended("probe");
    await before.kill();
    await passed(begun + 2_300);

    const opened = Date.now();
    const after = await here();
    await after.engine.ended("w");
    // Begun anew it would last longer than that.
    expect(Date.now() - opened).toBeLessThan(2_000);
    expect(attempts("w").map(({ name }) => name)).toEqual(["a", "b"]);
  });

  test("a wait ends with null at its time, also when that came while everything was down", async () => {
    const { here, input } = await setScene(harness);
    let waits = 0;
    const before = await here({
      onBoundary: ({ name, at }) => void (name === "go" && at === "before-perform" && waits++),
    });
    await before.engine.start(programKind, "w", input({ do: "wait", topic: "go", timeoutMs: 60 }));
    await before.engine.start(programKind, "long", input({ do: "wait", topic: "go", timeoutMs: 300 }));
    await eventually(() => waits).toBe(2);
    const begun = Date.now();
    expect((await before.engine.ended("w")).output).toEqual([null]);
    await before.close();
    await passed(begun + 400);

    const after = await here();
    expect((await after.engine.ended("long")).output).toEqual([null]);
  });

  test("a schedule starts once at every time, and stops when it is removed", async () => {
    const { here } = await setScene(harness);
    const ticks: string[] = [];
    const { engine } = await here({ kinds: { "tick.v1": ticker(ticks) } });
    await engine.schedule("tick", everySecond, "tick.v1", { n: 1 });
    await engine.schedule("tick", everySecond, "tick.v1", { n: 2 });
    await eventually(() => ticks.length).toBe(2);
    await engine.schedule("tick", null, "tick.v1", null);
    const count = ticks.length;
    await passed(Date.now() + 1_200);

    expect(ticks).toHaveLength(count);
    expect(new Set(ticks).size).toBe(count);
  });

  test("all times missed while down are one start, and declaring the schedule again does not lose them", async () => {
    const { here } = await setScene(harness);
    const ticks: string[] = [];
    const kinds = { "tick.v1": ticker(ticks) };
    const before = await here({ kinds, open: false });
    await before.engine.schedule("tick", everySecond, "tick.v1", { n: 2 });
    await before.close();
    await passed(Date.now() + 3_100);

    const after = await here({ kinds, open: false });
    await after.engine.schedule("tick", everySecond, "tick.v1", { n: 2 });
    // Just after a second has begun, so that the next regular time is far away.
    await passed(Math.ceil(Date.now() / 1_000) * 1_000 + 50);
    await after.engine.open();
    await expect.poll(() => ticks.length, { timeout: 700, interval: 5 }).toBe(1);
    await passed(Math.ceil(Date.now() / 1_000) * 1_000 - 200);
    expect(ticks).toHaveLength(1);
    await eventually(() => ticks.length).toBe(2);
  });

  test("what is not a schedule is refused with words", async () => {
    const { here } = await setScene(harness);
    const { engine } = await here();
    const refused = { code: "CONFIG_INVALID" };
    await expect(engine.schedule("x", "61 * * * *", programKind, null)).rejects.toMatchObject(refused);
    await expect(engine.schedule("x", "0 0 * * *", programKind, null, "Nowhere/City")).rejects.toMatchObject(refused);
    await expect(engine.schedule("x", "0 0 * * *", "gone.v1", null)).rejects.toMatchObject({
      code: "WORKFLOW_UNKNOWN",
    });
  });
}

const ticker =
  (ticks: string[]): Workflow =>
  async (ctx, input) => {
    await ctx.step("tick", async () => {
      ticks.push(ctx.workflowId);
      expect(input).toEqual({ n: 2 });
      return null;
    });
    return null;
  };

/** The wall clock is what these tests are about. */
async function passed(time: number): Promise<void> {
  while (Date.now() < time) await new Promise((resolve) => setTimeout(resolve, time - Date.now()));
}
