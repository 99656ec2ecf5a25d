import type { StackReading } from "../../core/compose/stack.ts";
import type { Found } from "../../core/pipeline/built-in.ts";
import { accessoriesWithImage, composedStep } from "../../core/pipeline/resolve.ts";
import type { PipelineStep, StepCompose } from "../../core/pipeline/step.ts";
import { pipelineDefaults } from "../../core/product/pipeline.ts";
import type { ProductConfig } from "../../core/product/schema.ts";

/** What the service that tests is usually called. */
const testers = ["tests", "test", "integration", "sut"];

type At = {
  readonly config: ProductConfig;
  readonly look: (path: string) => Promise<Found>;
  readonly readStack: (step: PipelineStep, compose: StepCompose) => StackReading;
};

/**
 * A step as it is at its commit: a built-in integration step without an image of its own brings up the Compose file that is there. Any
 * other is as it was. A text says what is missing.
 */
export async function integrationAt(
  step: PipelineStep,
  { config, look, readStack }: At,
): Promise<PipelineStep | string> {
  if (step.work.is !== "built-in" || step.work.uses !== "integration" || step.container !== null) return step;
  const file = pipelineDefaults.composeFile;
  if (!(await look(step.path)).files.includes(file)) {
    const [accessory] = accessoriesWithImage(config);
    if (accessory === undefined) return step;
    return `there is no ${file} in ${step.path}; to have ${accessory} beside it, name the image that its tests run in`;
  }
  const { stack, problems } = readStack(step, { files: [file], profiles: [], service: null });
  if (stack === null) return problems.map(({ path, message }) => `${path} ${message}`.trim()).join("; ");
  const names = stack.beside.map(({ name }) => name);
  const service = testers.find((name) => names.includes(name));
  if (service !== undefined) return composedStep(step, service, config);
  const known = testers.join(", ");
  return `${file} has ${names.join(", ")}, and no service called ${known}: name it in compose.exitCodeFrom, or give the step an image`;
}
