import { SlipwayError } from "../../core/errors/error.ts";
import type { Parameter } from "../../core/pipeline/parameter.ts";
import { namedSteps, resolveParameters } from "../../core/pipeline/resolve.ts";
import { configOfCommit } from "../release/config-of-commit.ts";
import type { World } from "../world.ts";

/** What can be asked of the pipeline of a commit, before a run of it is begun. */
export type PipelineNow = {
  /** Where the newest run's commit was from. */
  readonly repository: string;
  readonly commit: string;
  readonly subject: string;
  readonly branch: string | null;
  /** By their full names: `unit` of the product, `api/unit` of a service. */
  readonly steps: readonly string[];
  readonly services: readonly string[];
  readonly parameters: readonly Parameter[];
};

/**
 * Reads the config of a commit, branch or tag of the repository that the newest run was from. Changes nothing. Errors: USAGE (there was no run),
 * GIT_*, CONFIG_*.
 */
export async function describePipeline(
  world: World,
  { product, revision }: { readonly product: string; readonly revision: string },
  signal: AbortSignal,
): Promise<PipelineNow> {
  const newest = await world.store.db
    .selectFrom("run")
    .select("repository")
    .where("product", "=", product)
    .orderBy("created_at", "desc")
    .limit(1)
    .executeTakeFirst();
  if (newest === undefined)
    throw new SlipwayError("USAGE", {
      message: `nobody has begun a run of ${product} yet, so it is not known where its repository is`,
      hint: "begin the first one in the repository: slipway run",
    });
  const { repository } = newest;
  const checkout = await world.source.resolve(repository, revision);
  const config = await configOfCommit(world, { repository, product }, checkout, signal);
  return {
    repository,
    commit: checkout.hash,
    subject: checkout.commit.subject,
    branch: checkout.branch,
    steps: namedSteps(config).map(({ name }) => name),
    services: Object.keys(config.services ?? {}),
    parameters: resolveParameters(config.pipeline ?? {}),
  };
}
