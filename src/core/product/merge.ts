import type {
  AccessoryInput,
  AccessoryOverride,
  ProductInput,
  RulesInput,
  RulesOverride,
  ServiceInput,
  ServiceOverride,
  TlsInput,
  TlsOverride,
} from "./input.ts";

/** A product's own part, without its environments. */
export type Merged = Omit<ProductInput, "environments" | "services"> & { services: Record<string, ServiceInput> };

/** Services and accessories that a Compose file has: they are there also when nothing is said about them. */
export type ComposedNames = { readonly services: readonly string[]; readonly accessories: readonly string[] };

/**
 * The product as one environment has it, still in the user's terms. Maps are merged key by key; texts, numbers and lists
 * replace; null takes the product's value away, so that the default holds; a service that is null is left out. The result
 * has still to be checked: half of a limit here and nothing in the product make half of a limit.
 */
export function mergeEnvironment(product: ProductInput, name: string, composed: ComposedNames = none): Merged {
  const { environments = {}, ...base } = product;
  const here = Object.hasOwn(environments, name) ? (environments[name] ?? {}) : {};
  return present({
    ...base,
    services: mergeNamed(withNames(base.services ?? {}, composed.services), here.services, mergeService) ?? {},
    rollout: mergeKeys(base.rollout, here.rollout, {
      rules: mergeRules(base.rollout?.rules, here.rollout?.rules),
      synthetic: mergeSwitched(base.rollout?.synthetic, here.rollout?.synthetic),
    }),
    edge: mergeKeys(base.edge, here.edge, {
      headers: mergeKeys(smallLetters(base.edge?.headers), smallLetters(here.edge?.headers)),
      cors: mergeSwitched(base.edge?.cors, here.edge?.cors),
      hsts: mergeSwitched(base.edge?.hsts, here.edge?.hsts),
      rateLimit: mergeSwitched(base.edge?.rateLimit, here.edge?.rateLimit),
      tls: mergeTls(base.edge?.tls, here.edge?.tls),
    }),
    accessories: mergeNamed(withNames(base.accessories, composed.accessories), here.accessories, mergeAccessory),
    probes: replaceNamed(base.probes, here.probes),
    rules: replaceNamed(base.rules, here.rules),
    notifiers: replaceNamed(base.notifiers, here.notifiers),
    flags: replaceNamed(base.flags, here.flags),
    metrics: replaceNamed(base.metrics, here.metrics),
    registry: mergeKeys(base.registry, here.registry, {
      retention: mergeKeys(base.registry?.retention, here.registry?.retention),
    }),
    retention: mergeKeys(base.retention, here.retention),
    target: mergeKeys(base.target, here.target, {
      variables: mergeKeys(base.target?.variables, here.target?.variables),
    }),
  }) as Merged;
}

/** Things by name, each as a whole from here or from the product; null leaves one out. */
function replaceNamed<One>(
  all: Readonly<Record<string, One>> | undefined,
  here: Readonly<Record<string, One | null>> | null | undefined,
): Mapping | undefined {
  if (here === null || (all === undefined && here === undefined)) return undefined;
  return present({ ...all, ...here });
}

const none: ComposedNames = { services: [], accessories: [] };

function withNames<One extends object>(
  all: Readonly<Record<string, One>> | undefined,
  names: readonly string[],
): Readonly<Record<string, One>> | undefined {
  if (names.length === 0) return all;
  // No key of either is required, so an empty one is one.
  return { ...Object.fromEntries(names.map((name) => [name, {} as One])), ...all };
}

/** Things by name, each with what is different about it; null leaves one out. */
function mergeNamed<One, Override extends object>(
  all: Readonly<Record<string, One>> | undefined,
  overrides: Readonly<Record<string, Override | null>> | null | undefined,
  merge: (one: One, override: Override | Record<string, never>) => One,
): Record<string, One> | undefined {
  if (all === undefined || overrides === null) return undefined;
  const entries = Object.entries(all).flatMap(([name, one]) => {
    const override = overrides !== undefined && Object.hasOwn(overrides, name) ? overrides[name] : undefined;
    return override === null ? [] : [[name, merge(one, override ?? {})] as const];
  });
  return Object.fromEntries(entries);
}

function mergeAccessory(accessory: AccessoryInput, override: AccessoryOverride): AccessoryInput {
  return mergeKeys(accessory, override, {
    env: mergeKeys(accessory.env, override.env),
    health: mergeSwitched(accessory.health, override.health),
  }) as Mapping & AccessoryInput;
}

function mergeTls(base: TlsInput | false | undefined, here: TlsOverride | false | null | undefined): unknown {
  const merged = mergeSwitched(base, here);
  if (typeof merged !== "object" || merged === null) return merged;
  const acme = mergeSwitched(base === false ? undefined : base?.acme, here === false ? undefined : here?.acme);
  return present({ ...merged, acme });
}

function mergeService(service: ServiceInput, override: ServiceOverride): ServiceInput {
  return mergeKeys(service, override, {
    health: mergeKeys(service.health, override.health),
    env: mergeKeys(service.env, override.env),
    scale: mergeKeys(service.scale, override.scale),
    resources: mergeKeys(service.resources, override.resources),
    container: mergeKeys(service.container, override.container, {
      logs: mergeKeys(service.container?.logs, override.container?.logs),
    }),
  }) as Mapping & ServiceInput;
}

function mergeRules(base: RulesInput | undefined, here: RulesOverride | null | undefined): Mapping | undefined {
  return mergeKeys(base, here, {
    errorRatio: mergeSwitched(base?.errorRatio, here?.errorRatio),
    latency: mergeSwitched(base?.latency, here?.latency),
  });
}

type Mapping = { [key: string]: unknown };

/** Two spellings of one header are one header. */
function smallLetters(headers: object | null | undefined): object | null | undefined {
  if (headers === null || headers === undefined) return headers;
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}

/** Something that may be off: an object here turns it on again, false here turns it off. */
function mergeSwitched(base: object | false | undefined, here: object | false | null | undefined): unknown {
  if (here === undefined) return base;
  if (here === null || here === false) return here ?? undefined;
  return mergeKeys(base === false ? undefined : base, here);
}

/** One level. `inner` holds the keys that have been merged further down; they count only where either side has them. */
function mergeKeys(
  base: object | null | undefined,
  here: object | null | undefined,
  inner: Mapping = {},
): Mapping | undefined {
  if (here === null) return undefined;
  if ((base ?? undefined) === undefined && here === undefined) return undefined;
  return present({ ...base, ...present(here ?? {}, { keepNull: true }), ...inner });
}

/** Without the keys that are undefined or null: they are as good as absent. */
function present(value: object, { keepNull = false } = {}): Mapping {
  return Object.fromEntries(
    Object.entries(value).filter(([, item]) => item !== undefined && (keepNull || item !== null)),
  );
}
