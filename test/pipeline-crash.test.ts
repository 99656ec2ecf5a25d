import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { RunDetail } from "../src/api/contract.ts";
import { newId } from "../src/cli/new-id.ts";
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
  beforeEach(async () => {
    repository = await makeRepository();
    crashFile = `${repository.directory}.crash-at`;
    writeFileSync(crashFile, "0");
    plane = await startPlane(repository, { crashFile });
  });
  afterEach(async () => {
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

  /** Asked for each time: whoever is not answered asks again. */
  async function askedAndEnded(of: Plane, id: string): Promise<RunDetail> {
    await beginRun(of, repository, {}, { id });
    return runWhen(of, id, hasEnded);
  }

  /** `points` are where it was killed: those of the run itself as `1 before-perform`, those of its second step as `/1 0 before-perform`. */
  async function runWithKills(): Promise<{ readonly run: RunDetail; readonly points: readonly string[] }> {
    const id = newId("run");
    writeFileSync(crashFile, "each point of ^run_");
    for (let kills = 0; kills < maxKills; kills += 1) {
      const run = plane === null ? null : await askedAndEnded(plane, id).catch(() => null);
      // What follows the end (tidying up) has points too: the next run begins from a kill.
      if (run !== null) writeFileSync(crashFile, "0");
      plane?.child.kill("SIGKILL");
      await plane?.died;
      plane?.client.close();
      // It may be killed before it is ready: what it takes up again goes on at once.
      plane = await startPlane(repository, { crashFile }).catch(() => null);
      if (run === null) continue;
      const lines = readFileSync(`${crashFile}.passed`, "utf8").split("\n");
      return { run, points: lines.filter((line) => line.startsWith(id)).map((line) => line.slice(id.length).trim()) };
    }
    throw new Error(`${id} has not ended after ${maxKills} kills`);
  }

  /** The last may still be under way when the run is seen to have ended: it is not asked for. */
  const pointsOf = (...verbs: readonly string[]): string[] =>
    verbs.flatMap((verb) => ["before-perform", "after-perform", "after-record"].map((point) => `${verb} ${point}`));

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
    expect(first.points).toEqual(expect.arrayContaining(pointsOf("0", "1", "2", "3", "/0 0", "/1 0", "/2 0")));
    expect(phasesOf(first.run)).toEqual({ one: "passed", two: "passed", last: "passed" });
    expect(begun()).toEqual(["last", "one", "two"]);

    // What was found again was not watched from its beginning, and is not kept: once more without a kill.
    await runToEnd(there(), repository);
    begun();
    const again = await runWithKills();
    expect(again.points).toEqual(expect.arrayContaining(pointsOf("0", "1", "2", "3")));
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
    expect(more.points).toEqual(expect.arrayContaining(pointsOf("0", "1", "2", "3", "/3 0")));
    expect(stepOf(more.run, "more").phase).toBe("passed");
    expect(await logOf(there(), more.run.id, "more")).toBe("11");
    expect(begun().filter((step) => step === "more")).toEqual(["more"]);
  }, 900_000);
});
