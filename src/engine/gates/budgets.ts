import type { BudgetLook } from "../../core/gates/budget.ts";
import { type EnvironmentName, environmentName, serviceName } from "../../core/ids.ts";
import { metricOf } from "../../core/metric/catalogue.ts";
import type { BudgetSpec } from "../../core/product/gates-spec.ts";
import type { DeploymentRow } from "../../ports/tables.ts";
import { findEnvironment } from "../environment.ts";
import type { World } from "../world.ts";
import { policiesIn } from "./read.ts";

/** A look that is so old is taken again. */
const againMs = 10_000;

type Means = Pick<World, "store" | "clock" | "metrics" | "seenBudgets">;

/** Measures the budgets that the gates of a release look at there, unless that was done just now. Outside of every transaction. */
export async function refreshBudgets(
  world: Means,
  at: Pick<DeploymentRow, "product" | "environment" | "release_id" | "created_at">,
): Promise<void> {
  const { db } = world.store;
  const live = (await findEnvironment(db, at))?.live_release_id ?? null;
  const policies = await policiesIn(db, { release: at.release_id, environment: at.environment, live });
  const specs = policies.flatMap(({ gates }) => gates.budget ?? []);
  if (specs.length === 0) return;
  const known = world.seenBudgets.of(at);
  const isFresh = (spec: BudgetSpec): boolean =>
    known.some(
      (look) =>
        JSON.stringify(look.spec) === JSON.stringify(spec) &&
        look.at >= at.created_at &&
        world.clock.now() - look.at < againMs,
    );
  if (specs.every(isFresh)) return;
  world.seenBudgets.note(at, await Promise.all(specs.map((spec) => lookAtBudget(world, spec, at.environment))));
}

/** How much of a budget is spent now. */
export async function lookAtBudget(
  { clock, metrics }: Pick<World, "clock" | "metrics">,
  spec: BudgetSpec,
  here: EnvironmentName,
): Promise<BudgetLook> {
  const metric = metricOf("error ratio");
  if (metric === null) throw new Error("there is no error ratio");
  const environment = spec.environment === null ? here : environmentName(spec.environment);
  const labels = { environment, ...(spec.service === null ? {} : { service: serviceName(spec.service) }) };
  const measured = await metrics.measureLong({ metric, labels, windowMs: spec.overMs });
  return { spec, environment, measured, at: clock.now() };
}
