import { revisionOf } from "../../core/deploy/course.ts";
import { takesTraffic } from "../../core/deploy/traffic.ts";
import { type Evidence, isSlipwayError, reasonOf } from "../../core/errors/error.ts";
import { environmentName, type Json, releaseId, serviceName } from "../../core/ids.ts";
import { afterFailure } from "../../core/scale/decide.ts";
import { linkedSignal } from "../../lib/linked-signal.ts";
import type { Workflow } from "../../ports/engine.ts";
import type { Trx } from "../../ports/store.ts";
import { openDeployments } from "../deploy/open.ts";
import { revisionSpec } from "../deploy/revision-spec.ts";
import { verify } from "../deploy/verify.ts";
import { findEnvironment } from "../environment.ts";
import { logEvidence } from "../health/evidence.ts";
import { appendHistory } from "../history.ts";
import { releaseView } from "../release/read.ts";
import { untilChange } from "../until-change.ts";
import type { World } from "../world.ts";
import { pastOf, scaleRows } from "./held.ts";
import type { ScaleJob } from "./job.ts";
import { limitTraffic } from "./limit-traffic.ts";

/** How it ended, for the history and for who waits. */
export type ScaleOutcome = {
  /** `called-off`: a deployment comes first, and nobody is to wait for this. */
  readonly is: "done" | "called-off" | "failed";
  readonly says: string;
  readonly evidence: readonly Evidence[];
};

/**
 * Brings a service to another number of instances, which has been recorded with its reason. More: they are started, and take requests
 * when they are healthy. Fewer: those that go have no new requests since it was recorded; what is in flight ends, then they are
 * stopped. A deployment waits for it by its lock, and calls it off by coming. Every step looks before it acts, so a crash anywhere
 * repeats at most one.
 */
export function scaleWorkflow(world: World): Workflow<Json, Json> {
  return async (ctx, input) => {
    const job = jobOf(input);
    const outcome = await ctx
      .act(
        job.to > job.from ? "grow" : "shrink",
        ({ signal }) => unlessCalledOff(world, job, signal, job.to > job.from ? grow : shrink),
        (trx, ended) => recordEnd(world, trx, job, ended),
        patience,
      )
      .catch((error: unknown) => {
        if (!isSlipwayError(error)) throw error;
        const failed: ScaleOutcome = { is: "failed", says: error.message, evidence: error.evidence };
        return ctx.tx("record", (trx) => recordEnd(world, trx, job, failed));
      });
    world.changes.announce();
    if (outcome.is !== "done" || job.to < job.from) return outcome;
    // They are healthy, and it is recorded that they take requests: an edge that is away is told by the keeper, when it is back.
    return ctx
      .step("route", () => route(world, job), patience)
      .then(() => outcome)
      .catch((error: unknown) => {
        if (!isSlipwayError(error)) throw error;
        return { ...outcome, says: `${outcome.says}; they take requests when the edge is back: ${error.message}` };
      });
  };
}

/** A target or an edge that is away is back within seconds; longer, and what was decided may be wrong by now. */
const patience = { attempts: 6, backoffMs: 100 };

function jobOf(input: Json): ScaleJob {
  const job = input as unknown as ScaleJob;
  return {
    ...job,
    environment: environmentName(job.environment),
    service: serviceName(job.service),
    release: releaseId(job.release),
  };
}

type Work = (world: World, job: ScaleJob, signal: AbortSignal) => Promise<ScaleOutcome>;

/** Does it, unless a deployment comes: its users do not wait for this. */
async function unlessCalledOff(world: World, job: ScaleJob, signal: AbortSignal, work: Work): Promise<ScaleOutcome> {
  const link = linkedSignal([signal]);
  const stop = new AbortController();
  const either = linkedSignal([link.signal, stop.signal]);
  const comes = deploymentComes(world, job, either.signal);
  const done = work(world, job, either.signal);
  try {
    return await Promise.race([done, comes]);
  } finally {
    stop.abort(new Error("decided otherwise"));
    await Promise.allSettled([done, comes]);
    either.release();
    link.release();
  }
}

async function deploymentComes(world: World, job: ScaleJob, signal: AbortSignal): Promise<ScaleOutcome> {
  for (;;) {
    const changed = untilChange(world, signal);
    try {
      const [open] = await openDeployments(world.store.db, job);
      if (open !== undefined) return { is: "called-off", says: `${open.id} comes first`, evidence: [] };
      await changed.wait();
    } finally {
      changed.release();
    }
  }
}

