import { expect, test } from "vitest";
import type { EngineHarness } from "../harness.ts";
import { type Act, attemptsIn, effectsOf, programKind } from "../program.ts";
import { eventually, setScene } from "../scene.ts";

const slow = (name: string): Act[] => [
  { do: "step", name: `${name}-begins` },
  { do: "sleep", name: "z", ms: 10 },
  { do: "step", name: `${name}-ends` },
];

export function lockContract(harness: EngineHarness): void {
  test("workflows with one lock key run one at a time in the order of starting; others do not wait for them", async () => {
    const { here, input, file } = await setScene(harness);
    const { engine } = await here();
    const ids = ["d", "b", "c", "a"];
    for (const id of ids) await engine.start(programKind, id, input(...slow(id)), { lockKey: "production" });
    await engine.start(programKind, "free", input({ do: "wait", topic: "go", timeoutMs: 1 }), { lockKey: "staging" });

    expect(await engine.ended("free")).toMatchObject({ status: "succeeded" });
    for (const id of ids) await engine.ended(id);
    const names = attemptsIn(file).map(({ name }) => name);
    expect(names).toEqual(ids.flatMap((id) => [`${id}-begins`, `${id}-ends`]));
  });

  test("the order of a lock key is kept over kill -9", async () => {
    const { child, input, attempts, file } = await setScene(harness);
    const before = await child();
    await before.engine.open();
    await before.engine.start(programKind, "c", input({ do: "step", name: "c" }, { do: "wait", topic: "go" }), {
      lockKey: "l",
    });
    for (const id of ["b", "a"]) {
      await before.engine.start(programKind, id, input({ do: "step", name: id }), { lockKey: "l" });
    }
    await eventually(() => attempts("c").length).toBe(1);
    await before.kill();

    const after = await child();
    await after.engine.open();
    await after.engine.start(programKind, "d", input({ do: "step", name: "d" }), { lockKey: "l" });
    expect(await after.engine.get("b")).toMatchObject({ status: "queued" });
    await after.engine.signal("c", "go", null, "k");
    await after.engine.ended("d");
    // The kill may have come before the first step was recorded.
    expect([...new Set(attemptsIn(file).map(({ name }) => name))]).toEqual(["c", "b", "a", "d"]);
    await after.stop();
  });

  test("a lock is passed on by every kind of end: failure, cancel of the owner, cancel while queued", async () => {
    const { here, input } = await setScene(harness);
    const { engine } = await here();
    const forever: Act = { do: "wait", topic: "never" };
    await engine.start(programKind, "fails", input({ do: "throw", message: "x" }), { lockKey: "l" });
    await engine.start(programKind, "cancelled", input(forever), { lockKey: "l" });
    await engine.start(programKind, "queued", input(forever), { lockKey: "l" });
    await engine.start(programKind, "last", input({ do: "step", name: "s" }), { lockKey: "l" });
    await eventually(async () => (await engine.get("cancelled"))?.status).toBe("running");
    await engine.cancel("queued", "not needed");
    await engine.cancel("cancelled", "not needed");

    expect(await engine.ended("last")).toMatchObject({ status: "succeeded" });
    const ends = await Promise.all(["fails", "cancelled", "queued"].map((id) => engine.ended(id)));
    expect(ends.map(({ status }) => status)).toEqual(["failed", "cancelled", "cancelled"]);
  });

  test.skipIf(harness.takesOver)(
    "a second process is refused while the owner lives, also when it is stopped, and is told who",
    async () => {
      const { place, child, here, input } = await setScene(harness);
      const owner = await child();
      await owner.engine.open();
      await owner.engine.start(programKind, "w", input({ do: "wait", topic: "go" }, { do: "tx", name: "t" }));
      const refusal = {
        code: "STORE_LOCKED",
        evidence: [["held by", expect.stringContaining(`process ${owner.process.pid} on `)]],
      };
      await expect(place.open()).rejects.toMatchObject(refusal);
      owner.process.kill("SIGSTOP");
      await expect(child()).rejects.toMatchObject(refusal);
      await expect(place.open()).rejects.toMatchObject(refusal);
      owner.process.kill("SIGCONT");
      await owner.engine.signal("w", "go", null, "k");
      await owner.engine.ended("w");
      await owner.stop();

      const { store } = await here();
      expect(await effectsOf(store.db, "w")).toEqual(["t"]);
    },
  );

  test.runIf(harness.takesOver)(
    "the work of a process that was stopped is taken over, and it does no harm when it goes on",
    async () => {
      const { child, here, input, attempts } = await setScene(harness);
      const zombie = await child();
      await zombie.engine.open();
      const acts: Act[] = Array.from({ length: 20 }, (_, at) => [
        { do: "tx", name: `t${at}` } as const,
        { do: "sleep", name: "z", ms: 20 } as const,
        { do: "step", name: `s${at}` } as const,
      ]).flat();
      await zombie.engine.start(programKind, "w", input(...acts));
      await eventually(() => attempts("w").length).toBeGreaterThan(5);
      zombie.process.kill("SIGSTOP");
      const { engine, store } = await here();
      await engine.ended("w");
      zombie.process.kill("SIGCONT");
      await zombie.stop();

      expect(await effectsOf(store.db, "w")).toEqual(Array.from({ length: 20 }, (_, at) => `t${at}`));
      expect(attempts("w").length).toBeLessThanOrEqual(21);
    },
  );
}
