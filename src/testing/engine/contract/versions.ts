import { expect, test } from "vitest";
import type { Workflow } from "../../../ports/engine.ts";
import type { EngineHarness } from "../harness.ts";
import { eventually, setScene } from "../scene.ts";

/** The code that wrote the journal: a step, then a wait. */
const old: Workflow = async (ctx) => {
  await ctx.step("pack", async () => null);
  await ctx.waitFor("go");
  return "old";
};

export function versionContract(harness: EngineHarness): void {
  test("open refuses when unfinished work or a schedule has a kind without code, and names them", async () => {
    const { here } = await setScene(harness);
    const before = await here({ kinds: { "old.v1": old, "plan.v1": old } });
    await before.engine.start("old.v1", "w1", null);
    await before.engine.start("old.v1", "w2", null);
    await before.engine.schedule("nightly", "0 3 * * *", "plan.v1", null);
    await before.close();

    const after = await here({ open: false });
    await expect(after.engine.open()).rejects.toMatchObject({
      code: "WORKFLOW_UNKNOWN",
      message: "no code is registered for old.v1, plan.v1",
      evidence: [
        ["old.v1", "w1"],
        ["old.v1", "w2"],
        ["plan.v1", "schedule nightly"],
      ],
    });
    await after.close();

    const again = await here({ kinds: { "old.v1": old, "plan.v1": old } });
    await again.engine.signal("w1", "go", null, "k");
    expect(await again.engine.ended("w1")).toMatchObject({ output: "old" });
  });

  test("work that has ended needs no code", async () => {
    const { here } = await setScene(harness);
    const before = await here({ kinds: { "old.v1": async () => "done" } });
    await before.engine.start("old.v1", "w", null);
    await before.engine.ended("w");
    await before.close();

    const after = await here();
    expect(await after.engine.get("w")).toMatchObject({ status: "succeeded", output: "done" });
  });

  test("starting a kind without code is refused", async () => {
    const { here } = await setScene(harness);
    const { engine } = await here();
    await expect(engine.start("gone.v1", "w", null)).rejects.toMatchObject({ code: "WORKFLOW_UNKNOWN" });
    expect(await engine.get("w")).toBeNull();
  });

  // Each differs in one thing only, and its own `catch` must not get to act on the refusal.
  const changes: Record<string, Workflow> = {
    "another name": async (ctx) => {
      await ctx.step("build", async () => null).catch(() => {});
      return await ctx.waitFor("go");
    },
    "another kind": async (ctx) => {
      await ctx.tx("pack", async () => null).catch(() => {});
      return await ctx.waitFor("go");
    },
    "another order": async (ctx) => {
      await ctx.waitFor("go");
      return await ctx.step("pack", async () => null);
    },
    "an earlier end": async () => "new",
    "an earlier failure": async () => {
      throw new Error("new");
    },
  };
  for (const [change, changed] of Object.entries(changes)) {
    test(`code that changed under work in flight fails it loudly: ${change}`, async () => {
      const { here } = await setScene(harness);
      let waits = false;
      const before = await here({
        kinds: { "old.v1": old },
        onBoundary: ({ name }) => {
          waits ||= name === "go";
        },
      });
      await before.engine.start("old.v1", "w", null);
      await eventually(() => waits).toBe(true);
      await before.close();
      const performed: string[] = [];
      const after = await here({
        kinds: { "old.v1": changed },
        open: false,
        onBoundary: ({ name }) => void performed.push(name),
      });
      await after.engine.signal("w", "go", null, "k");
      await after.engine.open();

      expect(await after.engine.ended("w")).toMatchObject({
        status: "failed",
        error: "WORKFLOW_DIVERGED the code of old.v1 does not match what w has done",
      });
      expect(performed.filter((name) => name !== "end")).toEqual([]);
    });
  }
}
