import { SlipwayError } from "../errors/error.ts";
import { type EnvironmentName, environmentName, type ServiceName, serviceName } from "../ids.ts";
import { loadTestsIn } from "../pipeline/resolve.ts";
import { defaultHealing } from "../recover/healing.ts";
import { normalPath, parseListen, parseRoute } from "./addresses.ts";
import { type ComposedEnvironment, namesOf } from "./composed.ts";
import { edgeDefaults } from "./edge.ts";
import { environmentDefaults } from "./environment.ts";
import { resolveFlag, resolveFlagServer } from "./flags.ts";
import { nearest } from "./guess.ts";
import { frontPageStatuses, healthDefaults } from "./health.ts";
import type {
  EdgeInput,
  GatesInput,
  HealthInput,
  HstsInput,
  OptInInput,
  PreviewsInput,
  RolloutInput,
  RouteInput,
  RuleInput,
  RulesInput,
  ScaleInput,
  ServiceInput,
  StepInput,
} from "./input.ts";
import { type Merged, mergeEnvironment } from "./merge.ts";
import { accessoryOver, besideComposed, serviceOver } from "./resolve-composed.ts";
import { type People, resolveGates, resolvePeople, resolveStepGates } from "./resolve-gates.ts";
import {
  resolveAccessory,
  resolveContainer,
  resolveImage,
  resolveKeptRegistry,
  resolveTarget,
  resolveTls,
  unsetSecrets,
} from "./resolve-places.ts";
import { resolvePreviews } from "./resolve-previews.ts";
import { resolveMetric, resolveProbe } from "./resolve-probes.ts";
import { bytes, inside, ms, range, ratio, valid } from "./resolve-values.ts";
import { rolloutDefaults } from "./rollout.ts";
import { rulesDefaults } from "./rollout-rules.ts";
import { ruleDefaults } from "./rules.ts";
import { scaleDefaults } from "./scale.ts";
import type { ProductConfig } from "./schema.ts";
import { serviceDefaults } from "./service.ts";
import type {
  CanarySpec,
  EdgeSpec,
  EnvironmentSpec,
  HealthSpec,
  HstsSpec,
  OptInSpec,
  RolloutSpec,
  RouteSpec,
  RuleSpec,
  ScaleSpec,
  ServiceSpec,
} from "./spec.ts";

/** The environments of a product, in the order of the file; one `production` when it names none. */
export function environmentNames(config: ProductConfig): readonly EnvironmentName[] {
  const names = Object.keys(config.environments ?? {});
  return (names.length > 0 ? names : [environmentDefaults.name]).map(environmentName);
}

/**
 * One environment with every default and override applied. Pure; the same for the same config. Takes what
 * `validateProduct` has let through. Errors: UNKNOWN_ENVIRONMENT.
 */
export function resolveEnvironment(config: ProductConfig, name: string): EnvironmentSpec {
  const names = environmentNames(config);
  if (!names.some((known) => known === name)) throw unknownEnvironment(name, names);
  const here = config.environments?.[name];
  const composed = config.composed?.[name] ?? null;
  const merged = mergeEnvironment(config, name, composed === null ? undefined : namesOf(composed));
  return resolveMerged(merged, name, {
    promoteFrom: here?.promoteFrom ?? null,
    gates: here?.gates,
    previews: here?.previews,
    composed,
    loadTests: loadTestsIn(config, here?.promoteFrom),
    onwards: onwardsOf(config, name),
  });
}

/** Those that are promoted from it without anybody asking. */
export function onwardsOf({ environments = {} }: Pick<ProductConfig, "environments">, name: string) {
  return Object.entries(environments).flatMap(([other, { promoteFrom, promotion }]) =>
    promoteFrom === name && promotion === "automatic" ? [environmentName(other)] : [],
  );
}

