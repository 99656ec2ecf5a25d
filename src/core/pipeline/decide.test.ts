import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decideRun, type StepPhase, type StepState } from "./decide.ts";

/** A graph without circles: each step needs some of those before it. */
const graphs = fc
  .array(fc.record({ needs: fc.array(fc.nat({ max: 30 }), { maxLength: 4 }), allowFailure: fc.boolean() }), {
    minLength: 1,
    maxLength: 30,
  })
  .map((all) =>
    all.map(({ needs, allowFailure }, index) => ({
      id: `s${index}`,
      needs: [...new Set(needs.filter((need) => need < index).map((need) => `s${need}`))],
      allowFailure,
    })),
  );

type Graph = readonly { readonly id: string; readonly needs: readonly string[]; readonly allowFailure: boolean }[];
type Played = { readonly states: readonly StepState[]; readonly started: readonly string[]; readonly atOnce: number };

/** Plays a run to its end: of those that run, `pick` says which ends next, and `fails` how. */
function play(
  graph: Graph,
  options: { parallel: number; fails: ReadonlySet<string>; pick: (of: number) => number },
): Played {
  const phases = new Map<string, StepPhase>(graph.map(({ id }) => [id, "waiting"]));
  const states = (): StepState[] => graph.map((step) => ({ ...step, phase: phases.get(step.id) ?? "waiting" }));
  const started: string[] = [];
  let atOnce = 0;
  for (let turn = 0; turn < 200; turn++) {
    const decision = decideRun(states(), { parallel: options.parallel });
    for (const { id } of decision.cancel) phases.set(id, "cancelled");
    for (const id of decision.start) {
      const needs = graph.find((step) => step.id === id)?.needs ?? [];
      for (const need of needs) {
        const allowed = graph.find((step) => step.id === need)?.allowFailure === true && phases.get(need) === "failed";
        expect(phases.get(need) === "passed" || allowed).toBe(true);
      }
      expect(phases.get(id)).toBe("waiting");
      phases.set(id, "running");
      started.push(id);
    }
    const running = [...phases].filter(([, phase]) => phase === "running").map(([id]) => id);
    atOnce = Math.max(atOnce, running.length);
    if (decision.end !== null) {
      expect(running).toEqual([]);
      return { states: states(), started, atOnce };
    }
    expect(running.length).toBeGreaterThan(0);
    const ends = running[options.pick(running.length)] ?? "";
    phases.set(ends, options.fails.has(ends) ? "failed" : "passed");
  }
  throw new Error("the run does not end");
}

describe("a run, whatever its graph is and whatever fails,", () => {
  const runs = fc.record({
    graph: graphs,
    parallel: fc.integer({ min: 1, max: 6 }),
    failing: fc.array(fc.nat({ max: 30 }), { maxLength: 5 }),
    picks: fc.infiniteStream(fc.nat()),
  });

  it("ends, begins nothing twice or too early, and never more at once than there is room for", () => {
    fc.assert(
      fc.property(runs, ({ graph, parallel, failing, picks }) => {
        const fails = new Set(failing.map((index) => `s${index}`));
        const { started, atOnce } = play(graph, { parallel, fails, pick: (of) => (picks.next().value ?? 0) % of });
        expect(new Set(started).size).toBe(started.length);
        expect(atOnce).toBeLessThanOrEqual(parallel);
      }),
    );
  });

  it("passes everything when nothing fails", () => {
    fc.assert(
      fc.property(runs, ({ graph, parallel, picks }) => {
        const { states } = play(graph, { parallel, fails: new Set(), pick: (of) => (picks.next().value ?? 0) % of });
        expect(states.every(({ phase }) => phase === "passed")).toBe(true);
      }),
    );
  });

  it("calls off what rests on a failure and what only that was waiting for, and nothing else", () => {
    fc.assert(
      fc.property(runs, ({ graph, parallel, failing, picks }) => {
        const fails = new Set(failing.map((index) => `s${index}`));
        const { states } = play(graph, { parallel, fails, pick: (of) => (picks.next().value ?? 0) % of });
        const phaseOf = new Map(states.map(({ id, phase }) => [id, phase]));
        const behind = (id: string) => graph.filter(({ needs }) => needs.includes(id));
        for (const { id, needs, phase } of states) {
          const isBad = (need: string) =>
            phaseOf.get(need) === "cancelled" ||
            (phaseOf.get(need) === "failed" && graph.find((step) => step.id === need)?.allowFailure === false);
          const rests = needs.some(isBad);
          const after = behind(id);
          const unwanted = after.length > 0 && after.every((each) => phaseOf.get(each.id) === "cancelled");
          if (phase === "cancelled") expect(rests || unwanted).toBe(true);
          else expect(rests).toBe(false);
        }
      }),
    );
  });
});

const step = (id: string, phase: StepPhase, needs: string[] = [], allowFailure = false): StepState => ({
  id,
  needs,
  phase,
  allowFailure,
});

describe("a failure", () => {
  it("stops a step under way that only what it has called off was waiting for, and leaves the others alone", () => {
    const decision = decideRun(
      [
        step("unit", "failed"),
        step("bundle", "running"),
        step("lint", "running"),
        step("pack", "waiting", ["unit", "bundle"]),
      ],
      { parallel: 4 },
    );
    expect(decision.cancel).toEqual([
      { id: "bundle", why: "nobody waits for it any more" },
      { id: "pack", why: "unit has failed" },
    ]);
    expect(decision.end).toBeNull();
  });

  it("that is allowed stops nothing, and the run passes", () => {
    const decision = decideRun([step("scan", "failed", [], true), step("pack", "passed", ["scan"])], { parallel: 1 });
    expect(decision).toEqual({ start: [], cancel: [], end: { passed: true, failed: [] } });
  });
});

it("the step with the longest way behind it is begun first", () => {
  const decision = decideRun(
    [
      step("leaf", "waiting"),
      step("root", "waiting"),
      step("mid", "waiting", ["root"]),
      step("end", "waiting", ["mid"]),
    ],
    { parallel: 1 },
  );
  expect(decision.start).toEqual(["root"]);
});
