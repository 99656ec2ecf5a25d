import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RunDetail } from "../src/api/contract.ts";
import { type Plane, startPlane, tearDown } from "./fixture/plane.ts";
import { logOf, makeRepository, phasesOf, type Repository, runToEnd, stepOf } from "./fixture/repository.ts";

let repository: Repository;
let plane: Plane;
beforeAll(async () => {
  repository = await makeRepository();
  plane = await startPlane(repository);
});
afterAll(() => tearDown(repository, plane));

const cacheDirectory = (): string => join(repository.directory, ".slipway", "step-cache");

/** Each test has steps of its own, so that none finds what another has kept. */
let tests = 0;
const unique = (): string => `t${++tests}`;

describe("a step with inputs", () => {
  it("is restored with outputs and log while nothing that it depends on has changed, and what needs it goes on", async () => {
    const name = unique();
    const steps = (more: object = {}) => ({
      steps: {
        [name]: {
          shell: "mkdir -p dist/a; cat in.txt > dist/a/out; ln -s out dist/a/link; echo built",
          inputs: ["in.txt"],
          outputs: ["dist"],
          ...more,
        },
        after: { shell: "cat dist/a/link", needs: [name] },
      },
    });
    const files = { "in.txt": "one", "other.txt": "1" };
    const go = async (pipeline: object, all: Record<string, string>): Promise<RunDetail> => {
      repository.write(pipeline, all);
      const run = await runToEnd(plane, repository);
      expect(run.error).toBeNull();
      return run;
    };
    const first = await go(steps(), files);
    expect(stepOf(first, name)).toMatchObject({ phase: "passed", reason: "" });

    const again = await go(steps(), { ...files, "other.txt": "2" });
    expect(stepOf(again, name)).toMatchObject({ phase: "restored", reason: `unchanged since ${first.id}` });
    expect(await logOf(plane, again.id, name)).toBe("built\n");
    expect(await logOf(plane, again.id, "after")).toBe("one");

    const changed = await go(steps(), { ...files, "in.txt": "two" });
    expect(phasesOf(changed)).toEqual({ [name]: "passed", after: "passed" });
    expect(await logOf(plane, changed.id, "after")).toBe("two");
    // What it was before is still there.
    expect(stepOf(await go(steps(), files), name).phase).toBe("restored");
    expect(stepOf(await go(steps({ env: { MODE: "x" } }), files), name).phase).toBe("passed");

    repository.write(steps(), files);
    expect(stepOf(await runToEnd(plane, repository, { cache: false }), name).phase).toBe("passed");

    // What was changed on the disk is no result.
    for (const key of readdirSync(cacheDirectory()).filter((each) => each.length === 64))
      writeFileSync(join(cacheDirectory(), key, "outputs.tar"), "broken");
    expect(stepOf(await runToEnd(plane, repository), name).phase).toBe("passed");
    expect(stepOf(await runToEnd(plane, repository), name).phase).toBe("restored");
  });

  it("runs again when what it needs came to something else, or a secret of it has another value", async () => {
    const [install, unit] = [unique(), unique()];
    const secret = (value: string) =>
      plane.client.post("/v1/secrets", {
        product: "probe",
        environment: "pipeline",
        name: "KEY",
        value,
        actor: "test",
        reason: "",
      });
    await secret("one-value");
    const pipeline = {
      steps: {
        [install]: { shell: "cp lock deps", inputs: ["lock"], outputs: ["deps"] },
        [unit]: { shell: "cat deps", inputs: ["src"], needs: [install], secrets: ["KEY"] },
      },
    };
    const go = async (lock: string): Promise<string | undefined> => {
      repository.write(pipeline, { lock, "src/a": "a" });
      return phasesOf(await runToEnd(plane, repository))[unit];
    };
    expect(await go("1")).toBe("passed");
    expect(await go("1")).toBe("restored");
    expect(await go("2")).toBe("passed");
    await secret("another-value");
    expect(await go("2")).toBe("passed");
    expect(await go("2")).toBe("restored");
  });

  it("that reads what its inputs do not name is not kept, and it is said", async () => {
    const name = unique();
    repository.write(
      { steps: { [name]: { shell: "cat a b > /dev/null", inputs: ["a"] } }, parallel: 1 },
      { a: "1", b: "1" },
    );
    for (const _ of [1, 2]) {
      const step = stepOf(await runToEnd(plane, repository), name);
      expect(step).toMatchObject({ phase: "passed", reason: "not kept: it read b, which its inputs do not name" });
    }
  });

  it("beside which another reads is run alone the next time, and kept then", async () => {
    const [one, two] = [unique(), unique()];
    const meet = (mine: string, other: string) =>
      `cat ${mine}; touch met-${mine}; for i in 1 2 3 4 5 6 7 8 9 10; do [ -f met-${other} ] && break; sleep 0.1; done; sleep 0.1`;
    repository.write(
      {
        steps: { [one]: { shell: meet("a", "b"), inputs: ["a"] }, [two]: { shell: meet("b", "a"), inputs: ["b"] } },
        parallel: 2,
      },
      { a: "1", b: "1" },
    );
    const first = await runToEnd(plane, repository);
    for (const name of [one, two]) expect(stepOf(first, name).reason).toContain("it runs alone the next time");
    const second = await runToEnd(plane, repository);
    expect([one, two].map((name) => stepOf(second, name))).toMatchObject([
      { phase: "passed", reason: "" },
      { phase: "passed", reason: "" },
    ]);
    expect(phasesOf(await runToEnd(plane, repository))).toEqual({ [one]: "restored", [two]: "restored" });
  });
});
