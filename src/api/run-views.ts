import { SlipwayError } from "../core/errors/error.ts";
import type { RunId } from "../core/ids.ts";
import type { StepPhase } from "../core/pipeline/decide.ts";
import type { ScanVerdict } from "../core/pipeline/scan.ts";
import type { StepOutcome } from "../engine/pipeline/outcome.ts";
import type { StepSpec } from "../engine/pipeline/plan-steps.ts";
import type { World } from "../engine/world.ts";
import type { RunRow, RunStepRow } from "../ports/tables.ts";
import type { ReportsView, RunDetail, RunView, ScanView, StepView } from "./contract.ts";

/** The runs of a product, the newest first. */
export async function runViews(
  { store: { db } }: World,
  { product, limit }: { readonly product: string; readonly limit: number },
): Promise<RunView[]> {
  const rows = await db
    .selectFrom("run")
    .leftJoin("run_request", "run_request.run_id", "run.id")
    .selectAll("run")
    .select("run_request.event")
    .where("product", "=", product)
    .orderBy("created_at", "desc")
    .limit(limit)
    .execute();
  const counted = await db
    .selectFrom("run_step")
    .select(({ fn }) => ["run_id", "phase", fn.countAll<number>().as("count")])
    .where(
      "run_id",
      "in",
      rows.map(({ id }) => id),
    )
    .groupBy(["run_id", "phase"])
    .execute();
  return rows.map(({ event, ...row }) =>
    runView(row, {
      event: event ?? "deploy",
      counts: Object.fromEntries(
        counted.filter(({ run_id }) => run_id === row.id).map(({ phase, count }) => [phase, Number(count)]),
      ),
    }),
  );
}

/** Errors: UNKNOWN_RUN. */
export async function runDetail(world: World, id: RunId): Promise<RunDetail> {
  const { db } = world.store;
  const row = await db.selectFrom("run").selectAll().where("id", "=", id).executeTakeFirst();
  if (row === undefined) throw new SlipwayError("UNKNOWN_RUN", { message: `there is no run ${id}` });
  const request = await db.selectFrom("run_request").select("event").where("run_id", "=", id).executeTakeFirst();
  const rows = await db.selectFrom("run_step").selectAll().where("run_id", "=", id).orderBy("number").execute();
  const counts: Partial<Record<StepPhase, number>> = {};
  for (const { phase } of rows) counts[phase] = (counts[phase] ?? 0) + 1;
  return {
    ...runView(row, { event: request?.event ?? "deploy", counts }),
    steps: rows.map((step) => stepView(world, step)),
    transfers: world.transfers.of(id),
  };
}

export async function hasEnded({ store: { db } }: World, id: RunId): Promise<boolean> {
  const row = await db.selectFrom("run").select("ended_at").where("id", "=", id).executeTakeFirst();
  return row?.ended_at != null;
}

function runView(row: RunRow, more: Pick<RunView, "event" | "counts">): RunView {
  return {
    id: row.id,
    product: row.product,
    phase: row.phase,
    reason: row.reason,
    error: row.error === null ? null : JSON.parse(row.error),
    release: row.release_id,
    commit: row.commit_hash,
    createdAt: row.created_at,
    createdBy: row.created_by,
    endedAt: row.ended_at,
    ...more,
  };
}

function stepView(world: World, row: RunStepRow): StepView {
  const { step } = JSON.parse(row.spec) as StepSpec;
  const outcome = row.outcome === null ? null : (JSON.parse(row.outcome) as StepOutcome);
  return {
    number: row.number,
    id: row.name,
    service: step.service,
    needs: step.needs,
    phase: row.phase,
    reason: row.reason,
    allowFailure: step.allowFailure,
    attempt: row.attempt,
    startedAt: row.started_at,
    endedAt: row.ended_at,
    lastLine: row.phase === "running" ? (world.live.of(row.run_id, row.number)?.lastLine ?? null) : null,
    lines: outcome?.lines ?? [],
    reports: outcome?.reports == null ? null : reportsView(outcome.reports),
    artifacts:
      outcome?.artifacts === undefined ? null : { bytes: outcome.artifacts.bytes, files: outcome.artifacts.files },
    scan: outcome?.scan === undefined ? null : scanView(outcome.scan),
  };
}

/** Findings of runs before they had severities are left out. */
function reportsView(reports: ReportsView): ReportsView {
  return reports.findings !== null && reports.findings.counts === undefined ? { ...reports, findings: null } : reports;
}

function scanView({ fingerprints, ...shown }: ScanVerdict): ScanView {
  return shown;
}
