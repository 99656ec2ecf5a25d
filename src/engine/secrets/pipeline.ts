import { SlipwayError } from "../../core/errors/error.ts";
import { environmentName } from "../../core/ids.ts";
import type { World } from "../world.ts";
import { newestSecret } from "./newest.ts";

/** Where secrets of steps are kept: beside those of the environments, and never given to a service. */
export const pipelinePlace = environmentName("pipeline");

/** The newest values of these names, to be handed to a step. Errors: SECRET_MISSING, SECRET_UNREADABLE. */
export async function pipelineSecrets(
  world: Pick<World, "store" | "vault">,
  product: string,
  names: readonly string[],
): Promise<Readonly<Record<string, string>>> {
  const found: [string, string][] = [];
  for (const name of names) {
    const value = await newestSecret(world, { product, environment: pipelinePlace, name });
    if (value === null)
      throw new SlipwayError("SECRET_MISSING", {
        message: `the step needs the secret ${name}, which is not set`,
        hint: `run: slipway secret set ${name} -e ${pipelinePlace}`,
      });
    found.push([name, value.reveal()]);
  }
  return Object.fromEntries(found);
}
