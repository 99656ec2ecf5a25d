import { type ServiceName, serviceName } from "../ids.ts";
import type {
  PipelineCacheInput,
  PipelineInput,
  PipelineStepInput,
  ServicePipelineInput,
  StepComposeInput,
} from "../product/input.ts";
import { type BuiltInStep, builtInSteps, pipelineDefaults, scanFiles } from "../product/pipeline.ts";
import { resolveAccessory } from "../product/resolve-places.ts";
import { bytes, inside, ms, valid } from "../product/resolve-values.ts";
import type { ProductConfig } from "../product/schema.ts";
import { serviceDefaults } from "../product/service.ts";
import { sharedCacheDefaults } from "../product/shared-cache.ts";
import { type LoadPolicy, parseExpectation } from "./load.ts";
import { kindOf, type Parameter, readValue } from "./parameter.ts";
import type { ScanPolicy, Waiver } from "./scan.ts";
import type {
  Pipeline,
  PipelineStep,
  SharedCacheSpec,
  StepBeside,
  StepCompose,
  StepContainer,
  StepWork,
} from "./step.ts";

type Steps = NonNullable<ServicePipelineInput["steps"]>;
/** The steps of one service, or of the product. */
type Group = { readonly service: ServiceName | null; readonly path: string; readonly steps: Steps };

/** A step as the config has it, before its combinations. */
export type NamedStep = Group & { readonly name: string; readonly own: string; readonly input: PipelineStepInput };

/** The pipeline of a product, all defaults applied; null when it has no step. Takes what `validateProduct` has let through. */
export function resolvePipeline(config: ProductConfig): Pipeline | null {
  const named = namedSteps(config);
  if (named.length === 0) return null;
  const combinations = new Map(named.map((step) => [step.name, matrixOf(step.input)]));
  const { pipeline = {} } = config;
  return {
    steps: named.flatMap((step) => combinationsOf(step, combinations, config)),
    parallel: pipeline.parallel ?? null,
    diskBytes: bytes(pipeline.disk ?? pipelineDefaults.disk),
    parameters: resolveParameters(pipeline),
    shared: pipeline.cache === undefined ? null : sharedCacheOf(pipeline.cache),
  };
}

/** As the config has them: also of a pipeline without a step. */
export function resolveParameters({ parameters = {} }: PipelineInput): readonly Parameter[] {
  return Object.entries(parameters).map(([name, input]) => {
    const kind = kindOf(input);
    const read = input.default === undefined ? null : readValue(kind, input.default);
    return {
      name,
      meaning: input.meaning ?? null,
      kind,
      default: read !== null && "value" in read ? read.value : null,
    };
  });
}

function sharedCacheOf({
  endpoint,
  bucket,
  region,
  prefix,
  accessKeyId,
  secretAccessKey,
}: PipelineCacheInput): SharedCacheSpec {
  return {
    endpoint,
    bucket,
    region: region ?? sharedCacheDefaults.region,
    prefix: inside(prefix ?? sharedCacheDefaults.prefix).replace(/^\.$/, ""),
    keyIdFrom: accessKeyId ?? sharedCacheDefaults.accessKeyId,
    keyFrom: secretAccessKey ?? sharedCacheDefaults.secretAccessKey,
  };
}

/** Every step by its full name: `unit` of the product, `api/unit` of a service. */
export function namedSteps(config: Pick<ProductConfig, "pipeline" | "services">): readonly NamedStep[] {
  const groups: readonly Group[] = [
    { service: null, path: ".", steps: config.pipeline?.steps ?? {} },
    ...Object.entries(config.services ?? {}).map(([service, { path, pipeline }]) => ({
      service: serviceName(service),
      path: inside(path ?? serviceDefaults.path),
      steps: pipeline?.steps ?? {},
    })),
  ];
  return groups.flatMap((group) =>
    Object.entries(group.steps).map(([own, input]) => ({
      ...group,
      own,
      name: group.service === null ? own : `${group.service}/${own}`,
      input,
    })),
  );
}

/** An image is made of the commit alone. */
const needNothing: ReadonlySet<BuiltInStep> = new Set(["checkout", "install", "image"]);

