import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import type { ProductConfig } from "../../core/product/schema.ts";
import type { Checkout } from "../../ports/source.ts";
import type { World } from "../world.ts";
import { readProductConfig } from "./config.ts";

/** Beside the workspaces of runs. */
export const planPrefix = "plan-";

/** The product's config as of a commit, whatever the working tree says. Errors: GIT_*, CONFIG_*. */
export async function configOfCommit(
  world: Pick<World, "runsDirectory" | "source" | "readConfig">,
  { repository, product }: { readonly repository: string; readonly product: string },
  { hash, prefix }: Pick<Checkout, "hash" | "prefix">,
  signal: AbortSignal,
): Promise<ProductConfig> {
  await mkdir(world.runsDirectory, { recursive: true, mode: 0o700 });
  const directory = await mkdtemp(join(world.runsDirectory, planPrefix));
  try {
    await world.source.export(repository, { hash, dirty: false }, directory, signal);
    return await readProductConfig(world, { directory: join(directory, prefix), workingTree: repository }, product);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
