import { expect, test } from "vitest";
import type { EngineHarness } from "../harness.ts";
import { type Act, effectsOf, programKind } from "../program.ts";
import { eventually, setScene } from "../scene.ts";

const hang: Act = { do: "step", name: "hang", does: "hang" };
const sleep: Act = { do: "sleep", name: "z", ms: 60_000 };
const wait: Act = { do: "wait", topic: "never" };
const after: Act = { do: "tx", name: "after" };

export function endContract(harness: EngineHarness): void {
  test("cancel ends what sleeps and what waits at once, and nothing more of it happens", async () => {
    const { here, input } = await setScene(harness);
    const { engine, store } = await here();
    await engine.start(programKind, "sleeps", input({ do: "try", act: sleep }, after));
    await engine.start(programKind, "waits", input({ do: "try", act: wait }, after));
    for (const id of ["sleeps", "waits"]) expect(await engine.cancel(id, "not needed")).toBe(true);

    expect(await engine.ended("sleeps")).toMatchObject({ status: "cancelled", output: null });
    expect(await engine.ended("waits")).toMatchObject({ status: "cancelled", output: null });
    expect(await effectsOf(store.db, "sleeps")).toEqual([]);
    expect(await effectsOf(store.db, "waits")).toEqual([]);
  });

  test("cancel aborts the step in flight with the reason, and ends the workflow when the step has ended", async () => {
    const { here, input, attempts } = await setScene(harness);
    const { engine, store } = await here();
    const acts = ["hang", "return-when-aborted"].map(
      (does) => ({ do: "step", name: does, does }) as Act & { do: "step" },
    );
    for (const act of acts) {
      const id = act.name;
      await engine.start(programKind, id, input({ do: "try", act }, after));
      await eventually(() => attempts(id).length).toBe(1);
      expect(await engine.cancel(id, "not needed")).toBe(true);

      expect(await engine.ended(id)).toMatchObject({ status: "cancelled" });
      expect(attempts(id).map(({ note }) => note)).toEqual(["", "aborted by WorkflowCancelled"]);
      expect(await effectsOf(store.db, id)).toEqual([]);
    }
  });

  test("cancel while queued ends at once; of what has ended or never was, it says so", async () => {
    const { here, input, attempts } = await setScene(harness);
    const { engine } = await here();
    await engine.start(programKind, "owner", input(wait), { lockKey: "l" });
    await engine.start(programKind, "queued", input({ do: "step", name: "s" }), { lockKey: "l" });
    const ended = engine.ended("queued");

    expect(await engine.cancel("queued", "not needed")).toBe(true);
    expect(await ended).toMatchObject({ status: "cancelled" });
    expect(await engine.cancel("queued", "again")).toBe(false);
    expect(await engine.cancel("nobody", "x")).toBe(false);
    expect(await engine.signal("queued", "go", null, "k")).toBe(false);
    expect(attempts("queued")).toEqual([]);
  });

  test("a cancel while everything is down is not forgotten", async () => {
    const { here, input } = await setScene(harness);
    const before = await here();
    await before.engine.start(programKind, "w", input(sleep, after));
    await before.close();
    const down = await here({ open: false });
    expect(await down.engine.cancel("w", "not needed")).toBe(true);
    await down.engine.open();

    expect(await down.engine.ended("w")).toMatchObject({ status: "cancelled" });
    expect(await effectsOf(down.store.db, "w")).toEqual([]);
  });

  test("cancel at every moment of a short workflow ends it as cancelled or as succeeded, never otherwise", async () => {
    const { here, input } = await setScene(harness);
    const { engine, store } = await here();
    const ids = Array.from({ length: 60 }, (_, at) => `w${at}`);
    const acts: Act[] = [{ do: "tx", name: "a" }, { do: "step", name: "b" }, after];
    for (const [hops, id] of ids.entries()) {
      await engine.start(programKind, id, input(...acts));
      for (let hop = 0; hop < hops * 3; hop++) await null;
      const accepted = await engine.cancel(id, "not needed");

      const { status } = await engine.ended(id);
      expect(status).toBe(accepted ? "cancelled" : "succeeded");
      const effects = await effectsOf(store.db, id);
      expect(["", "a", "a,after"]).toContain(effects.join());
      if (!accepted) expect(effects).toEqual(["a", "after"]);
    }
  });

  test("close aborts the step in flight, records nothing of it, and the next open repeats it with its key", async () => {
    const { here, input, attempts } = await setScene(harness);
    const before = await here();
    const acts: Act[] = [
      { do: "step", name: "done" },
      { do: "step", name: "watch", does: "return-when-aborted" },
    ];
    await before.engine.start(programKind, "w", input({ do: "try", act: acts[0] ?? after }, ...acts.slice(1), after));
    await eventually(() => attempts("w").length).toBe(2);
    const ended = before.engine.ended("w");
    ended.catch(() => {});
    await before.close();

    await expect(ended).rejects.toMatchObject({ code: "INTERRUPTED" });
    await expect(before.engine.start(programKind, "x", null)).rejects.toMatchObject({ code: "INTERRUPTED" });
    const again = await here();
    await eventually(() => attempts("w").length).toBe(4);
    expect(attempts("w").map(({ key, note }) => [key, note])).toEqual([
      ["w/0", ""],
      ["w/1", ""],
      ["w/1", "aborted by Error"],
      ["w/1", ""],
    ]);
    expect(await again.engine.get("w")).toMatchObject({ status: "running" });
    expect(await effectsOf(again.store.db, "w")).toEqual([]);
  });

  test("the code of a cancelled workflow does not go on: neither its catch nor its finally acts", async () => {
    const { here } = await setScene(harness);
    const acted: string[] = [];
    const { engine } = await here({
      kinds: {
        "stubborn.v1": async (ctx) => {
          await ctx.step("begin", async () => null);
          acted.push("begins to sleep");
          for (;;) {
            try {
              await ctx.sleep("z", 60_000);
            } catch {
              acted.push("catch");
            } finally {
              acted.push("finally");
            }
          }
        },
      },
    });
    await engine.start("stubborn.v1", "w", null);
    await eventually(() => acted.length).toBe(1);
    await engine.cancel("w", "not needed");

    expect(await engine.ended("w")).toMatchObject({ status: "cancelled" });
    expect(acted).toEqual(["begins to sleep"]);
  });

  test("waiting for an end stops with the reason of its signal", async () => {
    const { here, input } = await setScene(harness);
    const { engine } = await here();
    await engine.start(programKind, "w", input(hang));
    const patience = new AbortController();
    const ended = engine.ended("w", patience.signal);
    patience.abort(new Error("no patience"));

    await expect(ended).rejects.toThrow("no patience");
    expect(await engine.get("w")).toMatchObject({ status: "running" });
  });
}