/** The full names of what a step needs, as far as they exist; `lost` are those that do not. */
export function needsOf(
  { service, own, input }: NamedStep,
  names: ReadonlySet<string>,
): { readonly found: readonly string[]; readonly lost: readonly string[] } {
  const work = workOf({ own, input });
  const usual = work?.is === "built-in" && !needNothing.has(work.uses) && own !== "install" ? ["install"] : [];
  const asked = input.needs ?? usual;
  const found: string[] = [];
  const lost: string[] = [];
  for (const each of asked) {
    const name = [service === null ? each : `${service}/${each}`, each].find((candidate) => names.has(candidate));
    if (name !== undefined) found.push(name);
    else if (input.needs !== undefined) lost.push(each);
  }
  return { found, lost };
}

/** What it does; null when nothing says it. */
export function workOf({ own, input }: Pick<NamedStep, "own" | "input">): StepWork | null {
  if (input.command !== undefined) return { is: "command", command: input.command };
  if (input.shell !== undefined) return { is: "shell", line: input.shell };
  const service = input.compose?.exitCodeFrom;
  if (service !== undefined) return { is: "service", service };
  const uses = input.uses ?? builtInSteps.find((name): name is BuiltInStep => name === own);
  return uses === undefined ? null : { is: "built-in", uses };
}

/** Every combination of a matrix: one without variables where there is none. */
export function matrixOf({ matrix = {} }: PipelineStepInput): readonly Readonly<Record<string, string>>[] {
  return Object.entries(matrix).reduce<readonly Readonly<Record<string, string>>[]>(
    (all, [name, values]) => all.flatMap((one) => values.map((value) => ({ ...one, [name]: value }))),
    [{}],
  );
}

function combinationsOf(
  step: NamedStep,
  combinations: ReadonlyMap<string, readonly Readonly<Record<string, string>>[]>,
  config: ProductConfig,
): PipelineStep[] {
  const waivers = waiversOf(config);
  const { input } = step;
  const work = workOf(step);
  if (work === null) throw new Error(`an unchecked step was resolved: ${step.name}`);
  const needs = needsOf(step, new Set(combinations.keys())).found.flatMap((name) =>
    (combinations.get(name) ?? []).map((combination) => idOf(name, combination)),
  );
  return (combinations.get(step.name) ?? []).map((combination) => ({
    id: idOf(step.name, combination),
    name: step.name,
    service: step.service,
    work,
    path: input.path === undefined ? step.path : inside(input.path),
    needs: [...new Set(needs)],
    when: {
      branch: input.when?.branch ?? null,
      paths: input.when?.paths ?? null,
      event: input.when?.event ?? null,
    },
    timeoutMs: ms(input.timeout ?? pipelineDefaults.timeout),
    attempts: input.retry === undefined ? 1 : (input.retry.attempts ?? pipelineDefaults.retries),
    retryReason: input.retry?.reason ?? null,
    retryWaitMs: ms(input.retry?.wait ?? pipelineDefaults.retryWait),
    whenLost: input.whenLost ?? pipelineDefaults.whenLost,
    allowFailure: input.allowFailure ?? false,
    env: { ...input.env, ...combination },
    secrets: input.secrets ?? [],
    inputs: input.inputs?.map(inside) ?? null,
    outputs: (input.outputs ?? []).map(inside),
    artifacts: (input.artifacts ?? []).map(inside),
    tools: input.tools ?? [],
    reports: {
      junit: (input.reports?.junit ?? []).map(inside),
      coverage: (input.reports?.coverage ?? []).map(inside),
      sarif: (input.reports?.sarif ?? []).map(inside),
      scan: scanReports(step).map(inside),
      load: (input.reports?.load ?? []).map(inside),
    },
    scan: scanOf(step, waivers),
    load: loadOf(step),
    container: containerOf(step, config),
    runsOn: input.runsOn ?? [],
  }));
}

/** Globs of what a step's scan writes. */
export function scanReports(step: Pick<NamedStep, "own" | "input">): readonly string[] {
  const { reports = {} } = step.input;
  if (reports.scan !== undefined) return reports.scan;
  return isBuiltInScan(step) && reports.sarif === undefined ? scanFiles : [];
}