async function placeOf(world: World, job: ScaleJob) {
  const view = await releaseView(world.store.db, job.release, job.environment);
  const service = view.spec.services[job.service];
  if (service === undefined) throw new Error(`r${view.number} has no service ${job.service}`);
  const site = world.edges.of(view.spec.edge);
  return { view, service, site, revision: revisionOf(view, job.service), target: world.targets.of(view.spec.target) };
}

async function grow(world: World, job: ScaleJob, signal: AbortSignal): Promise<ScaleOutcome> {
  const { view, service, revision, target } = await placeOf(world, job);
  const startedAt = world.clock.now();
  await target.ensure(await revisionSpec(world, view, job.service), job.to, signal);
  const { health, kind } = service;
  // Only those that are new: that the others are too busy to answer may be why there are to be more.
  const newcomers = { revision, service: job.service, health, instances: job.to, kind, from: job.from };
  const failure = await verify(world, [newcomers], signal);
  if (failure === null) return { is: "done", says: `${job.from} → ${job.to}: healthy`, evidence: [] };
  const lines = await logEvidence(world, { revision, instance: failure.instance ?? null }, startedAt);
  return { is: "failed", says: failure.message, evidence: [...failure.evidence, ...lines] };
}

async function shrink(world: World, job: ScaleJob, signal: AbortSignal): Promise<ScaleOutcome> {
  const { view, revision, site, target } = await placeOf(world, job);
  const { drainMs: timeoutMs, streamLimitMs } = view.spec.rollout;
  await site.router.sync();
  const row = await findEnvironment(world.store.db, job);
  const takesRequests = row !== undefined && takesTraffic(JSON.parse(row.traffic), revision);
  const inflight = takesRequests ? (await site.edge.drain(revision, { timeoutMs, streamLimitMs })).inflight : 0;
  // The edge's drain cannot be called off.
  signal.throwIfAborted();
  await target.ensure(await revisionSpec(world, view, job.service), job.to, signal);
  const rest = inflight === 0 ? "drained" : `drain time was over with ${inflight} requests still in flight`;
  return { is: "done", says: `${job.from} → ${job.to}: ${takesRequests ? rest : "stopped"}`, evidence: [] };
}

async function route(world: World, job: ScaleJob): Promise<null> {
  const { site } = await placeOf(world, job);
  await site.router.sync();
  return null;
}

/** State and history as one. Does nothing where another operation has taken its place. */
async function recordEnd(world: World, trx: Trx, job: ScaleJob, outcome: ScaleOutcome): Promise<ScaleOutcome> {
  const { product, environment, service, release } = job;
  const row = (await scaleRows(trx, job)).find((each) => each.operation === job.operation);
  const place = await findEnvironment(trx, job);
  if (row === undefined || place === undefined) return outcome;
  const now = world.clock.now();
  const isMore = job.to > job.from;
  const isThere = outcome.is === "done" || !isMore;
  if (isMore && isThere) {
    const view = await releaseView(trx, release, environment);
    await limitTraffic(trx, place, { revision: revisionOf(view, service), instances: job.to, now });
  }
  await trx
    .updateTable("scale")
    .set({
      instances: isThere ? job.to : job.from,
      wanted: null,
      operation: null,
      ...(isThere ? {} : { mode: job.modeBefore }),
      ...(outcome.is === "failed" && isMore ? { past: JSON.stringify(afterFailure(pastOf(row), now)) } : {}),
      changed_at: now,
    })
    .where("operation", "=", job.operation)
    .execute();
  const { event, reason } = endOf(job, outcome, isThere);
  await appendHistory(trx, {
    at: now,
    product,
    environment,
    release,
    event,
    actor: job.actor,
    reason: `${service} ${reason}`,
    evidence: outcome.evidence,
  });
  return outcome;
}

function endOf(
  { from, to }: ScaleJob,
  { is, says }: ScaleOutcome,
  isThere: boolean,
): { event: string; reason: string } {
  switch (is) {
    case "done":
      return { event: "service.scaled", reason: says };
    case "called-off":
      return isThere
        ? { event: "service.scaled", reason: `${from} → ${to}: without requests, and stopped later, because ${says}` }
        : { event: "service.scale-called-off", reason: `${from} → ${to} called off: ${says}; there are ${from}` };
    case "failed":
      return {
        event: "service.scale-failed",
        reason: `${from} → ${to} failed: ${says}; there are ${isThere ? to : from}`,
      };
  }
}

/** Of an operation whose workflow ended by a bug: nobody is held up by it for ever. */
export async function recordLost(world: World, job: ScaleJob, error: string): Promise<void> {
  const outcome: ScaleOutcome = { is: "failed", says: reasonOf(error), evidence: [] };
  await world.store.db.transaction().execute((trx) => recordEnd(world, trx, job, outcome));
  world.changes.announce();
}
