import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { SlipwayError } from "../../core/errors/error.ts";
import { builtIn, type Found, tellingFiles } from "../../core/pipeline/built-in.ts";
import { planRun, unknownNames } from "../../core/pipeline/plan.ts";
import { loadTestsIn, resolvePipeline } from "../../core/pipeline/resolve.ts";
import type { PipelineStep, SharedCacheSpec, StepCompose } from "../../core/pipeline/step.ts";
import { nearest } from "../../core/product/guess.ts";
import type { BuiltInStep } from "../../core/product/pipeline.ts";
import type { ProductConfig } from "../../core/product/schema.ts";
import { type StepImage, stepImage } from "../release/make-image.ts";
import type { ReleaseConfig } from "../release/read.ts";
import { type Asked, parametersOf, parameterVariables } from "./asked.ts";
import { integrationAt } from "./integration.ts";
import { type ReadStack, type StackRequest, stackProblems } from "./step-container.ts";

/** A step with what is really run. */
export type StepSpec = {
  readonly step: PipelineStep;
  /** One after the other, while they pass; a step with none has passed. */
  readonly commands: readonly (readonly string[])[];
  /** Relative to the top of the checkout. */
  readonly directory: string;
  readonly skipped: string | null;
  /** What a built-in image step makes; absent of any other. */
  readonly image?: StepImage;
};

export type RunPlan = {
  readonly steps: readonly StepSpec[];
  /** Null: as many as there are cores. */
  readonly parallel: number | null;
  readonly diskBytes: number;
  readonly parameters: Readonly<Record<string, string>>;
  /** Left out by the program before: nothing is shared. */
  readonly shared?: SharedCacheSpec | null;
};

type Checkout = {
  /** Of the product, in the checkout. */
  readonly directory: string;
  readonly prefix: string;
  readonly branch: string | null;
  readonly changed: () => Promise<readonly string[] | null>;
  /** Its top, with all that the product may read; and how its Compose files are read. */
  readonly top: string;
  readonly readStack: ReadStack;
  /** The config as a release would keep it. */
  readonly released: () => Promise<ReleaseConfig>;
  /** Whether it has what is not committed. */
  readonly dirty: boolean;
};

/** What a run of the product's pipeline does on this checkout; null where it has none. Errors: USAGE, PIPELINE_INVALID. */
export async function planSteps(config: ProductConfig, whole: Asked, checkout: Checkout): Promise<RunPlan | null> {
  const asked = { ...whole, steps: [...whole.steps, ...loadTests(config, whole)] };
  const pipeline = resolvePipeline(config);
  if (pipeline === null) {
    if (asked.release) return null;
    throw new SlipwayError("PIPELINE_INVALID", {
      message: `the config of ${config.name} has no pipeline`,
      hint: "add one, such as pipeline: { steps: { install: {}, unit: {} } }; see: slipway explain pipeline",
    });
  }
  const names = [...new Set(pipeline.steps.map(({ name }) => name))];
  const [unknown] = unknownNames(pipeline, asked);
  if (unknown !== undefined) {
    const near = nearest(unknown, names);
    throw new SlipwayError("USAGE", {
      message: `the pipeline has no step ${JSON.stringify(unknown)}`,
      evidence: [["steps", names.join(", ")]],
      hint: near === null ? "name one of the steps of the config" : `did you mean ${near}?`,
    });
  }
  const service = asked.services.find((name) => !pipeline.steps.some((step) => step.service === name));
  if (service !== undefined)
    throw new SlipwayError("UNKNOWN_SERVICE", {
      message: `no service ${JSON.stringify(service)} has steps of its own`,
    });
  const parameters = parametersOf(pipeline, asked.parameters);
  const usesPaths = pipeline.steps.some(({ when }) => when.paths !== null);
  const planned = planRun(pipeline, {
    event: asked.event,
    branch: asked.branch ?? checkout.branch,
    changed: usesPaths ? await checkout.changed() : null,
    steps: asked.steps,
    services: asked.services,
  });
  const look = looker(checkout.directory);
  const stackAt = (step: PipelineStep, compose: StepCompose) =>
    checkout.readStack(
      stackRequest({ step, directory: join(checkout.prefix, step.path) }, compose, checkout, parameters),
    );
  const missing: [string, string][] = [];
  const wrong: [string, string][] = [];
  const steps: StepSpec[] = [];
  for (const { step: asConfigured, skipped: left } of planned) {
    const skipped =
      left ?? (checkout.dirty && isBuiltIn(asConfigured, "publish") ? "what is not committed is not published" : null);
    const step =
      skipped === null ? await integrationAt(asConfigured, { config, look, readStack: stackAt }) : asConfigured;
    if (typeof step === "string") {
      missing.push([asConfigured.id, step]);
      continue;
    }
    const found = skipped === null ? await commandsOf(step, look) : { commands: [], atTop: false };
    if (typeof found === "string") missing.push([step.id, found]);
    else {
      const directory = join(checkout.prefix, found.atTop ? "." : step.path);
      const image =
        skipped === null && isBuiltIn(step, "image")
          ? stepImage(await checkout.released(), step.service, checkout.prefix)
          : undefined;
      if (image === null) {
        missing.push([step.id, `no image of ${step.service} is built: it has one already, or is a container nowhere`]);
        continue;
      }
      steps.push({ step, commands: found.commands, directory, skipped, ...(image === undefined ? {} : { image }) });
      if (skipped === null) wrong.push(...stackFaults({ step, directory }, checkout, parameters));
    }
  }
  if (missing.length > 0)
    throw new SlipwayError("PIPELINE_INVALID", {
      message: `${missing.length === 1 ? "a built-in step has" : `${missing.length} built-in steps have`} nothing to run at this commit`,
      evidence: missing,
    });
  if (wrong.length > 0)
    throw new SlipwayError("PIPELINE_INVALID", {
      message: "a Compose file of the pipeline cannot be used at this commit",
      evidence: wrong,
      hint: "see: slipway explain pipeline.steps.*.compose",
    });
  return { steps, parallel: pipeline.parallel, diskBytes: pipeline.diskBytes, parameters, shared: pipeline.shared };
}

