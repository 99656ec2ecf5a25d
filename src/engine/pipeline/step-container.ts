import { join } from "node:path";
import { besideService, type StackReading } from "../../core/compose/stack.ts";
import type { StepCompose } from "../../core/pipeline/step.ts";
import type { JobContainer } from "../../ports/executor.ts";
import type { World } from "../world.ts";
import type { StepSpec } from "./plan-steps.ts";

/** A Compose project of a checkout, as one step has it. */
export type StackRequest = StepCompose & {
  /** Absolute: of the step, which its files are relative to; and the top of the checkout, which everything has to be in. */
  readonly directory: string;
  readonly checkout: string;
  /** What `$NAME` in it is looked up in, before a `.env` beside it. */
  readonly variables: Readonly<Record<string, string>>;
};

export type ReadStack = (request: StackRequest) => StackReading;

/** Why a Compose file cannot be used, one sentence for each problem; empty when it can. */
export function stackProblems({ problems }: StackReading): readonly string[] {
  return problems
    .filter(({ severity }) => severity === "error")
    .map(({ path, message }) => (path === "" ? message : `${path} ${message}`));
}

/** The container of a step with all that is beside it, or why there can be none; null for a process of this machine. */
export function stepContainer(
  { readStack }: Pick<World, "readStack">,
  { step, directory }: StepSpec,
  {
    checkout,
    variables,
    besides,
  }: {
    readonly checkout: string;
    /** The step's own environment, secrets among it. */
    readonly variables: Readonly<Record<string, string>>;
    /** Values of the secrets of its accessories. */
    readonly besides: Readonly<Record<string, string>>;
  },
): JobContainer | string | null {
  // One that was planned by the program before has none.
  const container = step.container ?? null;
  if (container === null) return null;
  const { engine, image, network, memoryBytes, cpus, readyMs, compose } = container;
  const shared = { engine, mount: checkout, network, memoryBytes, cpus, readyMs };
  if (compose === undefined) {
    if (image === null) throw new Error(`an unchecked step was planned: ${step.id} has no image`);
    const beside = container.beside.map(({ secrets, ...each }) =>
      besideService({
        ...each,
        env: { ...each.env, ...Object.fromEntries(secrets.map((name) => [name, besides[name] ?? ""])) },
      }),
    );
    const networks = beside.length === 0 ? [] : [{ key: "default", internal: false }];
    return { ...shared, runs: { is: "command", image }, networks, volumes: [], beside };
  }
  const reading = readStack({ ...compose, directory: join(checkout, directory), checkout, variables });
  const { stack } = reading;
  if (stack === null) return stackProblems(reading).join("; ");
  const { networks, volumes, beside, service } = stack;
  const runs: JobContainer["runs"] | null =
    service !== null ? { is: "service", service } : image === null ? null : { is: "command", image };
  if (runs === null) throw new Error(`an unchecked step was planned: ${step.id} has nothing to run`);
  return { ...shared, runs, networks, volumes, beside };
}
