import { environmentName } from "../../core/ids.ts";
import { judgeScan, type ScanBase, type ScanPolicy, type ScanVerdict } from "../../core/pipeline/scan.ts";
import type { Findings } from "../../core/report/finding.ts";
import { findEnvironment } from "../environment.ts";
import { releaseRow } from "../release/read.ts";
import type { World } from "../world.ts";
import type { StepOutcome } from "./outcome.ts";

/** Whether what a scan step has found lets it pass, held against what is live where the policy says so. Changes nothing. */
export async function judgeFindings(
  world: Pick<World, "store" | "clock">,
  findings: Findings,
  { policy, product, step }: { readonly policy: ScanPolicy; readonly product: string; readonly step: string },
): Promise<ScanVerdict> {
  const { newSince: environment } = policy;
  const base = environment === null ? null : await baseOf(world, { product, environment, step });
  return judgeScan(findings, policy, { base, now: world.clock.now() });
}

/** What the same step has found in the release that is live there. */
async function baseOf(
  { store: { db } }: Pick<World, "store">,
  { product, environment, step }: { readonly product: string; readonly environment: string; readonly step: string },
): Promise<ScanBase> {
  const live = (await findEnvironment(db, { product, environment: environmentName(environment) }))?.live_release_id;
  if (live == null) return null;
  const row = await db
    .selectFrom("run_step")
    .innerJoin("run", "run.id", "run_step.run_id")
    .select("run_step.outcome")
    .where("run.release_id", "=", live)
    .where("run_step.name", "=", step)
    .executeTakeFirst();
  const scan = row?.outcome == null ? null : ((JSON.parse(row.outcome) as StepOutcome).scan ?? null);
  if (scan === null) return null;
  return { release: `r${(await releaseRow(db, live)).number}`, fingerprints: new Set(scan.fingerprints) };
}
