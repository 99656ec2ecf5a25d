import {
  isBuiltIn,
  isBuiltInScan,
  matrixOf,
  type NamedStep,
  namedSteps,
  needsOf,
  scanReports,
  workOf,
} from "../../pipeline/resolve.ts";
import { environmentDefaults } from "../environment.ts";
import { nearest } from "../guess.ts";
import type { ProductInput } from "../input.ts";
import { builtInSteps, maxCombinations } from "../pipeline.ts";
import type { Path } from "../problems.ts";
import { error, type Finding } from "./finding.ts";
import { cycles } from "./needs.ts";
import { checkParameters } from "./parameters.ts";

/** Every step does one thing, what it needs is there, and none needs itself, not even by way of others. */
export function checkPipeline(product: ProductInput): readonly Finding[] {
  const steps = namedSteps(product);
  const names = new Set(steps.map(({ name }) => name));
  const graph = new Map(steps.map((step) => [step.name, needsOf(step, names).found]));
  const circles = cycles(graph).map((cycle) => {
    const first = steps.find(({ name }) => name === cycle[0]);
    const message =
      cycle.length === 1
        ? `${cycle[0]} needs itself`
        : `${[...cycle, cycle[0]].join(" → ")} is a circle: none of them could start first`;
    return error(first === undefined ? ["pipeline"] : [...pathOf(first), "needs"], message);
  });
  return [
    ...steps.flatMap((step) => [
      ...checkWork(step),
      ...checkLost(step, names),
      ...checkMatrix(step),
      ...checkOut(step),
      ...checkScan(step, product),
      ...checkLoad(step, product),
      ...checkContainer(step, product),
      ...checkIntegration(step),
      ...checkPublish(step),
      ...checkImage(step),
      ...checkAway(step),
    ]),
    ...circles,
    ...checkParameters(product),
  ];
}

function checkWork(step: NamedStep): readonly Finding[] {
  const { uses, command, shell, compose } = step.input;
  const all = { uses, command, shell, "compose.exitCodeFrom": compose?.exitCodeFrom };
  const given = Object.entries(all).flatMap(([key, value]) => (value === undefined ? [] : [key]));
  if (given.length > 1)
    return [error(pathOf(step), `it has ${given.join(" and ")}; a step does one of them: leave the others out`)];
  if (workOf(step) !== null) return [];
  const guess = nearest(step.own, builtInSteps);
  const advice = guess === null ? `the built-in ones are ${builtInSteps.join(", ")}` : `did you mean "${guess}"?`;
  return [error(pathOf(step), `it has no command and no shell, and "${step.own}" is no built-in step; ${advice}`)];
}

function checkLost(step: NamedStep, names: ReadonlySet<string>): readonly Finding[] {
  return needsOf(step, names).lost.map((lost) => {
    const index = (step.input.needs ?? []).indexOf(lost);
    const others = [...names].filter((name) => name !== step.name);
    const near = nearest(lost, [...others, ...others.map((name) => name.slice(name.indexOf("/") + 1))]);
    const advice = near === null ? `the steps are ${others.join(", ") || "only this one"}` : `did you mean "${near}"?`;
    const more = near === null ? {} : { guess: near };
    return error([...pathOf(step), "needs", index], `there is no step "${lost}"; ${advice}`, more);
  });
}

function checkMatrix(step: NamedStep): readonly Finding[] {
  const count = Object.values(step.input.matrix ?? {}).reduce((product, values) => product * values.length, 1);
  if (count > maxCombinations)
    return [
      error([...pathOf(step), "matrix"], `it makes ${count} combinations; at most ${maxCombinations} are allowed`),
    ];
  const texts = matrixOf(step.input).map((combination) => JSON.stringify(combination));
  if (new Set(texts).size < texts.length)
    return [error([...pathOf(step), "matrix"], "a value is there twice; each combination runs once")];
  const both = Object.keys(step.input.matrix ?? {}).filter((name) => Object.hasOwn(step.input.env ?? {}, name));
  return both.map((name) => error([...pathOf(step), "env", name], `${name} is set by the matrix too; leave one out`));
}

function checkOut(step: NamedStep): readonly Finding[] {
  const { outputs = [], artifacts = [], env = {}, secrets = [] } = step.input;
  return [
    ...Object.entries({ outputs, artifacts }).flatMap(([key, globs]) =>
      globs.flatMap((glob, index) =>
        glob === "." || glob.startsWith("**")
          ? [error([...pathOf(step), key, index], "that is everything; name what the step makes")]
          : [],
      ),
    ),
    ...secrets.flatMap((name, index) =>
      Object.hasOwn(env, name)
        ? [error([...pathOf(step), "secrets", index], `${name} is in env too; leave one out`)]
        : [],
    ),
  ];
}

function checkScan(step: NamedStep, { environments }: ProductInput): readonly Finding[] {
  const { scan, inputs, reports = {} } = step.input;
  if (scan === undefined && !isBuiltInScan(step)) return [];
  const since = scan?.newSince;
  return [
    ...(scanReports(step).length === 0 && reports.sarif === undefined
      ? [
          error(
            [...pathOf(step), "scan"],
            "nothing says what it has found: name its files in reports.scan or reports.sarif",
          ),
        ]
      : []),
    ...(inputs === undefined
      ? []
      : [
          error(
            [...pathOf(step), "inputs"],
            "what it finds depends on what is known today, so it is always run: leave inputs out",
          ),
        ]),
    ...checkPlace([...pathOf(step), "scan", "newSince"], since, environments),
  ];
}