export function resolveMerged(
  product: Merged,
  name: string,
  {
    promoteFrom,
    gates,
    previews,
    composed,
    loadTests,
    onwards,
  }: {
    readonly promoteFrom: string | null;
    readonly gates: GatesInput | undefined;
    readonly previews: PreviewsInput | undefined;
    readonly composed: ComposedEnvironment | null;
    readonly loadTests: readonly string[];
    readonly onwards: readonly EnvironmentName[];
  },
): EnvironmentSpec {
  const services = Object.entries(product.services).map(([service, input]) => {
    const under = composed?.services[serviceName(service)];
    const told = resolveService(service, { ...input, kind: input.kind ?? under?.kind ?? "web" });
    if (under !== undefined) return [told.name, serviceOver(under, input, told)] as const;
    return [told.name, composed === null ? told : besideComposed(told, composed)] as const;
  });
  const template = previews === undefined ? null : resolvePreviews(previews);
  const people = resolvePeople(product);
  const accessories = Object.entries(product.accessories ?? {}).map(([accessory, input]) => {
    const under = composed?.accessories[accessory];
    const told = resolveAccessory(accessory, input);
    return [accessory, under === undefined ? told : accessoryOver(under, input, told)] as const;
  });
  return {
    product: product.name,
    environment: environmentName(name),
    services: Object.fromEntries(template === null ? services : services.map(atHost(template.host))) as Record<
      ServiceName,
      ServiceSpec
    >,
    accessories: Object.fromEntries(accessories),
    probes: Object.entries(product.probes ?? {}).map(([each, input]) => resolveProbe(each, input)),
    metrics: Object.entries(product.metrics ?? {}).map(([each, input]) => resolveMetric(each, input)),
    registry: resolveKeptRegistry(product.registry),
    target: resolveTarget(product.target, product.registry),
    rollout: resolveRollout(product.rollout ?? {}, people),
    edge: resolveEdge(product.edge ?? {}),
    promoteFrom: promoteFrom === null ? null : environmentName(promoteFrom),
    ...resolveGates(gates, people),
    ...(onwards.length === 0 ? {} : { onwards }),
    ...(loadTests.length === 0 ? {} : { loadTests }),
    ...(template === null ? {} : { previews: template }),
    retention: { releases: product.retention?.releases ?? environmentDefaults.releases },
    ...(composed === null ? {} : { compose: composed.compose }),
    ...resolveFlags(product),
    rules: Object.fromEntries(Object.entries(product.rules ?? {}).map(([each, rule]) => [each, resolveRule(rule)])),
    notifiers: Object.fromEntries(
      Object.entries(product.notifiers ?? {}).map(([each, { urlFrom, format = ruleDefaults.format }]) => [
        each,
        { urlFrom, format },
      ]),
    ),
  };
}

function resolveRule(rule: string | RuleInput): RuleSpec {
  const { when, ...own }: RuleInput = typeof rule === "string" ? { when: rule } : rule;
  return {
    when,
    minimum: own.minimum ?? ruleDefaults.minimum,
    looks: own.looks ?? ruleDefaults.looks,
    whenUnknown: own.whenUnknown ?? ruleDefaults.whenUnknown,
    dryRun: own.dryRun ?? false,
  };
}

/** Whatever hosts its routes have elsewhere: a preview that answered at one of those would take it from whoever has it. */
function atHost(host: string) {
  return ([name, service]: readonly [ServiceName, ServiceSpec]): readonly [ServiceName, ServiceSpec] => [
    name,
    { ...service, routes: service.routes.map((route) => ({ ...route, host })) },
  ];
}

type KnownService = ServiceInput & { readonly kind: NonNullable<ServiceInput["kind"]> };

