import { ciEvidence, ciText } from "../../core/ci/facts.ts";
import { isSlipwayError, SlipwayError } from "../../core/errors/error.ts";
import { type DeploymentId, deploymentId, type Json, type ReleaseId, type RunId, runId } from "../../core/ids.ts";
import { type Begin, refText, skipped, skipWordIn, type TriggerDecision } from "../../core/triggers/decide.ts";
import { refKey, remotePath } from "../../core/triggers/event.ts";
import type { Ctx, Workflow } from "../../ports/engine.ts";
import type { TriggerEventRow } from "../../ports/tables.ts";
import { startDeployment } from "../commands/start-deployment.ts";
import { startRun } from "../commands/start-run.ts";
import { openDeployments } from "../deploy/open.ts";
import { findEnvironment } from "../environment.ts";
import { askedForRelease } from "../pipeline/asked.ts";
import { type Made, makePreview } from "../previews/make.ts";
import { type PrepareOutcome, prepareData } from "../previews/prepare.ts";
import { endPreview } from "../previews/remove.ts";
import { untilChange } from "../until-change.ts";
import type { World } from "../world.ts";
import { settingsOf } from "./settings.ts";

export const triggerKind = "trigger.v1";

/** The remote may be away for a while: about four minutes in all. */
const fetchAttempts = 9;
const fetchBackoffMs = 1_000;
const fetchTimeoutMs = 10 * 60_000;
type Input = { readonly event: string };
/** What an event begins, or which preview it ends. */
export type Begun = Begin | Extract<TriggerDecision, { is: "end" }>;
type Named = { readonly id: string; readonly product: string };
type Told = Begin & Named;
type Fetched = { readonly repository: string; readonly commit: string; readonly message: string };
type BegunRun = { readonly run: RunId | null; readonly release: ReleaseId | null };

/**
 * Begins what was decided of an event: fetches the commit, takes it through a run, deploys the release. What is begun has a name
 * that follows from the event's, so a repeated step finds it and begins nothing twice.
 */
export function triggerWorkflow(world: World): Workflow<Input, Json> {
  return async (ctx, { event: id }) => {
    try {
      const told = await ctx.step("read", () => readTold(world, id));
      if ("is" in told) {
        const { product, preview: environment, actor, reason } = told;
        const ends = await ctx.step("end the preview", () =>
          endPreview(world, { product, environment, actor, reason }),
        );
        await note(world, ctx, id, { phase: "done", reason: ends ? reason : `${environment} is not there` });
        return null;
      }
      const fetched = await ctx.step("fetch", ({ signal }) => fetchCommit(world, told, signal), {
        attempts: fetchAttempts,
        backoffMs: fetchBackoffMs,
        timeoutMs: fetchTimeoutMs,
      });
      const word = skipWordIn(fetched.message);
      if (word !== null && told.ci === undefined) {
        await note(world, ctx, id, { phase: "ignored", reason: skipped(fetched.commit, word).reason });
        return null;
      }
      if (told.template !== undefined) {
        const { refused } = await ctx.step("have its place", ({ signal }) => havePlace(world, told, fetched, signal));
        if (refused !== null) {
          await note(world, ctx, id, { phase: "failed", reason: refused });
          return null;
        }
      }
      const made = await ctx.step("begin the run", () => beginRunOf(world, told, fetched));
      await note(world, ctx, id, { reason: runText(told, fetched, made), run_id: made.run, release_id: made.release });
      const { release, failure } =
        made.run === null
          ? { release: made.release, failure: null }
          : await ctx.step("wait for the run", ({ signal }) => runEnded(world, made.run!, signal));
      if (failure !== null) {
        await note(world, ctx, id, { phase: "failed", reason: `${made.run} failed: ${failure}` });
        return null;
      }
      if (told.deploy === null || release === null) {
        await note(world, ctx, id, { phase: "done", reason: `${made.run} has passed` });
        return null;
      }
      if (told.template !== undefined) {
        const { failure: why } = await ctx.step("prepare its data", ({ signal }) =>
          prepare(world, told, { ...fetched, release }, signal),
        );
        if (why !== null) {
          await note(world, ctx, id, { phase: "failed", reason: `${told.deploy} has no data: ${why.split("\n")[0]}` });
          return null;
        }
      }
      const deployment = await ctx.step("begin the deployment", () => beginDeploymentOf(world, told, release));
      await note(world, ctx, id, {
        phase: "done",
        reason:
          deployment === null
            ? `it is live in ${told.deploy} already`
            : `its deployment to ${told.deploy} is on its way`,
        release_id: release,
        deployment_id: deployment,
      });
      return deployment;
    } catch (error) {
      if (!isSlipwayError(error)) throw error;
      await note(world, ctx, id, { phase: "failed", reason: `${error.code} ${error.message}` });
      return null;
    }
  };
}

type Note = Partial<Pick<TriggerEventRow, "phase" | "run_id" | "release_id" | "deployment_id">> & {
  readonly reason: string;
};

