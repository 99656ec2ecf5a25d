import { isSlipwayError, SlipwayError } from "../../core/errors/error.ts";
import type { ServiceName } from "../../core/ids.ts";
import { environmentNames, resolveEnvironment } from "../../core/product/resolve.ts";
import type { ProductConfig } from "../../core/product/schema.ts";
import type { EnvironmentSpec, ServiceSpec, TargetSpec } from "../../core/product/spec.ts";
import { withSecrets } from "../secrets/secrets.ts";
import type { World } from "../world.ts";
import type { ReleaseConfig } from "./read.ts";

/** The config in a directory as a release keeps it: every environment resolved. Errors: CONFIG_*, when it is of another product too. */
export async function readReleaseConfig(
  world: Pick<World, "readConfig" | "store">,
  at: { readonly directory: string; readonly workingTree: string },
  product: string,
): Promise<ReleaseConfig> {
  return releaseConfigOf(world, await readProductConfig(world, at, product));
}

/** Errors: CONFIG_*, when it is of another product too. */
export async function readProductConfig(
  world: Pick<World, "readConfig">,
  { directory, workingTree }: { readonly directory: string; readonly workingTree: string },
  product: string,
): Promise<ProductConfig> {
  const config = await world.readConfig(directory, workingTree).catch((error: unknown) => {
    throw directory === workingTree ? error : ofCommit(error);
  });
  if (config.name !== product) throw renamed(product, config.name);
  return config;
}

/** The same, of what was read. */
export function releaseConfigOf({ store }: Pick<World, "store">, config: ProductConfig): Promise<ReleaseConfig> {
  const environments = environmentNames(config).map((name) => [name, resolveEnvironment(config, name)] as const);
  return withSecrets(store.db, { product: config.name, environments: Object.fromEntries(environments) });
}

/** Every service that any environment has: a release is taken through all of them. */
export function servicesOf({ environments }: ReleaseConfig): ServiceSpec[] {
  const found = new Map<ServiceName, ServiceSpec>();
  for (const { services } of Object.values<EnvironmentSpec>(environments)) {
    for (const service of Object.values<ServiceSpec>(services))
      if (!found.has(service.name)) found.set(service.name, service);
  }
  return [...found.values()];
}

/** Where its environments are. */
export function targetsOf({ environments }: ReleaseConfig): TargetSpec[] {
  return Object.values<EnvironmentSpec>(environments).map(({ target }) => target);
}

/** The checkout that it was looked for in is ours, and gone by the time somebody reads this. */
function ofCommit(error: unknown): unknown {
  if (!isSlipwayError(error) || error.code !== "CONFIG_NOT_FOUND") return error;
  return new SlipwayError("CONFIG_NOT_FOUND", {
    message: "the commit has no slipway.config",
    hint: "commit it: git add -A && git commit; or, to try it before: slipway deploy --dirty",
    cause: error,
  });
}

function renamed(asked: string, found: string): SlipwayError {
  return new SlipwayError("CONFIG_INVALID", {
    message: `the config at this commit is of product ${found}, not ${asked}`,
    hint: "one state directory is one product: give the other one its own with --state-dir",
  });
}
