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
        victim.engine.ended(id),
      ];
      const [, , ended] = await Promise.allSettled(calls);
      if (ended?.status === "fulfilled") {
        await victim.stop();
        break;
      }
      expect(await victim.gone).toBe("SIGKILL");

      const { engine, store, close } = await here();
      await engine.start(programKind, id, input(...everything));
      await engine.signal(id, "approval", "yes", "k");
      const { status, output } = await engine.ended(id);
      expect({ status, output }).toEqual({
        status: "succeeded",
        output: [
          { name: "build" },
          `${id} record`,
          [{ name: "left" }, `${id} right`],
          "pause",
          "yes",
          { name: "shaky" },
          `${id} switch`,
          `${id} finish`,
        ],
      });
      expect((await effectsOf(store.db, id)).toSorted()).toEqual(["finish", "record", "right", "switch"]);
      const made = attempts(id).map(({ key, name }) => `${name} ${key}`);
      // Without a crash: six attempts, two each of what fails once. A crash adds at most the one in flight.
      expect(made.length, made.join()).toBeLessThanOrEqual(7);
      expect(new Set(made)).toEqual(new Set([`build ${id}/0`, `left ${id}/2`, `shaky ${id}/6`, `switch ${id}/7`]));
      expect(await store.check()).toEqual({ ok: true, findings: [] });
      await close();
    }
    expect(point).toBeGreaterThan(20);
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
