import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RunDetail } from "../src/api/contract.ts";
import { type Plane, startPlane, tearDown } from "./fixture/plane.ts";
import {
  beginRun,
  hasEnded,
  logOf,
  makeRepository,
  phasesOf,
  type Repository,
  runToEnd,
  runWhen,
  stepOf,
} from "./fixture/repository.ts";

/** More than a run of three steps has: the loop must end by itself before. */
const maxKills = 120;

/** Kills the control plane at every point of a run and of its steps, each once, and starts it again: each time it must go on. */
describe("a control plane that is killed at every point of a run", () => {
  let repository: Repository;
  let plane: Plane | null;
  let crashFile: string;
  beforeAll(async () => {
    repository = await makeRepository();
    crashFile = `${repository.directory}.crash-at`;
    writeFileSync(crashFile, "0");
    plane = await startPlane(repository, { crashFile });
  });
  afterAll(async () => {
    await tearDown(repository, there());
    for (const file of [crashFile, `${crashFile}.passed`, `${crashFile}.begun`]) rmSync(file, { force: true });
  });

  const there = (): Plane => {
    if (plane === null) throw new Error("no control plane runs");
    return plane;
  };

  /** Which steps have begun, each as often as it has. */
  const begun = (): readonly string[] => {
    const file = `${crashFile}.begun`;
    const lines = readFileSync(file, { encoding: "utf8", flag: "a+" }).trim().split("\n");
    rmSync(file);
    return lines.filter((line) => line !== "").toSorted();
  };

  async function runWithKills(): Promise<{ readonly run: RunDetail; readonly kills: number }> {
    const id = await beginRun(there(), repository);
    writeFileSync(crashFile, "each point of ^run_");
    for (let kills = 0; kills < maxKills; kills += 1) {
      const run = plane === null ? null : await runWhen(plane, id, hasEnded).catch(() => null);
      // What follows the end (tidying up) has points too: the next run begins from a kill.
      if (run !== null) writeFileSync(crashFile, "0");
      plane?.child.kill("SIGKILL");
      await plane?.died;
      plane?.client.close();
      // It may be killed before it is ready: what it takes up again goes on at once.
      plane = await startPlane(repository, { crashFile }).catch(() => null);
      if (run !== null) return { run, kills };
    }
    throw new Error(`${id} has not ended after ${maxKills} kills`);
  }

  it("runs each step once, and the next time restores each, with its log and for whoever comes after it", async () => {
    const note = (line: string) => `echo $SLIPWAY_STEP >> ${crashFile}.begun; ${line}`;
    const steps = {
      one: { shell: note("mkdir -p dist; cat in.txt > dist/one; echo one"), inputs: ["in.txt"], outputs: ["dist/one"] },
      two: {
        shell: note("cat dist/one > dist/two; echo two"),
        inputs: ["dist/one"],
        outputs: ["dist/two"],
        needs: ["one"],
      },
      last: { shell: note("cat dist/two"), inputs: ["dist/two"], needs: ["two"] },
    };
    const files = { "in.txt": "1" };
    repository.write({ steps }, files);
    const first = await runWithKills();
    expect(first.run.phase).toBe("succeeded");
    expect(first.kills).toBeGreaterThan(20);
    expect(phasesOf(first.run)).toEqual({ one: "passed", two: "passed", last: "passed" });
    expect(begun()).toEqual(["last", "one", "two"]);

    // What was found again was not watched from its beginning, and is not kept: once more without a kill.
    await runToEnd(there(), repository);
    begun();
    const again = await runWithKills();
    expect(again.kills).toBeGreaterThan(10);
    expect(phasesOf(again.run)).toEqual({ one: "restored", two: "restored", last: "restored" });
    expect(begun()).toEqual([]);
    for (const [step, said] of [
      ["one", "one\n"],
      ["two", "two\n"],
      ["last", "1"],
    ] as const)
      expect(await logOf(there(), again.run.id, step)).toBe(said);

    // Something is left to run now, which reads what is put back.
    repository.write({ steps: { ...steps, more: { shell: note("cat dist/one dist/two"), needs: ["two"] } } }, files);
    const more = await runWithKills();
    expect(stepOf(more.run, "more").phase).toBe("passed");
    expect(await logOf(there(), more.run.id, "more")).toBe("11");
    expect(begun().filter((step) => step === "more")).toEqual(["more"]);
  }, 900_000);
});