function checkLoad(step: NamedStep, { environments }: ProductInput): readonly Finding[] {
  const { loadTest, scan, inputs, reports = {} } = step.input;
  if (loadTest === undefined) return [];
  const at = [...pathOf(step), "loadTest"];
  return [
    ...(reports.load === undefined
      ? [error(at, "nothing says what it has measured: name the file that it writes in reports.load")]
      : []),
    ...(scan === undefined ? [] : [error(at, "it has scan too; a step does one of them: leave the other out")]),
    ...(inputs === undefined
      ? []
      : [error([...pathOf(step), "inputs"], "it tests what is live, so it is always run: leave inputs out")]),
    ...checkPlace([...at, "environment"], loadTest.environment, environments),
  ];
}

function checkContainer(step: NamedStep, { accessories = {} }: ProductInput): readonly Finding[] {
  const { image, compose, inputs, beside = [] } = step.input;
  const given = (["network", "memory", "cpu", "beside", "ready"] as const).filter(
    (key) => step.input[key] !== undefined,
  );
  if (image === undefined && compose === undefined)
    return given.map((key) => error([...pathOf(step), key], "only a step with an image has one: name the image"));
  if (compose !== undefined)
    return [
      ...(image === undefined && compose.exitCodeFrom === undefined
        ? [
            error(
              [...pathOf(step), "compose"],
              "nothing says what tests: name the service in exitCodeFrom, or give the step an image and a command",
            ),
          ]
        : []),
      ...(image !== undefined && compose.exitCodeFrom !== undefined
        ? [error([...pathOf(step), "image"], "exitCodeFrom names what runs, which has its own image: leave one out")]
        : []),
      ...(step.input.beside === undefined
        ? []
        : [error([...pathOf(step), "beside"], "the Compose file says what is beside it: leave one of them out")]),
      ...(inputs === undefined
        ? []
        : [
            error(
              [...pathOf(step), "inputs"],
              "it depends on what runs beside it, which no file tells, so it is always run: leave inputs out",
            ),
          ]),
    ];
  return beside.flatMap((name, index) => {
    const at = [...pathOf(step), "beside", index];
    const accessory = accessories[name];
    if (accessory?.image !== undefined) return [];
    if (accessory !== undefined) return [error(at, `the accessory ${name} has no image of its own here`)];
    const guess = nearest(name, Object.keys(accessories));
    const advice = guess === null ? "describe it in accessories" : `did you mean "${guess}"?`;
    return [error(at, `there is no accessory "${name}"; ${advice}`, guess === null ? {} : { guess })];
  });
}

function checkIntegration(step: NamedStep): readonly Finding[] {
  if (!isBuiltIn(step, "integration") || step.input.inputs === undefined || step.input.compose !== undefined) return [];
  const why = "it depends on what runs beside it, which no file tells, so it is always run: leave inputs out";
  return [error([...pathOf(step), "inputs"], why)];
}

/** What is published stays, so nothing of when it is done is left to a default. */
function checkPublish(step: NamedStep): readonly Finding[] {
  if (!isBuiltIn(step, "publish")) return [];
  const { when = {}, needs, inputs } = step.input;
  const at = pathOf(step);
  return [
    ...(when.branch === undefined && when.event === undefined
      ? [
          error(
            [...at, "when"],
            'what is published stays, so say of which branch or by what: when: { branch: ["main"] }, or { event: ["tag"] }',
          ),
        ]
      : []),
    ...(needs === undefined
      ? [error([...at, "needs"], 'say what must have passed before it is published, such as needs: ["unit", "build"]')]
      : []),
    ...(inputs === undefined
      ? []
      : [
          error(
            [...at, "inputs"],
            "what is there already is for its registry to say, so it is always run: leave inputs out",
          ),
        ]),
  ];
}

/** It is the builder that makes an image, of the commit: what is for a command means nothing there. */
function checkImage(step: NamedStep): readonly Finding[] {
  if (!isBuiltIn(step, "image")) return [];
  const at = pathOf(step);
  if (step.service === null)
    return [error(at, "the product has no image; put the step into the pipeline of the service whose image it makes")];
  const forCommands = [
    ...(["path", "matrix", "env", "secrets", "inputs", "outputs", "artifacts", "tools", "reports", "runsOn"] as const),
    ...(["image", "compose"] as const),
  ].filter((key) => step.input[key] !== undefined);
  return forCommands.map((key) =>
    error([...at, key], `the service's image settings say how it is made; a built-in image step has no ${key}`),
  );
}

/** What a step on another machine reads cannot be seen from here. */
function checkAway(step: NamedStep): readonly Finding[] {
  if (step.input.runsOn === undefined || step.input.inputs === undefined) return [];
  const message = "what it reads on another machine is not seen, so it is always run: leave inputs out";
  return [error([...pathOf(step), "inputs"], message)];
}

function checkPlace(
  at: Path,
  name: string | undefined,
  environments: ProductInput["environments"] = {},
): readonly Finding[] {
  const names = Object.keys(environments).length === 0 ? [environmentDefaults.name] : Object.keys(environments);
  if (name === undefined || names.includes(name)) return [];
  const guess = nearest(name, names);
  const advice = guess === null ? "" : `; did you mean "${guess}"?`;
  const more = { because: [["environments", name]], ...(guess === null ? {} : { guess }) };
  return [error(at, `there is no environment "${name}"${advice}`, more)];
}

function pathOf({ service, own }: NamedStep): Path {
  return service === null ? ["pipeline", "steps", own] : ["services", service, "pipeline", "steps", own];
}