function scanOf(step: NamedStep, waivers: readonly Waiver[]): ScanPolicy | null {
  const { scan } = step.input;
  if (scan === undefined && !isBuiltInScan(step)) return null;
  return { failOn: scan?.failOn ?? pipelineDefaults.failOn, newSince: scan?.newSince ?? null, waivers };
}

function loadOf({ input: { loadTest } }: NamedStep): LoadPolicy | null {
  if (loadTest === undefined) return null;
  const { environment, expect, minimum = pipelineDefaults.loadMinimum } = loadTest;
  return { environment, expect: expect.map((text) => valid(parseExpectation(text), text)), minimum };
}

/** Ids of the steps that test an environment; none where that is not there. */
export function loadTestsIn(
  config: Pick<ProductConfig, "pipeline" | "services">,
  environment: string | undefined,
): readonly string[] {
  return namedSteps(config)
    .filter(({ input: { loadTest } }) => loadTest !== undefined && loadTest.environment === environment)
    .flatMap((step) => matrixOf(step.input).map((combination) => idOf(step.name, combination)));
}

function containerOf(step: NamedStep, config: ProductConfig): StepContainer | null {
  const { image, network, memory, cpu, beside, ready, compose } = step.input;
  if (image === undefined && compose === undefined) return null;
  const usual = isBuiltIn(step, "integration") && compose === undefined ? accessoriesWithImage(config) : [];
  return {
    engine: config.pipeline?.engine ?? pipelineDefaults.engine,
    image: image ?? null,
    network: network ?? pipelineDefaults.network,
    memoryBytes: bytes(memory ?? pipelineDefaults.memory),
    cpus: cpu ?? null,
    beside: (beside ?? usual).map((name) => besideOf(name, config)),
    readyMs: ms(ready ?? pipelineDefaults.ready),
    ...(compose === undefined ? {} : { compose: composeOf(compose) }),
  };
}

/** What a built-in integration step has beside it where it does not say. */
export function accessoriesWithImage({ accessories = {} }: Pick<ProductConfig, "accessories">): readonly string[] {
  return Object.entries(accessories).flatMap(([name, { image }]) => (image === undefined ? [] : [name]));
}

/** A step whose Compose file is found at its commit, and which says nothing about it. */
export function composedStep(step: PipelineStep, service: string, config: ProductConfig): PipelineStep {
  const compose = { exitCodeFrom: service };
  const { name: own } = step;
  return {
    ...step,
    work: { is: "service", service },
    container: containerOf({ service: null, path: step.path, steps: {}, name: own, own, input: { compose } }, config),
  };
}

function composeOf({ file = pipelineDefaults.composeFile, exitCodeFrom, profiles }: StepComposeInput): StepCompose {
  const files = typeof file === "string" ? [file] : file;
  return { files: files.map(inside), profiles: profiles ?? [], service: exitCodeFrom ?? null };
}

/** Fresh every time: its volumes and the ports of its host are left out. */
function besideOf(name: string, { accessories = {} }: ProductConfig): StepBeside {
  const accessory = accessories[name];
  if (accessory === undefined) throw new Error(`an unchecked step was resolved: it needs ${name}`);
  const { image, command, env, secrets, port, resources } = resolveAccessory(name, accessory);
  const names = Object.keys(secrets ?? {});
  return { name, image, command, env, secrets: names, port, memoryBytes: resources.memoryBytes };
}

export function isBuiltInScan(step: Pick<NamedStep, "own" | "input">): boolean {
  return isBuiltIn(step, "scan");
}

export function isBuiltIn(step: Pick<NamedStep, "own" | "input">, uses: BuiltInStep): boolean {
  const work = workOf(step);
  return work?.is === "built-in" && work.uses === uses;
}

const dayMs = 86_400_000;

function waiversOf({ pipeline }: Pick<ProductConfig, "pipeline">): readonly Waiver[] {
  return (pipeline?.waivers ?? []).map(({ finding, in: where, owner, reason, expires }) => ({
    finding,
    in: where ?? null,
    owner,
    reason,
    until: Date.parse(`${expires}T00:00:00Z`) + dayMs,
  }));
}

function idOf(name: string, combination: Readonly<Record<string, string>>): string {
  const values = Object.entries(combination).map(([key, value]) => `${key}=${value}`);
  return values.length === 0 ? name : `${name}[${values.join(",")}]`;
}
