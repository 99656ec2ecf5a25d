import { bareSettings } from "../compose/settings.ts";
import type { ComposedEnvironment } from "./composed.ts";
import type { AccessoryInput, ServiceInput } from "./input.ts";
import type { AccessorySpec, ComposedSettings, ServiceSpec } from "./spec.ts";

/**
 * A service of a Compose file with what the config says over it: key by key, and one level deeper for maps. `told` is the
 * config's part resolved by itself, of which only what was said is taken.
 */
export function serviceOver(composed: ServiceSpec, input: ServiceInput, told: ServiceSpec): ServiceSpec {
  const { health, container } = composed;
  const own = <Key extends keyof ServiceSpec>(said: unknown, ...keys: readonly Key[]): Partial<ServiceSpec> =>
    said === undefined ? {} : (Object.fromEntries(keys.map((key) => [key, told[key]])) as Partial<ServiceSpec>);
  return {
    ...composed,
    ...own(input.kind, "kind"),
    ...own(input.path, "path"),
    ...own(input.build, "build"),
    ...own(input.image, "image"),
    ...own(input.stopGrace, "stopGraceMs"),
    ...own(input.tier ?? input.restoreWithin, "restore"),
    ...own(input.instances ?? input.scale, "instances"),
    ...own(input.scale, "scale"),
    ...own(input.fallback, "fallbackFile"),
    ...own(input.needs, "needs"),
    ...own(input.routes, "routes"),
    env: { ...composed.env, ...input.env },
    health: { ...health, ...saidOf(healthKeys, input.health, told.health) },
    container: {
      ...container,
      ...saidOf(containerKeys, { ...input, ...input.container }, told.container),
    },
    resources: {
      ...composed.resources,
      ...saidOf(resourceKeys, input.resources, told.resources),
    },
    ...commandOver(composed, input, told),
  };
}

/** The same for an accessory. */
export function accessoryOver(composed: AccessorySpec, input: AccessoryInput, told: AccessorySpec): AccessorySpec {
  const said = saidOf(accessoryKeys, input, told);
  return {
    ...composed,
    ...said,
    env: { ...composed.env, ...input.env },
    resources: {
      ...composed.resources,
      ...saidOf(resourceKeys, input, told.resources),
    },
    ...commandOver(composed, input, told),
  };
}

/** A service that only the config has, beside those of the Compose file: it is in all their networks, under its own name. */
export function besideComposed(told: ServiceSpec, { services, accessories }: ComposedEnvironment): ServiceSpec {
  const all = [...Object.values<ServiceSpec>(services), ...Object.values(accessories)];
  const networks = new Map(all.flatMap(({ composed }) => composed?.networks ?? []).map((each) => [each.name, each]));
  return {
    ...told,
    composed: { ...bareSettings(told.name), networks: [...networks.values()] },
  };
}

const healthKeys = {
  path: ["path", "status"],
  status: ["status"],
  body: ["body"],
  interval: ["intervalMs"],
  timeout: ["timeoutMs"],
  retries: ["retries"],
  startPeriod: ["startPeriodMs"],
  deadline: ["deadlineMs"],
  restarts: ["healing"],
  restartAfter: ["healing"],
  restartWithin: ["healing"],
} as const;

const containerKeys = {
  port: ["port"],
  volumes: ["volumes"],
  hostPorts: ["hostPorts"],
  readOnlyRoot: ["readOnlyRoot"],
  dropCapabilities: ["dropCapabilities"],
  addCapabilities: ["addCapabilities"],
  user: ["user"],
  init: ["init"],
  rootUser: ["rootUser"],
  logs: ["logs"],
} as const;

const resourceKeys = { memory: ["memoryBytes"], cpu: ["cpus"] } as const;

const accessoryKeys = {
  image: ["image"],
  port: ["port"],
  health: ["health"],
  volumes: ["volumes"],
  hostPorts: ["hostPorts"],
  stopGrace: ["stopGraceMs"],
} as const;

/** Of what was resolved, that for which the input has a key. */
function saidOf<Spec extends object>(
  keys: Readonly<Record<string, readonly (keyof Spec)[]>>,
  input: object | undefined,
  told: Spec,
): Partial<Spec> {
  const said = Object.entries(keys).filter(
    ([key]) => (input as Record<string, unknown> | undefined)?.[key] !== undefined,
  );
  return Object.fromEntries(said.flatMap(([, all]) => all.map((key) => [key, told[key]]))) as Partial<Spec>;
}

/** A command of the config stands for that of the file; the file's entrypoint stays. */
function commandOver<Spec extends { readonly command: readonly string[]; readonly composed?: ComposedSettings }>(
  composed: Spec,
  input: { readonly command?: readonly string[] | undefined },
  told: Spec,
): Pick<Spec, "command"> & { readonly composed?: ComposedSettings } {
  if (input.command === undefined || composed.composed === undefined) return { command: composed.command };
  return { command: told.command, composed: { ...composed.composed, command: null } };
}
