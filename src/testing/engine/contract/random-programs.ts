import fc from "fast-check";
import { expect, test } from "vitest";
import type { Json } from "../../../core/ids.ts";
import type { EngineHarness, OnBoundary } from "../harness.ts";
import { type Act, attemptsIn, effectsOf, program, programKind } from "../program.ts";
import { setScene } from "../scene.ts";

const name = fc.constantFrom("a", "b", "c");
const simple: fc.Arbitrary<Act> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant("step" as const), name }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("tx" as const), name }) },
  fc.record({ do: fc.constant("step" as const), name, failures: fc.constant(1), attempts: fc.constant(2) }),
  fc.record({
    do: fc.constant("act" as const),
    name,
    failures: fc.constant(1),
    attempts: fc.constant(2),
    unsynced: fc.boolean(),
  }),
  fc.record({ do: fc.constant("sleep" as const), name, ms: fc.nat(2) }),
  fc.record({ do: fc.constant("wait" as const), topic: fc.constantFrom("p", "q") }),
  fc.record({ do: fc.constant("receive" as const), topic: fc.constant("r") }),
);
const failing: fc.Arbitrary<Act> = fc.oneof(
  fc.record({ do: fc.constant("step" as const), name, does: fc.constantFrom("bug" as const, "refuse" as const) }),
  fc.record({ do: fc.constant("tx" as const), name, refuses: fc.constant(true) }),
  fc.record({ do: fc.constant("act" as const), name, refuses: fc.constant(true), unsynced: fc.boolean() }),
  fc.record({ do: fc.constant("finish" as const), name, refuses: fc.constant(true) }),
  fc.record({ do: fc.constant("receive" as const), topic: fc.constant("r"), refuses: fc.constant(true) }),
);
const act: fc.Arbitrary<Act> = fc.oneof(
  { weight: 4, arbitrary: simple },
  fc.record({ do: fc.constant("try" as const), act: failing }),
  fc.record({ do: fc.constant("together" as const), acts: fc.array(simple, { minLength: 2, maxLength: 3 }) }),
);
const last: fc.Arbitrary<Act[]> = fc.oneof(
  fc.constant<Act[]>([]),
  fc.record({ do: fc.constant("finish" as const), name, failures: fc.nat(1) }).map((end): Act[] => [end]),
);
const acts = fc.tuple(fc.array(act, { minLength: 1, maxLength: 7 }), last).map(([most, end]) => [...most, ...end]);
/** After how many boundaries each crash comes, counted from the restart. */
const crashes = fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 4 });

export function programContract(harness: EngineHarness): void {
  test("any program with crashes at any points has the effects and the output of one without", async () => {
    const { place, file, input } = await setScene(harness);
    const opened = await place.open();
    let runs = 0;
    const run = async (acts: Json, waits: readonly string[], crashAt: readonly number[]) => {
      const id = `w${runs++}`;
      for (const at of [...crashAt, Number.POSITIVE_INFINITY]) {
        const crash = crashAfter(at);
        const engine = opened.engine({ onBoundary: crash.onBoundary });
        engine.register(programKind, program);
        await engine.open();
        await engine.start(programKind, id, acts);
        for (const [count, topic] of waits.entries()) await engine.signal(id, topic, count, `k${count}`);
        const ended = engine.ended(id);
        await Promise.race([ended, crash.happened]);
        ended.catch(() => {});
        await engine.close();
      }
      const engine = opened.engine({});
      const record = await engine.get(id);
      const steps = attemptsIn(file).filter(({ key }) => key.startsWith(`${id}/`));
      const effects = (await effectsOf(opened.store.db, id)).toSorted();
      const keys = [...new Set(steps.map(({ key }) => key.slice(id.length)))].toSorted();
      return {
        outcome: JSON.stringify([record?.status, record?.output]).replaceAll(`${id} `, ""),
        effects,
        keys,
        steps: steps.length,
      };
    };
    await fc.assert(
      fc.asyncProperty(acts, crashes, async (program, crashAt) => {
        const waits = topicsOf(program);
        const calm = await run(input(...program), waits, []);
        const { steps, ...rough } = await run(input(...program), waits, crashAt);
        expect(rough).toEqual({ outcome: calm.outcome, effects: calm.effects, keys: calm.keys });
        // In flight at one crash: at most what ran side by side.
        expect(steps).toBeGreaterThanOrEqual(calm.keys.length);
        expect(steps).toBeLessThanOrEqual(calm.steps + 3 * crashAt.length);
      }),
      { numRuns: 60 },
    );
    expect(await opened.store.check()).toEqual({ ok: true, findings: [] });
    await opened.close();
  });
}

/** From that boundary on, nothing gets through. */
function crashAfter(boundaries: number): { readonly onBoundary: OnBoundary; readonly happened: Promise<void> } {
  let count = 0;
  let happen = (): void => {};
  const happened = new Promise<void>((resolve) => {
    happen = resolve;
  });
  const onBoundary = (): void => {
    if (++count <= boundaries) return;
    happen();
    throw new Error("crashed");
  };
  return { onBoundary, happened };
}

/** Waits get signals in the order of their calls, so that both runs match them in the same way. */
function topicsOf(acts: readonly Act[]): string[] {
  return acts.flatMap((act) => {
    if (act.do === "wait" || act.do === "receive") return [act.topic];
    return act.do === "together" ? topicsOf(act.acts) : act.do === "try" ? topicsOf([act.act]) : [];
  });
}