function resolveService(name: string, service: KnownService): ServiceSpec {
  const { build, resources } = service;
  const answersRequests = service.kind === "web" || service.kind === "static";
  return {
    name: serviceName(name),
    kind: service.kind,
    path: inside(service.path ?? serviceDefaults.path),
    build:
      build === undefined
        ? null
        : {
            command: build.command,
            output: inside(build.output ?? serviceDefaults.buildOutput),
            timeoutMs: ms(build.timeout ?? serviceDefaults.buildTimeout),
          },
    image: resolveImage(service.image),
    container: resolveContainer(service),
    command: service.command ?? [],
    fallbackFile: service.fallback === undefined ? null : inside(service.fallback),
    health: resolveHealth(service.kind, service.health ?? {}),
    ...resolveRestore(service),
    stopGraceMs: ms(service.stopGrace ?? serviceDefaults.stopGrace),
    instances: service.instances ?? service.scale?.min ?? serviceDefaults.instances,
    ...(service.scale === undefined ? {} : { scale: resolveScale(service.scale) }),
    env: service.env ?? {},
    ...unsetSecrets(service.secrets),
    needs: (service.needs ?? []).map(serviceName),
    routes: answersRequests ? resolveRoutes(service.routes ?? serviceDefaults.routes) : [],
    resources: {
      memoryBytes: resources?.memory === undefined ? null : bytes(resources.memory),
      cpus: resources?.cpu ?? null,
    },
  };
}

function resolveScale({ min, max, cpu, memory, when = [], ...own }: ScaleInput): ScaleSpec {
  const isGiven = cpu !== undefined || memory !== undefined || when.length > 0;
  const cpuLimit = cpu ?? (isGiven ? undefined : scaleDefaults.cpu);
  return {
    min: min ?? scaleDefaults.min,
    max: max ?? scaleDefaults.max,
    targets: [
      ...(cpuLimit === undefined ? [] : [`cpu > ${cpuLimit}`]),
      ...(memory === undefined ? [] : [`memory share > ${memory}`]),
      ...when,
    ],
    upAfterMs: ms(own.upAfter ?? scaleDefaults.upAfter),
    downAfterMs: ms(own.downAfter ?? scaleDefaults.downAfter),
    step: own.step ?? scaleDefaults.step,
    suggest: own.suggest ?? false,
  };
}

/** What is not said is by its kind, and not in the release. */
export function resolveRestore({ tier, restoreWithin }: ServiceInput): Pick<ServiceSpec, "restore"> {
  if (tier === undefined && restoreWithin === undefined) return {};
  return {
    restore: {
      ...(tier !== undefined && { tier }),
      ...(restoreWithin !== undefined && { withinMs: ms(restoreWithin) }),
    },
  };
}

function resolveHealth(kind: KnownService["kind"], health: HealthInput): HealthSpec {
  const listens = kind === "web" || kind === "static";
  const deadline = kind === "job" ? healthDefaults.deadlineOfJob : healthDefaults.deadline;
  const startPeriod = kind === "worker" ? healthDefaults.startPeriodWithoutPath : healthDefaults.startPeriod;
  return {
    path: listens ? (health.path ?? healthDefaults.path) : null,
    status: resolveStatus(health, listens),
    body: health.body ?? null,
    intervalMs: ms(health.interval ?? healthDefaults.interval),
    timeoutMs: ms(health.timeout ?? healthDefaults.timeout),
    retries: health.retries ?? healthDefaults.retries,
    startPeriodMs: ms(health.startPeriod ?? startPeriod),
    deadlineMs: ms(health.deadline ?? deadline),
    ...resolveHealing(health),
  };
}

/** What is not said is not in the release, so that a default of ours is no change of the config. */
function resolveHealing({ restarts, restartAfter, restartWithin }: HealthInput): Pick<HealthSpec, "healing"> {
  if (restarts === undefined && restartAfter === undefined && restartWithin === undefined) return {};
  return {
    healing: {
      limit: restarts ?? defaultHealing.limit,
      afterMs: restartAfter === undefined ? defaultHealing.afterMs : ms(restartAfter),
      withinMs: restartWithin === undefined ? defaultHealing.withinMs : ms(restartWithin),
    },
  };
}

function resolveStatus({ path, status }: HealthInput, listens: boolean): readonly number[] | null {
  if (status !== undefined) return typeof status === "number" ? [status] : status;
  return listens && path === undefined ? frontPageStatuses : null;
}

