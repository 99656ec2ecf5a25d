import { describe, expect, it } from "vitest";
import type { ProductInput } from "../product/input.ts";
import { validateProduct } from "../product/validate.ts";
import { globMatcher } from "./glob.ts";
import { planRun, unknownNames } from "./plan.ts";
import { resolvePipeline } from "./resolve.ts";
import type { Pipeline, RunReason } from "./step.ts";

const everything: RunReason = { event: "manual", branch: "main", changed: null, steps: [], services: [] };

function pipelineOf(more: Partial<ProductInput>): Pipeline {
  const { config, problems } = validateProduct({
    name: "shop",
    services: { api: { kind: "worker", command: ["node", "a.js"], path: "api", pipeline: { steps: { unit: {} } } } },
    ...more,
  });
  if (config === null) throw new Error(JSON.stringify(problems));
  const pipeline = resolvePipeline(config);
  if (pipeline === null) throw new Error("it has no step");
  return pipeline;
}

const graph = (pipeline: Pipeline) => Object.fromEntries(pipeline.steps.map(({ id, needs }) => [id, needs]));

describe("a pipeline", () => {
  it("has the product's steps and the services', a built-in one after install", () => {
    const pipeline = pipelineOf({ pipeline: { steps: { install: {}, lint: {}, pack: { shell: "npm pack" } } } });
    expect(graph(pipeline)).toEqual({ install: [], lint: ["install"], pack: [], "api/unit": ["install"] });
    expect(pipeline.steps.find(({ id }) => id === "api/unit")?.path).toBe("api");
  });

  it("has what a Compose file runs for a step, and says what does not go together with it", () => {
    const own = { image: "node:22", command: ["node", "test.js"], compose: {} };
    const pipeline = pipelineOf({ pipeline: { steps: { own, theirs: { compose: { exitCodeFrom: "tests" } } } } });
    expect(pipeline.steps.map(({ work, container }) => [work.is, container?.image, container?.compose])).toEqual([
      ["command", "node:22", { files: ["docker-compose.integration.yml"], profiles: [], service: null }],
      ["service", null, { files: ["docker-compose.integration.yml"], profiles: [], service: "tests" }],
      ["built-in", undefined, undefined],
    ]);
    const steps = {
      nothing: { shell: "true", compose: {} },
      both: { image: "node:22", compose: { exitCodeFrom: "tests" } },
      twice: { shell: "true", compose: { exitCodeFrom: "tests" } },
      kept: { compose: { exitCodeFrom: "tests" }, inputs: ["**"], beside: ["redis"] },
    };
    const { problems } = validateProduct({
      name: "shop",
      services: { web: { kind: "worker", command: ["x"] } },
      pipeline: { steps },
    });
    expect(problems.map(({ path, message }) => `${path.replace("pipeline.steps.", "")}: ${message}`)).toEqual([
      "nothing.compose: nothing says what tests: name the service in exitCodeFrom, or give the step an image and a command",
      "both.image: exitCodeFrom names what runs, which has its own image: leave one out",
      "twice: it has shell and compose.exitCodeFrom; a step does one of them: leave the others out",
      "kept.beside: the Compose file says what is beside it: leave one of them out",
      "kept.inputs: it depends on what runs beside it, which no file tells, so it is always run: leave inputs out",
    ]);
  });

  it("has every accessory with an image beside a built-in integration step, where nothing else is said", () => {
    const pipeline = pipelineOf({
      accessories: { redis: { image: "redis:7.4", port: 6379 }, postgres: { image: "postgres:16", port: 5432 } },
      pipeline: {
        steps: {
          integration: { image: "node:22" },
          one: { uses: "integration", image: "node:22", beside: ["redis"] },
          file: { uses: "integration", image: "node:22", compose: {} },
        },
      },
    });
    const beside = pipeline.steps.map(({ container }) => container?.beside.map(({ name }) => name));
    expect(beside).toEqual([["redis", "postgres"], ["redis"], [], undefined]);
  });

  it("may run in a container of an agent, also with a Compose file, but is never restored there", () => {
    const away = { image: "node:22", command: ["node", "test.js"], runsOn: ["linux"] };
    const composed = { compose: { exitCodeFrom: "tests" }, runsOn: ["linux"] };
    const pipeline = pipelineOf({ pipeline: { steps: { away, composed } } });
    expect(
      pipeline.steps.map(({ runsOn, container }) => [runsOn, container?.image, container?.compose?.service]),
    ).toEqual([
      [["linux"], "node:22", undefined],
      [["linux"], null, "tests"],
      [[], undefined, undefined],
    ]);
    const { problems } = validateProduct({
      name: "shop",
      services: { web: { kind: "worker", command: ["x"] } },
      pipeline: { steps: { away: { ...away, inputs: ["src/**"] } } },
    });
    expect(problems.map(({ path, message }) => `${path}: ${message}`)).toEqual([
      "pipeline.steps.away.inputs: what it reads on another machine is not seen, so it is always run: leave inputs out",
    ]);
  });

  it("runs a step once for each combination of its matrix, and what needs it after all of them", () => {
    const pipeline = pipelineOf({
      pipeline: {
        steps: {
          e2e: { command: ["x"], matrix: { DB: ["pg", "my"], NODE: ["20"] } },
          pack: { command: ["y"], needs: ["e2e"] },
        },
      },
    });
    expect(graph(pipeline)).toMatchObject({ pack: ["e2e[DB=pg,NODE=20]", "e2e[DB=my,NODE=20]"] });
    expect(pipeline.steps[0]?.env).toEqual({ DB: "pg", NODE: "20" });
  });

  it("is planned with what is needed first, and only as far as it is asked for", () => {
    const pipeline = pipelineOf({
      pipeline: { steps: { pack: { command: ["x"], needs: ["build", "lint"] }, build: {}, lint: {}, install: {} } },
    });
    expect(planRun(pipeline, everything).map(({ step }) => step.id)).toEqual([
      "install",
      "build",
      "lint",
      "pack",
      "api/unit",
    ]);
    expect(planRun(pipeline, { ...everything, steps: ["lint"] }).map(({ step }) => step.id)).toEqual([
      "install",
      "lint",
    ]);
    expect(planRun(pipeline, { ...everything, steps: ["unit"] }).map(({ step }) => step.id)).toEqual([
      "install",
      "api/unit",
    ]);
    expect(planRun(pipeline, { ...everything, services: ["api"] }).map(({ step }) => step.id)).toEqual([
      "install",
      "api/unit",
    ]);
    expect(unknownNames(pipeline, { steps: ["unit", "api/unit", "lnit"] })).toEqual(["lnit"]);
  });

  it("leaves out what branch, event or paths leave out, unless it is asked for by name", () => {
    const pipeline = pipelineOf({
      pipeline: {
        steps: {
          publish: { command: ["x"], when: { branch: ["main", "release/*"] } },
          nightly: { command: ["x"], when: { event: ["schedule"] } },
          docs: { command: ["x"], when: { paths: ["docs/**"] } },
        },
      },
    });
    const skips = (reason: Partial<RunReason>) =>
      planRun(pipeline, { ...everything, ...reason }).flatMap(({ step, skipped }) =>
        skipped === null ? [] : [step.id],
      );
    expect(skips({})).toEqual(["nightly"]);
    expect(skips({ branch: "feature/x", event: "schedule" })).toEqual(["publish"]);
    expect(skips({ branch: "release/1.2", changed: ["api/a.js"], event: "schedule" })).toEqual(["docs"]);
    expect(skips({ changed: ["docs/a/b.md"] })).toEqual(["nightly"]);
    expect(skips({ steps: ["nightly"] })).toEqual([]);
  });
});

