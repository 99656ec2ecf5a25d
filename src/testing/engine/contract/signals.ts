import { expect, test } from "vitest";
import type { Engine } from "../../../ports/engine.ts";
import type { EngineHarness } from "../harness.ts";
import { type Act, programKind } from "../program.ts";
import { eventually, setScene } from "../scene.ts";

const wait = (topic: string, timeoutMs?: number): Act => ({ do: "wait", topic, ...(timeoutMs ? { timeoutMs } : {}) });

export function signalContract(harness: EngineHarness): void {
  test("1,000 signals that race with the beginning of their waits all arrive, in order", async () => {
    const races = 1_000;
    const { here, input } = await setScene(harness);
    const sent: Promise<boolean>[] = [];
    let engine: Engine | undefined;
    const send = (seq: number): void => {
      if (engine !== undefined) sent.push(engine.signal("w", "go", seq, `k${seq}`));
    };
    // Before the look, while it is made, and after it: a different distance every time.
    const hops = (count: number, then: () => void): void => {
      if (count === 0) then();
      else queueMicrotask(() => hops(count - 1, then));
    };
    const running = await here({
      onBoundary: ({ seq, name, at }) => {
        if (name !== "go" || at !== "before-perform") return;
        if (seq % 4 === 0) setImmediate(() => send(seq));
        else hops(seq % 40, () => send(seq));
      },
    });
    engine = running.engine;
    await engine.start(programKind, "w", input(...Array.from({ length: races }, () => wait("go"))));

    const { output } = await engine.ended("w");
    expect(await Promise.all(sent)).toEqual(Array(races).fill(true));
    expect(output).toEqual(Array.from({ length: races }, (_, seq) => seq));
  });

  test("a signal counts that was sent while the workflow does something else, is queued, or is down", async () => {
    const { here, input } = await setScene(harness);
    const before = await here();
    await before.engine.start(programKind, "busy", input({ do: "sleep", name: "z", ms: 30 }, wait("go")));
    expect(await before.engine.signal("busy", "go", "early", "k")).toBe(true);
    expect((await before.engine.ended("busy")).output).toEqual(["z", "early"]);

    await before.engine.start(programKind, "holder", input(wait("go")), { lockKey: "l" });
    await before.engine.start(programKind, "queued", input(wait("go")), { lockKey: "l" });
    expect(await before.engine.get("queued")).toMatchObject({ status: "queued" });
    expect(await before.engine.signal("queued", "go", "queued", "k")).toBe(true);
    await before.close();

    const down = await here({ open: false });
    expect(await down.engine.signal("holder", "go", "down", "k")).toBe(true);
    await down.engine.open();
    expect((await down.engine.ended("holder")).output).toEqual(["down"]);
    expect((await down.engine.ended("queued")).output).toEqual(["queued"]);
  });

  test("a signal to nobody, before the start or after the end, says so", async () => {
    const { here, input } = await setScene(harness);
    const { engine } = await here();
    expect(await engine.signal("w", "go", 1, "k1")).toBe(false);
    await engine.start(programKind, "w", input(wait("go", 20)));

    expect((await engine.ended("w")).output).toEqual([null]);
    expect(await engine.signal("w", "go", 1, "k2")).toBe(false);
  });

  test("the same key is the same signal, also after it was used", async () => {
    const { here, input } = await setScene(harness);
    const { engine } = await here();
    await engine.start(programKind, "w", input(wait("go"), wait("go", 20), wait("stop")));
    await Promise.all([1, 2, 3].map((payload) => engine.signal("w", "go", payload, "same")));
    expect(await engine.signal("w", "go", 4, "same")).toBe(true);
    await engine.signal("w", "stop", null, "other");

    expect((await engine.ended("w")).output).toEqual([1, null, null]);
  });

  test("signals are taken oldest first, each topic by itself, each once by parallel waits", async () => {
    const { here, input } = await setScene(harness);
    const { engine } = await here();
    const acts = [wait("b"), wait("a"), wait("a")];
    await engine.start(
      programKind,
      "w",
      input({ do: "sleep", name: "z", ms: 20 }, { do: "together", acts }, wait("a")),
    );
    for (const [topic, payload] of [
      ["a", 1],
      ["b", 2],
      ["a", 3],
      ["a", 4],
    ] as const) {
      await engine.signal("w", topic, payload, `${topic}${payload}`);
    }

    expect((await engine.ended("w")).output).toEqual(["z", [2, 1, 3], 4]);
  });

  test("an approval waits over a kill -9, and is given once", async () => {
    const { child, input, attempts } = await setScene(harness);
    const before = await child();
    await before.engine.open();
    await before.engine.start(
      programKind,
      "w",
      input({ do: "step", name: "a" }, wait("approval"), { do: "step", name: "b" }),
    );
    await eventually(() => attempts("w").length).toBe(1);
    await before.kill();

    const after = await child();
    await after.engine.open();
    expect(await after.engine.get("w")).toMatchObject({ status: "running" });
    expect(await after.engine.signal("w", "approval", { by: "ada" }, "approval-1")).toBe(true);
    const { output } = await after.engine.ended("w");
    expect(output).toEqual([{ name: "a" }, { by: "ada" }, { name: "b" }]);
    // The kill may have come before the first step was recorded.
    expect([...new Set(attempts("w").map(({ name }) => name))]).toEqual(["a", "b"]);
    await after.stop();
  });
}