function resolveRoutes(routes: string | readonly (string | RouteInput)[]): readonly RouteSpec[] {
  return (typeof routes === "string" ? [routes] : routes).map((route) => {
    if (typeof route === "string") return { ...valid(parseRoute(route), route), strip: serviceDefaults.routeStrip };
    return {
      host: route.host ?? null,
      path: normalPath(route.path ?? serviceDefaults.routePath),
      strip: route.strip ?? serviceDefaults.routeStrip,
    };
  });
}

function resolveBatch(batch: NonNullable<RolloutInput["batch"]>): RolloutSpec["batch"] {
  return typeof batch === "number" ? { instances: batch } : ratio(batch);
}

function resolveRollout(rollout: RolloutInput, people: People): RolloutSpec {
  const strategy = rollout.strategy ?? rolloutDefaults.strategy;
  return {
    strategy,
    ...(strategy === "canary" ? { canary: resolveCanary(rollout, people) } : {}),
    bakeMs: ms(rollout.bake ?? rolloutDefaults.bake),
    batch: resolveBatch(rollout.batch ?? rolloutDefaults.batch),
    ...(rollout.endEarly === undefined || rollout.endEarly === rolloutDefaults.endEarly
      ? {}
      : { endEarly: rollout.endEarly }),
    drainMs: ms(rollout.drain ?? rolloutDefaults.drain),
    streamLimitMs: ms(rollout.streamLimit ?? rolloutDefaults.streamLimit),
    rules: resolveRules(rollout.rules ?? {}),
    whenBusy: rollout.whenBusy ?? rolloutDefaults.whenBusy,
  };
}

/** Nothing where there are none, so that a config without them is what it was. */
function resolveFlags({ flags = {}, flagServer }: Merged): Pick<EnvironmentSpec, "flags" | "flagServer"> {
  const named = Object.entries(flags).map(([name, input]) => [name, resolveFlag(input)] as const);
  return {
    ...(named.length === 0 ? {} : { flags: Object.fromEntries(named) }),
    ...(flagServer === undefined ? {} : { flagServer: resolveFlagServer(flagServer) }),
  };
}

function resolveRules(rules: RulesInput): RolloutSpec["rules"] {
  const { errorRatio = {}, latency = {} } = rules;
  return {
    errorRatio:
      errorRatio === false
        ? null
        : {
            margin: ratio(errorRatio.margin ?? rulesDefaults.margin),
            minimum: errorRatio.minimum ?? rulesDefaults.minimum,
            ...(errorRatio.warmUp === undefined || ms(errorRatio.warmUp) === 0
              ? {}
              : {
                  cold: {
                    forMs: ms(errorRatio.warmUp),
                    margin: ratio(errorRatio.coldMargin ?? rulesDefaults.coldMargin),
                  },
                }),
          },
    latency:
      latency === false
        ? null
        : {
            factor: latency.factor ?? rulesDefaults.factor,
            floorMs: ms(latency.floor ?? rulesDefaults.floor),
            quantiles: (latency.quantiles ?? rulesDefaults.quantiles).map((name) => Number(name.slice(1)) / 100),
            minimum: latency.minimum ?? rulesDefaults.latencyMinimum,
            warmUpMs: ms(latency.warmUp ?? rulesDefaults.warmUp),
          },
    falseAlarms: ratio(rules.falseAlarms ?? rulesDefaults.falseAlarms),
    healthLost: rules.healthLost ?? rulesDefaults.healthLost,
  };
}

