import { SlipwayError } from "../../core/errors/error.ts";
import { type EnvironmentName, environmentName, type Json } from "../../core/ids.ts";
import { healthOf } from "../../core/product/accessory-health.ts";
import type { AccessorySpec, ServiceSpec } from "../../core/product/spec.ts";
import { formatDuration } from "../../core/product/units.ts";
import { type AccessoryState, accessoriesIn, runningOf, wantedAccessory } from "../accessories/state.ts";
import { type AccessoryInput, accessoryKind } from "../accessories/workflow.ts";
import { findEnvironment } from "../environment.ts";
import type { World } from "../world.ts";

/** All accessories of a product's environments, or of one. Changes nothing. */
export async function listAccessories(
  world: World,
  { product, environment }: { readonly product: string; readonly environment: EnvironmentName | null },
): Promise<readonly AccessoryState[]> {
  const rows = await world.store.db.selectFrom("environment").select("name").where("product", "=", product).execute();
  const names = rows.map(({ name }) => name).filter((name) => environment === null || name === environment);
  if (names.length === 0) return [];
  const running = await world.targets.present({});
  const all = await Promise.all(names.map((name) => accessoriesIn(world, { product, environment: name }, running)));
  return all.flat();
}

const lookWithinMs = 10_000;

export type AccessoryPlan = {
  readonly state: AccessoryState;
  readonly steps: readonly string[];
  readonly warnings: readonly string[];
};

/** What restarting or replacing it would do. Changes nothing. Errors: UNKNOWN_ENVIRONMENT, UNKNOWN_ACCESSORY. */
export async function planAccessory(
  world: World,
  at: Pick<AccessoryInput, "product" | "name" | "what"> & { readonly environment: EnvironmentName },
): Promise<AccessoryPlan> {
  const { spec, accessory } = await wantedAccessory(world, at);
  const running = await world.targets.observe({ environment: at.environment });
  const state = (await accessoriesIn(world, at, running)).find(({ name }) => name === at.name);
  if (state === undefined) throw new Error(`${at.name} is live and not listed`);
  const there = runningOf(running, at);
  const changes = at.what === "replace" && state.differs.length > 0;
  const well = `wait until it is well, up to ${formatDuration(healthOf(accessory).deadlineMs)}`;
  const steps = [
    ...(there === undefined
      ? []
      : [`stop ${at.name}, with up to ${formatDuration(accessory.stopGraceMs)} for it to end`]),
    at.what === "restart" ? `start it again; ${well}` : `start ${accessory.image} in its place; ${well}`,
    ...(changes ? ["if it does not become well: start the old one again", "remove the old one"] : []),
  ];
  return { state, steps, warnings: warningsOf(at, { accessory, state, services: Object.values(spec.services) }) };
}

function warningsOf(
  { name, what }: { readonly name: string; readonly what: AccessoryInput["what"] },
  known: {
    readonly accessory: AccessorySpec;
    readonly state: AccessoryState;
    readonly services: readonly ServiceSpec[];
  },
): readonly string[] {
  const { accessory, state, services } = known;
  const written = accessory.volumes.filter(({ readOnly }) => !readOnly).map(({ source }) => source);
  const data =
    written.length === 0
      ? `${name} has no volume: what it keeps is lost`
      : `its data stay in ${written.join(", ")}; what a newer version changes there, an older one may not read`;
  return [
    `${services.map((service) => service.name).join(", ")} lose their connections to it meanwhile`,
    ...(what === "restart" ? [] : [data]),
    ...(what === "replace" && state.revision !== null && state.differs.length === 0
      ? ["nothing differs: it is made anew as it is"]
      : []),
    ...(what === "restart" && state.differs.length > 0
      ? [
          `it differs from the release, and stays so; for the other: slipway accessory replace ${name} -e ${state.environment}`,
        ]
      : []),
  ];
}

/**
 * Begins to restart or replace an accessory, after what is under way in its environment. Errors: UNKNOWN_ENVIRONMENT,
 * UNKNOWN_ACCESSORY, ENVIRONMENT_LOCKED (a restart passes).
 */
export async function startAccessory(world: World, input: AccessoryInput): Promise<string> {
  const at = { ...input, environment: environmentName(input.environment) };
  const { spec, accessory } = await wantedAccessory(world, at);
  if (spec.target.driver === "process")
    throw new SlipwayError("UNKNOWN_ACCESSORY", { message: `${input.environment} runs processes, and no accessories` });
  const row = await findEnvironment(world.store.db, at);
  if (input.what === "replace" && row?.locked_by != null) {
    throw new SlipwayError("ENVIRONMENT_LOCKED", {
      message: `${input.environment} is locked by ${row.locked_by}: ${row.locked_reason}`,
    });
  }
  const { compose, target } = spec;
  const made =
    compose === undefined
      ? []
      : await world.targets.of(target).predecessors?.look(compose.project, AbortSignal.timeout(lookWithinMs));
  const there = made?.find(({ service }) => service === accessory.composed?.service);
  if (there !== undefined)
    throw new SlipwayError("UNKNOWN_ACCESSORY", {
      message: `${input.name} is ${there.name}, which docker compose has made: it is used as it is, and not changed here`,
      hint: `docker compose up -d --no-deps ${there.service}, or docker compose restart ${there.service}`,
    });
  const id = `acc_${world.newId()}`;
  await world.engine.start(accessoryKind, id, input as Json, { lockKey: `${input.product}/${input.environment}` });
  return id;
}
