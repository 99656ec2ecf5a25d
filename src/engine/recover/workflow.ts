import { isSlipwayError } from "../../core/errors/error.ts";
import {
  type EpochMs,
  environmentName,
  type InstanceId,
  type Json,
  releaseId,
  revisionId,
  serviceName,
} from "../../core/ids.ts";
import type { Notice } from "../../core/judge/rule/notice.ts";
import { formatDuration } from "../../core/product/units.ts";
import { linkedSignal } from "../../lib/linked-signal.ts";
import type { Workflow } from "../../ports/engine.ts";
import { seenEvidence } from "../health/evidence.ts";
import { HealthWatch, type InstanceReport } from "../health/health-watch.ts";
import { appendHistory } from "../history.ts";
import { releaseView } from "../release/read.ts";
import type { World } from "../world.ts";
import { holdNow, type Life } from "./life.ts";
import { tellPeople } from "./tell.ts";

export const healKind = "heal.v1";

export type HealInput = { readonly [Key in keyof Life]: Life[Key] extends string ? string : number } & {
  readonly do: "restart" | "page";
  readonly reason: string;
  readonly actor: string;
  readonly decidedAt: EpochMs;
};

/** `well` is false when it was not healthy in time, or was not restarted at all. */
export type Healed = { readonly well: boolean; readonly says: string };

/** A place that is away for a moment is asked again. */
const patience = { attempts: 5, backoffMs: 500 };
const lookMs = 200;

/**
 * Does what was decided about one life of an instance. That was recorded before; a crash anywhere repeats at most the step in
 * flight, and a restart names the life that it ends, so no second one is ended.
 */
export function healWorkflow(world: World): Workflow<HealInput, Json> {
  return async (ctx, input) => {
    const life = lifeIn(input);
    const healed =
      input.do === "page"
        ? await ctx.step("page", ({ signal }) => page(world, life, input, signal), patience).catch(failed)
        : await restart(world, life, ctx).catch(failed);
    const event = input.do === "page" ? "page" : "restart";
    const end = healed.well ? `instance.${event === "page" ? "paged" : "restarted"}` : `instance.${event}-failed`;
    await ctx.tx("record", async (trx) => {
      const { product, environment, release } = life;
      const at = world.clock.now();
      const evidence = [["instance", life.instance] as const];
      const reason = `${life.service} ${life.which}: ${healed.says}`;
      await appendHistory(trx, { at, product, environment, release, event: end, actor: input.actor, reason, evidence });
      return null;
    });
    world.changes.announce();
    return healed;
  };
}

function failed(error: unknown): Healed {
  if (!isSlipwayError(error)) throw error;
  return { well: false, says: error.message };
}

async function restart(world: World, life: Life, ctx: Parameters<Workflow>[0]): Promise<Healed> {
  const refused = await ctx.step(
    "restart",
    async ({ signal }) => {
      // It may have waited for another restart, and a deployment may have begun meanwhile.
      const hold = await holdNow(world.store.db, life);
      if (hold.is === "owned") return `not restarted: ${hold.why}`;
      await world.targets.restart(life.instance, life.startedAt, signal);
      return null;
    },
    patience,
  );
  if (refused !== null) return { well: false, says: refused };
  return ctx.step("well", ({ signal }) => untilHealthy(world, life, signal));
}

/** Until another life of it has been healthy, or its service's deadline has passed. */
async function untilHealthy(world: World, life: Life, signal: AbortSignal): Promise<Healed> {
  const { spec } = await releaseView(world.store.db, life.release, life.environment);
  const service = spec.services[life.service];
  if (service === undefined) return { well: false, says: "its service is not there any more" };
  const watched = { revision: life.revision, service: life.service, health: service.health, instances: 1 };
  const watching = linkedSignal([signal]);
  const watch = new HealthWatch(world, [watched], watching.signal);
  const begun = world.clock.monotonicMs();
  try {
    for (;;) {
      const report = watch.report(life.revision).find(({ status }) => status.id === life.instance) ?? null;
      const tookMs = Math.round(world.clock.monotonicMs() - begun);
      if (report !== null && isAnew(report, life) && report.health.is === "healthy")
        return { well: true, says: `healthy again ${formatDuration(tookMs)} after its restart` };
      if (tookMs >= service.health.deadlineMs) {
        const saw = seenEvidence(report).map(([, what]) => what);
        const within = formatDuration(service.health.deadlineMs);
        return { well: false, says: [`restarted, and not healthy within ${within}`, ...saw].join("; ") };
      }
      await watch.news(lookMs);
    }
  } finally {
    watching.end(over);
  }
}

const over = new Error("the watch is over");

const isAnew = ({ status }: InstanceReport, life: Life) =>
  status.state === "running" && status.startedAt !== life.startedAt;

async function page(world: World, life: Life, input: HealInput, signal: AbortSignal): Promise<Healed> {
  const notice: Notice = {
    is: "fired",
    product: life.product,
    environment: life.environment,
    rule: `health of ${life.service}`,
    text: "health.restarts",
    severity: "critical",
    reason: input.reason,
    actions: [],
    startedAt: input.decidedAt,
    endedAt: null,
  };
  await tellPeople(world, { release: life.release, names: null }, notice, signal);
  return { well: true, says: "everybody who is named in notifiers was told" };
}

function lifeIn(input: HealInput): Life {
  return {
    product: input.product,
    environment: environmentName(input.environment),
    service: serviceName(input.service),
    release: releaseId(input.release),
    revision: revisionId(input.revision),
    instance: input.instance as InstanceId,
    which: input.which,
    startedAt: input.startedAt,
  };
}
