import { expect, test } from "vitest";
import type { EngineHarness } from "../harness.ts";
import { type Act, effectsOf, programKind } from "../program.ts";
import { setScene } from "../scene.ts";

/** Every verb, alone and in parallel, and a failure that is caught. */
const everything: Act[] = [
  { do: "step", name: "build" },
  { do: "tx", name: "record" },
  {
    do: "together",
    acts: [
      { do: "step", name: "left" },
      { do: "tx", name: "right" },
    ],
  },
  { do: "sleep", name: "pause", ms: 2 },
  { do: "wait", topic: "approval" },
  { do: "receive", topic: "answer" },
  { do: "try", act: { do: "step", name: "shaky", failures: 1, attempts: 2 } },
  { do: "act", name: "switch", failures: 1, attempts: 2 },
  { do: "tx", name: "finish" },
];

/** More than there are boundaries, retries of them included; the loop ends when nothing is left to be killed at. */
const maxPoints = 60;

export function crashContract(harness: EngineHarness): void {
  test("kill -9 at every boundary: transactions once, only what was in flight again with its key, the same end", async () => {
    const { child, here, input, attempts } = await setScene(harness);
    let point = 1;
    for (; point <= maxPoints; point++) {
      const id = `w${point}`;
      const victim = await child({ killAt: point });
      await victim.engine.open();
      const calls = [
        victim.engine.start(programKind, id, input(...everything)),
        victim.engine.signal(id, "approval", "yes", "k"),
        victim.engine.signal(id, "answer", 42, "l"),
        victim.engine.ended(id),
      ];
      const ended = (await Promise.allSettled(calls)).at(-1);
      if (ended?.status === "fulfilled") {
        await victim.stop();
        break;
      }
      expect(await victim.gone).toBe("SIGKILL");

      const { engine, store, close } = await here();
      await engine.start(programKind, id, input(...everything));
      await engine.signal(id, "approval", "yes", "k");
      await engine.signal(id, "answer", 42, "l");
      const { status, output } = await engine.ended(id);
      expect({ status, output }).toEqual({
        status: "succeeded",
        output: [
          { name: "build" },
          `${id} record`,
          [{ name: "left" }, `${id} right`],
          "pause",
          "yes",
          { payload: 42, row: `${id} answer 42` },
          { name: "shaky" },
          `${id} switch`,
          `${id} finish`,
        ],
      });
      expect((await effectsOf(store.db, id)).toSorted()).toEqual(["answer 42", "finish", "record", "right", "switch"]);
      const made = attempts(id).map(({ key, name }) => `${name} ${key}`);
      // Without a crash: six attempts, two each of what fails once. A crash adds at most the one in flight.
      expect(made.length, made.join()).toBeLessThanOrEqual(7);
      expect(new Set(made)).toEqual(new Set([`build ${id}/0`, `left ${id}/2`, `shaky ${id}/7`, `switch ${id}/8`]));
      expect(await store.check()).toEqual({ ok: true, findings: [] });
      await close();
    }
    expect(point).toBeGreaterThan(20);
    expect(point).toBeLessThan(maxPoints);
  });

  test("kill -9 around an act that is the end: its row once, the next with its lock after it, and nothing of it again", async () => {
    const { child, here, input, attempts } = await setScene(harness);
    const last: Act[] = [
      { do: "receive", topic: "go" },
      { do: "finish", name: "switch", failures: 1 },
    ];
    let point = 1;
    for (; point <= maxPoints; point++) {
      const [id, next] = [`w${point}`, `n${point}`];
      const victim = await child({ killAt: point });
      await victim.engine.open();
      const calls = [
        victim.engine.start(programKind, id, input(...last), { lockKey: "l" }),
        victim.engine.start(programKind, next, input({ do: "finish", name: "after" }), { lockKey: "l" }),
        victim.engine.signal(id, "go", "now", "k"),
        victim.engine.ended(next),
      ];
      const ended = (await Promise.allSettled(calls)).at(-1);
      if (ended?.status === "fulfilled") {
        await victim.stop();
        break;
      }
      const { engine, store, close } = await here();
      await engine.start(programKind, id, input(...last), { lockKey: "l" });
      await engine.start(programKind, next, input({ do: "finish", name: "after" }), { lockKey: "l" });
      await engine.signal(id, "go", "now", "k");
      expect(await engine.ended(id)).toMatchObject({ status: "succeeded", output: `${id} switch` });
      expect(await engine.ended(next)).toMatchObject({ status: "succeeded", output: `${next} after` });
      expect(await effectsOf(store.db, id)).toEqual([`go "now"`, "switch"]);
      expect(attempts(id).length, String(point)).toBeLessThanOrEqual(3);
      expect(await store.check()).toEqual({ ok: true, findings: [] });
      await close();
    }
    expect(point).toBeGreaterThan(10);
    expect(point).toBeLessThan(maxPoints);
  });

  test("a storm of kill -9 at any moment: every transaction once, every step, no gap in the journal, a sound store", async () => {
    const { child, here, input, attempts } = await setScene(harness);
    const ids = ["a", "b", "c"];
    const acts: Act[] = Array.from({ length: 1_500 }, (_, at) =>
      at % 3 === 0 ? { do: "step", name: `s${at}` } : { do: "tx", name: `t${at}` },
    );
    let kills = 0;
    let finished = false;
    for (; kills < 20 && !finished; kills++) {
      const victim = await child();
      await victim.engine.open();
      for (const id of ids) await victim.engine.start(programKind, id, input(...acts));
      const ends = Promise.allSettled(ids.map((id) => victim.engine.ended(id)));
      const random = 10 + Math.random() * 70;
      await Promise.race([ends, new Promise((resolve) => setTimeout(resolve, random))]);
      await victim.kill();
      finished = (await ends).every(({ status }) => status === "fulfilled");
    }

    const { engine, store } = await here();
    for (const id of ids) {
      expect(await engine.ended(id)).toMatchObject({ status: "succeeded" });
      expect(await effectsOf(store.db, id)).toEqual(acts.filter((act) => act.do === "tx").map(({ name }) => name));
      const keys = attempts(id).map(({ key }) => key);
      expect(new Set(keys).size).toBe(acts.filter((act) => act.do === "step").length);
      expect(keys.length - new Set(keys).size).toBeLessThanOrEqual(kills);
    }
    expect(await store.check()).toEqual({ ok: true, findings: [] });
  });
}