async function note(world: World, ctx: Ctx, id: string, what: Note): Promise<void> {
  await ctx.tx(what.phase ?? "begun", async (trx) => {
    const ended_at = what.phase === undefined ? null : world.clock.now();
    await trx
      .updateTable("trigger_event")
      .set({ ...what, ended_at })
      .where("id", "=", id)
      .execute();
    return null;
  });
  world.changes.announce();
}

async function readTold({ store }: World, id: string): Promise<Begun & Named> {
  const row = await store.db
    .selectFrom("trigger_event")
    .select(["product", "begin"])
    .where("id", "=", id)
    .executeTakeFirstOrThrow();
  return { ...(JSON.parse(row.begin ?? "") as Begun), id, product: row.product };
}

/** A commit that is here already, pushed from here or fetched before, is not fetched again. */
async function fetchCommit(world: World, { product, ref, commit }: Told, signal: AbortSignal): Promise<Fetched> {
  const { row, settings } = await settingsOf(world.store.db, product);
  const fetched = async () => {
    const what = { remote: settings.remote, ref: remotePath(ref) };
    const newest = await world.source.fetch(row.repository, what, signal);
    return world.source.resolve(row.repository, commit ?? newest);
  };
  const here = commit === null ? null : await known(world, row.repository, commit);
  const { hash, commit: found } = here ?? (await fetched());
  return { repository: row.repository, commit: hash, message: `${found.subject}\n\n${found.body}` };
}

/** A preview has its row before anything is built: one that may not be made costs nobody a build. */
async function havePlace(world: World, told: Told, { commit }: Fetched, signal: AbortSignal): Promise<Made> {
  const { product, deploy, ref, actor } = told;
  if (deploy === null) throw new Error(`${told.id} has a template and no place`);
  const reason = `${refText(ref)} at ${commit.slice(0, 7)}`;
  return makePreview(world, { product, environment: deploy, ref: refKey(ref), actor, reason }, signal);
}

function prepare(
  world: World,
  { id, product, deploy, actor }: Told,
  { repository, commit, release }: Fetched & { readonly release: ReleaseId },
  signal: AbortSignal,
): Promise<PrepareOutcome> {
  if (deploy === null) throw new Error(`${id} has a template and no place`);
  return prepareData(world, `${id}/data`, { product, environment: deploy, repository, commit, release, actor }, signal);
}

async function known(world: World, repository: string, commit: string) {
  try {
    return await world.source.resolve(repository, commit);
  } catch (error) {
    if (isSlipwayError(error) && error.code === "GIT_UNKNOWN_COMMIT") return null;
    throw error;
  }
}

async function beginRunOf(world: World, told: Told, { repository, commit }: Fetched): Promise<BegunRun> {
  const { event, ref, deploy, actor, product, id, ci, parameters = {} } = told;
  return startRun(world, {
    id: runId(id.replace("evt_", "run_")),
    product,
    repository,
    revision: commit,
    dirty: false,
    actor,
    asked: {
      ...askedForRelease,
      event,
      branch: told.branch ?? (ref.kind === "branch" ? ref.name : null),
      release: deploy !== null,
      parameters,
      ...(ci === undefined ? {} : { ci }),
    },
  });
}

function runText({ ref, deploy }: Told, { commit }: Fetched, { run, release }: BegunRun): string {
  const at = `${refText(ref)} at ${commit.slice(0, 7)}`;
  if (run === null) return `${at}: released before as ${release}`;
  return deploy === null ? `${at}: ${run}` : `${at}: ${run}, then ${deploy}`;
}

type RunEnd = { readonly release: ReleaseId | null; readonly failure: string | null };

async function runEnded(world: World, run: RunId, signal: AbortSignal): Promise<RunEnd> {
  for (;;) {
    const changed = untilChange(world, signal);
    try {
      const row = await world.store.db
        .selectFrom("run")
        .select(["phase", "reason", "release_id", "ended_at"])
        .where("id", "=", run)
        .executeTakeFirst();
      if (row === undefined) throw new SlipwayError("UNKNOWN_RUN", { message: `there is no run ${run}` });
      if (row.ended_at !== null)
        return { release: row.release_id, failure: row.phase === "succeeded" ? null : row.reason };
      await changed.wait();
    } finally {
      changed.release();
    }
  }
}

/** Null: what is live is this release, and nothing is under way that could change that. */
async function beginDeploymentOf(world: World, told: Told, release: ReleaseId): Promise<DeploymentId | null> {
  const { id, product, deploy, event, ref, actor, ci } = told;
  if (deploy === null) return null;
  const deployment = deploymentId(id.replace("evt_", "dep_"));
  const { db } = world.store;
  const begun = await db.selectFrom("deployment").select("id").where("id", "=", deployment).executeTakeFirst();
  if (begun !== undefined) return deployment;
  const at = { product, environment: deploy };
  const live = await findEnvironment(db, at);
  const open = await openDeployments(db, at);
  if (live?.live_release_id === release && open.length === 0) return null;
  const of = `${event} of ${refText(ref)}`;
  const asked = ci === undefined ? { reason: of } : { reason: `${of}, ${ciText(ci)}`, evidence: ciEvidence(ci) };
  return startDeployment(world, { id: deployment, environment: deploy, release, kind: "deploy", actor, ...asked });
}