function resolveCanary(rollout: RolloutInput, people: People): CanarySpec {
  const { synthetic = false } = rollout;
  const bake = rollout.stepBake ?? rolloutDefaults.stepBake;
  const promotion = rollout.promotion ?? rolloutDefaults.promotion;
  return {
    steps: (rollout.steps ?? rolloutDefaults.steps).map((step) => {
      const own: StepInput = typeof step === "string" ? { weight: step } : step;
      return {
        weight: ratio(own.weight),
        bakeMs: ms(own.bake ?? bake),
        promotion: own.promotion ?? promotion,
        ...resolveStepGates(own.gates, people),
      };
    }),
    minimum: rollout.stepMinimum ?? rolloutDefaults.stepMinimum,
    limitMs: ms(rollout.stepLimit ?? rolloutDefaults.stepLimit),
    instances: rollout.stepInstances ?? rolloutDefaults.stepInstances,
    synthetic: synthetic === false ? null : synthetic,
  };
}

function resolveEdge(edge: EdgeInput): EdgeSpec {
  const listen = edge.listen ?? edgeDefaults.listen;
  const { rateLimit = false, sticky = false, optIn = false } = edge;
  return {
    driver: edge.driver ?? edgeDefaults.driver,
    server: edge.server ?? null,
    tls: resolveTls(edge.tls ?? false),
    listen: valid(parseListen(listen), listen),
    ...(edge.address === undefined ? {} : { address: edge.address }),
    trustedProxies: (edge.trustedProxies ?? []).map(range),
    redirectToHttps: edge.redirectToHttps ?? (edge.tls ? "named" : false),
    redirectWww: edge.redirectWww ?? false,
    headers: resolveHeaders(edge.headers ?? {}),
    ...(edge.hsts ? { hsts: resolveHsts(edge.hsts) } : {}),
    cors: resolveCors(edge.cors ?? false),
    allowLists: (edge.allowLists ?? []).map(({ path, allow }) => ({
      prefix: normalPath(path),
      allow: allow.map(range),
    })),
    rateLimit: rateLimit === false ? null : { requests: rateLimit.requests, perMs: ms(rateLimit.per) },
    bodyBytes: bytes(edge.bodyLimit ?? edgeDefaults.bodyLimit),
    sticky: sticky === false ? null : sticky,
    ...(optIn === false ? {} : resolveOptIn(optIn)),
    maintenance: edge.maintenance ?? false,
  };
}

/** Which of header and cookie is meant has been checked. */
function resolveOptIn(optIn: OptInInput): { readonly optIn?: OptInSpec } {
  const { header, cookie, candidate = edgeDefaults.optInCandidate, stable = edgeDefaults.optInStable } = optIn;
  if (header !== undefined) return { optIn: { header, candidate, stable } };
  return cookie === undefined ? {} : { optIn: { cookie, candidate, stable } };
}

/** Names in small letters, so that two spellings of one header are one header; false takes a default away. */
function resolveHeaders(headers: NonNullable<EdgeInput["headers"]>): Record<string, string> {
  const own = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value] as const);
  const all: [string, string | false][] = Object.entries({ ...edgeDefaults.headers, ...Object.fromEntries(own) });
  return Object.fromEntries(all.filter((header): header is [string, string] => header[1] !== false));
}

function resolveHsts({ maxAge, includeSubDomains = false, preload = false }: HstsInput): HstsSpec {
  return { maxAgeS: Math.floor(ms(maxAge) / 1000), includeSubDomains, preload };
}

function resolveCors(cors: NonNullable<EdgeInput["cors"]>): EdgeSpec["cors"] {
  if (cors === false) return null;
  return {
    origins: cors.origins,
    methods: cors.methods ?? edgeDefaults.corsMethods,
    headers: (cors.headers ?? edgeDefaults.corsHeaders).map((name) => name.toLowerCase()),
    credentials: cors.credentials ?? edgeDefaults.corsCredentials,
    maxAgeS: Math.floor(ms(cors.maxAge ?? edgeDefaults.corsMaxAge) / 1000),
  };
}

function unknownEnvironment(name: string, names: readonly string[]): SlipwayError {
  const guess = nearest(name, names);
  return new SlipwayError("UNKNOWN_ENVIRONMENT", {
    message: `there is no environment "${name}"`,
    evidence: [["known", names.join(", ")]],
    ...(guess === null ? {} : { hint: `did you mean "${guess}"?` }),
  });
}
