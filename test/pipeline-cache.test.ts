import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createEmulator } from "emulate";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RunDetail } from "../src/api/contract.ts";
import { freePorts } from "../src/testing/ports.ts";
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

  it("is not told of which commit and run it is: what it has made is restored in others", async () => {
    const [kept, plain] = [unique(), unique()];
    const shell = "printenv SLIPWAY_COMMIT SLIPWAY_RUN || echo none";
    const pipeline = { parallel: 1, steps: { [kept]: { shell, inputs: ["in.txt"] }, [plain]: { shell } } };
    repository.write(pipeline, { "in.txt": "one" });
    const first = await runToEnd(plane, repository);
    expect(await logOf(plane, first.id, kept)).toBe("none\n");
    expect(await logOf(plane, first.id, plain)).toBe(`${first.commit}\n${first.id}\n`);
    repository.write(pipeline, { "in.txt": "one", "other.txt": "2" });
    const other = await runToEnd(plane, repository);
    expect(other.commit).not.toBe(first.commit);
    expect(phasesOf(other)).toEqual({ [kept]: "restored", [plain]: "passed" });
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

  it("is restored in another commit where it needs a built-in install, until what is installed may be another", async () => {
    const lint = unique();
    const pipeline = { steps: { install: {}, [lint]: { shell: "cat src/a", inputs: ["src"], needs: ["install"] } } };
    const manifest = { name: "probe", version: "1.0.0" };
    const go = async (own: object, version: string, other: string) => {
      const lock = { ...manifest, version, lockfileVersion: 3, packages: { "": { ...manifest, version } } };
      repository.write(pipeline, {
        "package.json": JSON.stringify({ ...manifest, version, ...own }),
        "package-lock.json": JSON.stringify(lock),
        "src/a": "a",
        other,
      });
      const run = await runToEnd(plane, repository);
      expect(run.error).toBeNull();
      return phasesOf(run);
    };
    expect(await go({}, "1.0.0", "1")).toEqual({ install: "passed", [lint]: "passed" });
    expect(await go({}, "1.0.0", "2")).toEqual({ install: "passed", [lint]: "restored" });
    expect((await go({}, "1.0.1", "2"))[lint]).toBe("passed");
    // A script of its own may have anything installed.
    const scripts = { postinstall: "true" };
    expect((await go({ scripts }, "1.0.1", "2"))[lint]).toBe("passed");
    expect((await go({ scripts }, "1.0.1", "3"))[lint]).toBe("passed");
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

  it("that reads what a step has made which it does not need is not kept; of those that it needs, by way of others too, it may", async () => {
    const [maker, between, reader, heir] = [unique(), unique(), unique(), unique()];
    const reads = (needs: readonly string[]) => ({ shell: "cat a made.txt > /dev/null", inputs: ["a"], needs });
    // One at a time, in this order: so it is there when it is read, though nobody has said so.
    const steps = {
      [maker]: { shell: "echo $SLIPWAY_RUN > made.txt" },
      [between]: { shell: "true", needs: [maker] },
      [reader]: reads([]),
      [heir]: reads([between]),
    };
    repository.write({ steps, parallel: 1 }, { a: "1" });
    for (const _ of [1, 2]) {
      const run = await runToEnd(plane, repository);
      const reason = `not kept: it read made.txt, which ${maker} has made and it does not need`;
      expect(stepOf(run, reader)).toMatchObject({ phase: "passed", reason });
      expect(stepOf(run, heir)).toMatchObject(_ === 1 ? { phase: "passed", reason: "" } : { phase: "restored" });
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

describe("a run of which every step is restored", () => {
  it("unpacks no outputs; where something runs they are there, also those that were made of others'", async () => {
    const [one, two] = [unique(), unique()];
    const steps = {
      [one]: {
        shell: "mkdir -p dist; cp in.txt dist/one; cp in.txt made.txt",
        inputs: ["in.txt"],
        outputs: ["dist", "made.txt"],
      },
      // What it reads is made by the one before, in the place of what is committed.
      [two]: { shell: "cat made.txt dist/one > two", inputs: ["made.txt", "dist"], outputs: ["two"], needs: [one] },
    };
    const go = async (pipeline: object, text = "1"): Promise<RunDetail> => {
      repository.write(pipeline, { "in.txt": text, "made.txt": "committed" });
      return runToEnd(plane, repository);
    };
    expect(phasesOf(await go({ steps }))).toEqual({ [one]: "passed", [two]: "passed" });
    const whole = await go({ steps });
    expect(phasesOf(whole)).toEqual({ [one]: "restored", [two]: "restored" });
    const more = { steps: { ...steps, more: { shell: "cat two", needs: [two] } } };
    const part = await go(more);
    expect(phasesOf(part)).toEqual({ [one]: "restored", [two]: "restored", more: "passed" });
    expect(await logOf(plane, part.id, "more")).toBe("11");
    // As long as before, and something else.
    const changed = await go(more, "2");
    expect(phasesOf(changed)).toEqual({ [one]: "passed", [two]: "passed", more: "passed" });
    expect(await logOf(plane, changed.id, "more")).toBe("22");
  });

  it("has a step run whose kept outputs are lost, or are not what they were when somebody needs them", async () => {
    const [one, two] = [unique(), unique()];
    const steps = {
      [one]: { shell: "cp in.txt out", inputs: ["in.txt"], outputs: ["out"] },
      [two]: { shell: "cat out", inputs: ["out"], needs: [one] },
    };
    const text = `text of ${one}`;
    const archive = (): string => {
      const all = readdirSync(cacheDirectory()).map((key) => join(cacheDirectory(), key, "outputs.tar"));
      const found = all.find((file) => existsSync(file) && readFileSync(file).includes(text));
      if (found === undefined) throw new Error("its outputs are not kept");
      return found;
    };
    repository.write({ steps }, { "in.txt": text });
    await runToEnd(plane, repository);
    expect(phasesOf(await runToEnd(plane, repository))).toEqual({ [one]: "restored", [two]: "restored" });
    rmSync(archive());
    expect(phasesOf(await runToEnd(plane, repository))).toEqual({ [one]: "passed", [two]: "restored" });

    const file = archive();
    writeFileSync(file, Buffer.alloc(readFileSync(file).length));
    repository.write({ steps: { ...steps, more: { shell: "cat out", needs: [one] } } }, { "in.txt": text });
    const run = await runToEnd(plane, repository);
    expect(phasesOf(run)).toEqual({ [one]: "passed", [two]: "restored", more: "passed" });
    expect(await logOf(plane, run.id, "more")).toBe(text);
  });

  it("makes a release of what was committed, and not of what its steps have made", async () => {
    const name = unique();
    const pipeline = {
      steps: { [name]: { shell: "echo made > page.txt", inputs: ["in.txt"], outputs: ["page.txt"] } },
    };
    const made = () => readdirSync(join(repository.directory, ".slipway", "artifacts"));
    const go = async (): Promise<RunDetail> => {
      repository.write(pipeline, { "in.txt": "1", "page.txt": "committed" });
      const run = await runToEnd(plane, repository, { event: "deploy", release: true });
      expect(run.release).not.toBeNull();
      return run;
    };
    expect(phasesOf(await go())).toEqual({ [name]: "passed" });
    const before = made();
    expect(phasesOf(await go())).toEqual({ [name]: "restored" });
    // The same content is the same artifact.
    expect(made()).toEqual(before);
  });
});

describe("a shared store", () => {
  it("has what this machine has lost, but nothing of a step with secrets; without it steps run as ever", async () => {
    const [port = 0] = await freePorts(1);
    const s3 = await createEmulator({ service: "aws", port, seed: { aws: { s3: { buckets: [{ name: "steps" }] } } } });
    const secret = (secretName: string, value: string) =>
      plane.client.post("/v1/secrets", {
        product: "probe",
        environment: "pipeline",
        name: secretName,
        value,
        actor: "test",
        reason: "",
      });
    await secret("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE");
    await secret("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");
    await secret("TOKEN", "a-token-of-a-step");
    const [open, closed] = [unique(), unique()];
    const step = { shell: "mkdir -p dist; cat in.txt > dist/$SLIPWAY_STEP; echo built", inputs: ["in.txt"] };
    const pipeline = {
      cache: { endpoint: s3.url, bucket: "steps" },
      // One after the other, so that each is seen to have read only its own.
      parallel: 1,
      steps: {
        [open]: { ...step, outputs: [`dist/${open}`] },
        [closed]: { ...step, outputs: [`dist/${closed}`], secrets: ["TOKEN"] },
      },
    };
    repository.write(pipeline, { "in.txt": "one" });
    const first = await runToEnd(plane, repository);
    expect(phasesOf(first)).toEqual({ [open]: "passed", [closed]: "passed" });
    const authorization = "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20260101/us-east-1/s3/aws4_request";
    const listed = async (): Promise<readonly string[]> => {
      const text = await (await fetch(`${s3.url}/steps`, { headers: { authorization } })).text();
      return [...text.matchAll(/<Key>([^<]*)</g)].map((found) => found[1] ?? "");
    };
    // Nobody waits for what is on its way.
    while ((await listed()).length === 0) await new Promise((resolve) => setTimeout(resolve, 50));
    rmSync(cacheDirectory(), { recursive: true, force: true });
    const again = await runToEnd(plane, repository);
    expect(phasesOf(again)).toEqual({ [open]: "restored", [closed]: "passed" });
    expect(stepOf(again, open).reason).toBe(`unchanged since ${first.id}, elsewhere`);
    expect(await logOf(plane, again.id, open)).toBe("built\n");
    expect(await listed()).toEqual([expect.stringMatching(/^slipway\/steps\/[0-9a-f]{64}$/)]);
    await s3.close();
    rmSync(cacheDirectory(), { recursive: true, force: true });
    expect(phasesOf(await runToEnd(plane, repository))).toEqual({ [open]: "passed", [closed]: "passed" });
  });
});