/** What is wrong with its Compose file, before anything has run: secrets are known later, and something stands for them here. */
function stackFaults(
  { step, directory }: Pick<StepSpec, "step" | "directory">,
  { top, readStack }: Pick<Checkout, "top" | "readStack">,
  parameters: Readonly<Record<string, string>>,
): [string, string][] {
  const compose = step.container?.compose;
  if (compose === undefined) return [];
  const reading = readStack(stackRequest({ step, directory }, compose, { top }, parameters));
  return stackProblems(reading).map((text) => [step.id, text]);
}

function stackRequest(
  { step, directory }: Pick<StepSpec, "step" | "directory">,
  compose: StepCompose,
  { top }: Pick<Checkout, "top">,
  parameters: Readonly<Record<string, string>>,
): StackRequest {
  const ofRun = step.inputs === null ? ["SLIPWAY_RUN", "SLIPWAY_COMMIT"] : [];
  const later = [...step.secrets, "SLIPWAY_STEP", ...ofRun].map((name) => [name, "later"]);
  const variables = { ...parameterVariables(parameters), ...Object.fromEntries(later), CI: "true", ...step.env };
  return { ...compose, directory: join(top, directory), checkout: top, variables };
}

function isBuiltIn({ work }: PipelineStep, uses: BuiltInStep): boolean {
  return work.is === "built-in" && work.uses === uses;
}

function loadTests(config: ProductConfig, { loadTest: environment }: Asked): readonly string[] {
  if (environment === undefined) return [];
  const steps = loadTestsIn(config, environment);
  if (steps.length > 0) return steps;
  throw new SlipwayError("PIPELINE_INVALID", {
    message: `no step of the pipeline has a loadTest in ${environment}`,
    hint: "see: slipway explain pipeline.steps.*.loadTest",
  });
}

/** What it runs, or what is missing for it. */
export async function commandsOf(
  { work, path }: PipelineStep,
  look: (path: string) => Promise<Found>,
): Promise<{ readonly commands: readonly (readonly string[])[]; readonly atTop: boolean } | string> {
  if (work.is === "command") return { commands: [work.command], atTop: false };
  // It has its own, which its image and its Compose file say.
  if (work.is === "service") return { commands: [], atTop: false };
  if (work.is === "shell") return { commands: [["sh", "-euc", work.line]], atTop: false };
  const found = builtIn(work.uses, await look(path), await look("."));
  return found.is === "commands" ? found : found.missing;
}

/** Larger ones are no package.json. */
const maxFileBytes = 1024 * 1024;

/** What directories have, each looked at once. */
export function looker(directory: string): (path: string) => Promise<Found> {
  const known = new Map<string, Promise<Found>>();
  return (path) => {
    const found = known.get(path) ?? lookAt(directory, path);
    known.set(path, found);
    return found;
  };
}

async function lookAt(top: string, path: string): Promise<Found> {
  const directory = join(top, path);
  const there = await Promise.all(
    tellingFiles.map(async (name) => ({ name, size: await sizeOf(join(directory, name)) })),
  );
  const text = async (name: string): Promise<string> => {
    const size = there.find((file) => file.name === name)?.size ?? null;
    return size === null || size > maxFileBytes ? "" : readFile(join(directory, name), "utf8");
  };
  return {
    path,
    ...packageOf(await text("package.json")),
    files: there.flatMap(({ name, size }) => (size === null ? [] : [name])),
    pyproject: await text("pyproject.toml"),
  };
}

async function sizeOf(file: string): Promise<number | null> {
  const found = await stat(file).catch(() => null);
  return found?.isFile() === true ? found.size : null;
}

function packageOf(text: string): Pick<Found, "scripts" | "packageManager" | "package"> {
  try {
    const { scripts, packageManager, name, version, private: isPrivate } = JSON.parse(text) as Record<string, unknown>;
    return {
      scripts: typeof scripts === "object" && scripts !== null ? (scripts as Record<string, string>) : {},
      packageManager: typeof packageManager === "string" ? packageManager : null,
      package:
        typeof name === "string" && typeof version === "string"
          ? { name, version, isPrivate: isPrivate === true }
          : null,
    };
  } catch {
    return { scripts: null, packageManager: null, package: null };
  }
}
