import { isSlipwayError } from "../../core/errors/error.ts";
import { commentBody, markerOf } from "../../core/forge/comment.ts";
import { environmentUrl } from "../../core/forge/environment-url.ts";
import { isOver, type PageOf, type Reported, reportOf } from "../../core/forge/report.ts";
import type { DeploymentId, RunId } from "../../core/ids.ts";
import type { ReportSettings } from "../../core/triggers/settings.ts";
import type { Forge } from "../../ports/forge.ts";
import type { Db } from "../../ports/store.ts";
import type { ForgeReportRow } from "../../ports/tables.ts";
import { releaseView } from "../release/read.ts";
import { reportedOf } from "./subjects.ts";

export type Channel = ForgeReportRow["channel"];

export type Telling = {
  readonly db: Db;
  readonly forge: Forge;
  readonly settings: ReportSettings;
  readonly pageOf: PageOf;
  readonly reported: Reported;
  readonly row: ForgeReportRow;
  /** Writes down what is known of the other side before it is told more. */
  readonly keep: (what: Partial<Pick<ForgeReportRow, "place" | "remote_id">>) => Promise<void>;
};

/** In which ways the forge is told of it. */
export function channelsOf({ can }: Forge, settings: ReportSettings, { environment }: Reported): readonly Channel[] {
  return [
    can.checks ? "check" : "status",
    ...(can.deployments && environment !== null ? (["deployment"] as const) : []),
    ...(settings.comment ? (["comment"] as const) : []),
  ];
}

/**
 * What the forge would be told now, as far as it is news: a phase has many reasons on its way, and only what it ended with is worth a
 * word of its own.
 */
export function newsOf(reported: Reported): string {
  const { phase, reason } = reported;
  return JSON.stringify(isOver(reported) ? [phase, reason] : [phase]);
}

/** Tells it in one way. Looks before it makes anything, so it is safe to repeat. Rejects with a `ForgeProblem`. */
export async function tell(telling: Telling, signal: AbortSignal): Promise<void> {
  const { db, forge, row, reported, pageOf, keep } = telling;
  const report = reportOf(reported, pageOf);
  switch (row.channel) {
    case "status":
      return forge.setStatus(report, signal);
    case "check": {
      const { id: key, startedAt, endedAt } = reported;
      const summary = await summaryOf(telling);
      const check = { ...report, key, title: report.description, summary, startedAt, endedAt };
      return keep({ remote_id: await forge.setCheck(check, row.remote_id, signal) });
    }
    case "deployment": {
      const { environment, phase } = reported;
      if (environment === null) return;
      const key = reported.id as DeploymentId;
      const place = await placeOf(db, key);
      const deployment = { ...report, key, environment, gated: phase === "gated", environmentUrl: place };
      return keep({ remote_id: await forge.setDeployment(deployment, row.remote_id, signal) });
    }
    case "comment":
      return tellPullRequest(telling, signal);
  }
}

/** Where people find what is deployed there; null too for a release that does not know the environment any more. */
async function placeOf(db: Db, deployment: DeploymentId): Promise<string | null> {
  const { release_id, environment } = await db
    .selectFrom("deployment")
    .select(["release_id", "environment"])
    .where("id", "=", deployment)
    .executeTakeFirstOrThrow();
  try {
    return environmentUrl((await releaseView(db, release_id, environment)).spec);
  } catch (error) {
    if (isSlipwayError(error)) return null;
    throw error;
  }
}

/** For the comment: what is not live there yet is nothing to be looked at. */
async function placeIfLive(db: Db, { id, environment, phase }: Reported): Promise<string | null> {
  return environment === null || phase !== "succeeded" ? null : placeOf(db, id as DeploymentId);
}

/** A commit without a pull request is asked for again when it has other news: people push first. */
async function tellPullRequest(telling: Telling, signal: AbortSignal): Promise<void> {
  const { db, forge, settings, pageOf, reported, row, keep } = telling;
  const { product } = reported;
  const pull = row.place ?? (await forge.pullRequest(reported.commit, signal));
  if (pull === null) return;
  await keep({ place: pull });
  const others = await db
    .selectFrom("forge_report")
    .selectAll()
    .where("product", "=", product)
    .where("channel", "=", "comment")
    .where("place", "=", pull)
    .execute();
  const found = await reportedOf(
    db,
    others.map(({ subject }) => subject),
  );
  const all = await Promise.all(found.map(async (one) => ({ ...one, place: await placeIfLive(db, one) })));
  const known = row.remote_id ?? others.find(({ remote_id }) => remote_id !== null)?.remote_id ?? null;
  const { forge: kind } = settings;
  const body = commentBody({ product, forge: kind, all, pageOf });
  await keep({ remote_id: await forge.setComment({ pull, marker: markerOf(product, kind), body }, known, signal) });
}

/** Of a run, how each step of it is; of a deployment, why. */
async function summaryOf({ db, reported }: Telling): Promise<string> {
  if (reported.environment !== null) return reported.reason;
  const steps = await db
    .selectFrom("run_step")
    .select(["name", "phase", "reason"])
    .where("run_id", "=", reported.id as RunId)
    .orderBy("number")
    .execute();
  if (steps.length === 0) return reported.reason;
  const cell = (text: string): string => text.replaceAll("|", "\\|").replaceAll(/\s+/g, " ");
  const rows = steps.map(({ name, phase, reason }) => `| ${cell(name)} | ${phase} | ${cell(reason)} |`);
  return [reported.reason, "", "| step | | |", "|---|---|---|", ...rows].join("\n").slice(0, maxSummaryChars);
}

/** GitHub takes 65535. */
const maxSummaryChars = 60_000;