describe("a path", () => {
  it.each([
    ["src/**", "src/a/b.ts", true],
    ["src/**", "srcs/a.ts", false],
    ["src/*.ts", "src/a.ts", true],
    ["src/*.ts", "src/a/b.ts", false],
    ["**/*.ts", "a.ts", true],
    ["**/*.ts", "a/b/c.ts", true],
    ["dist", "dist/a/b.js", true],
    ["dist", "distant", false],
    ["a?c", "abc", true],
    ["a?c", "a/c", false],
    ["a.b", "axb", false],
    [".", "anything/at/all", true],
    ["a[1](x)", "a[1](x)", true],
  ])("is meant by %s: %s is %s", (pattern, path, meant) => {
    expect(globMatcher([pattern])(path)).toBe(meant);
  });
});

describe("problems of a pipeline", () => {
  const messages = (pipeline: unknown, service: unknown = {}): string[] =>
    validateProduct({
      name: "shop",
      services: { api: { kind: "worker", command: ["a"], pipeline: { steps: service } } },
      pipeline,
    }).problems.map(({ path, message }) => `${path}: ${message}`);

  it("are all said at once, each with a guess", () => {
    expect(
      messages(
        {
          steps: {
            lnt: {},
            both: { command: ["x"], shell: "x" },
            a: { command: ["x"], needs: ["b"] },
            b: { command: ["x"], needs: ["a"] },
            lost: { command: ["x"], needs: ["untt"] },
            wide: { command: ["x"], matrix: { A: ["1", "1"] } },
            out: { command: ["x"], outputs: ["."], env: { T: "x" }, secrets: ["T"] },
            odd: { comand: ["x"] },
            publish: { inputs: ["**"] },
            integration: { inputs: ["**"] },
            image: {},
          },
          parameters: {
            level: { default: "all", allowed: ["quick"] },
            shards: { default: 9, min: 1, max: 8 },
            turned: { type: "number", min: 2, max: 1 },
            noisy: { default: true, min: 1 },
            mixed: { type: "integer", allowed: [1, 2.5, "3"] },
            quoted: { type: "number", default: "3" },
          },
        },
        { unit: {}, image: { env: { A: "b" } } },
      ).sort(),
    ).toMatchInlineSnapshot(`
      [
        "pipeline.parameters.level.default: "all" is not one of those allowed: quick",
        "pipeline.parameters.mixed.allowed: "3" is no integer",
        "pipeline.parameters.mixed.allowed: 2.5 is no integer",
        "pipeline.parameters.noisy.min: it is a boolean, which has none; leave it out, or say type: "number"",
        "pipeline.parameters.quoted.default: "3" is not one of those allowed: a number",
        "pipeline.parameters.shards.default: 9 is not one of those allowed: a number from 1 to 8",
        "pipeline.parameters.turned.min: 2 is more than max, 1",
        "pipeline.steps.a.needs: a → b → a is a circle: none of them could start first",
        "pipeline.steps.both: it has command and shell; a step does one of them: leave the others out",
        "pipeline.steps.image: the product has no image; put the step into the pipeline of the service whose image it makes",
        "pipeline.steps.integration.inputs: it depends on what runs beside it, which no file tells, so it is always run: leave inputs out",
        "pipeline.steps.lnt: it has no command and no shell, and "lnt" is no built-in step; did you mean "lint"?",
        "pipeline.steps.lost.needs[0]: there is no step "untt"; did you mean "unit"?",
        "pipeline.steps.odd.comand: unknown key; did you mean "command"?",
        "pipeline.steps.out.outputs[0]: that is everything; name what the step makes",
        "pipeline.steps.out.secrets[0]: T is in env too; leave one out",
        "pipeline.steps.publish.inputs: what is there already is for its registry to say, so it is always run: leave inputs out",
        "pipeline.steps.publish.needs: say what must have passed before it is published, such as needs: ["unit", "build"]",
        "pipeline.steps.publish.when: what is published stays, so say of which branch or by what: when: { branch: ["main"] }, or { event: ["tag"] }",
        "pipeline.steps.wide.matrix: a value is there twice; each combination runs once",
        "services.api.pipeline.steps.image.env: the service's image settings say how it is made; a built-in image step has no env",
      ]
    `);
  });

  it("are none where names lead to the own service first", () => {
    expect(
      messages(
        { steps: { build: { command: ["x"] } } },
        { build: { command: ["y"], needs: [] }, unit: { needs: ["build"] } },
      ),
    ).toEqual([]);
  });
});
