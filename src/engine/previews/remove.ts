import { self } from "../../core/actor.ts";
import { noTraffic } from "../../core/deploy/traffic.ts";
import { isSlipwayError, reasonOf } from "../../core/errors/error.ts";
import { type EnvironmentName, environmentName, type Json, type ReleaseId } from "../../core/ids.ts";
import type { Ctx, Workflow } from "../../ports/engine.ts";
import type { Trx } from "../../ports/store.ts";
import type { PreviewRow } from "../../ports/tables.ts";
import { ask } from "../commands/ask.ts";
import { gatedDeployments, openDeployments } from "../deploy/open.ts";
import { findEnvironment } from "../environment.ts";
import { appendHistory } from "../history.ts";
import { releaseView } from "../release/read.ts";
import { prune } from "../retention.ts";
import { untilChange } from "../until-change.ts";
import type { World } from "../world.ts";
import { preparedOf, removeRoom, runCommand } from "./data.ts";
import { charge, findPreview, setPreview } from "./rows.ts";

/** Ends what is under way there. */
export const removeKind = "preview-remove.v1";
/** Removes what is there, when nothing is under way any more: as one with the environment's deployments. */
export const clearKind = "preview-clear.v1";

export type Ending = {
  readonly product: string;
  readonly environment: EnvironmentName;
  readonly actor: string;
  readonly reason: string;
};

type Input = {
  readonly product: string;
  readonly environment: string;
  readonly actor: string;
  readonly reason: string;
};

/** So long as a host or an edge is away. Steps wait up to half a minute between two attempts. */
const patience = { attempts: 100_000, backoffMs: 200 };

/**
 * Records that a preview goes, and lets that begin; from then on nothing is let in there. What is answered is called when the transaction
 * has committed. Nothing where there is none, or it goes already.
 */
export async function recordEnd(world: World, trx: Trx, ending: Ending): Promise<readonly (() => Promise<void>)[]> {
  const { product, environment, actor, reason } = ending;
  const row = await findPreview(trx, ending);
  if (row === undefined || row.phase === "removing") return [];
  await setPreview(trx, ending, { phase: "removing", reason });
  await appendHistory(trx, { at: world.clock.now(), product, environment, event: "preview.removing", actor, reason });
  return [await world.engine.startWithin(trx, removeKind, removalId(row), inputOf(ending))];
}

const removalId = ({ product, name, made_at }: PreviewRow): string => `prv_${product}/${name}/${made_at}`;

/** A removal that a bug has ended half-way is taken up again: every step looks before it acts. */
export async function startLostRemoval(world: World, row: PreviewRow): Promise<void> {
  const { engine, log } = world;
  const id = removalId(row);
  const clearing = `${id}/clear`;
  const input: Input = { product: row.product, environment: row.name, actor: self, reason: row.reason };
  const first = await engine.get(id);
  if (first === null) return engine.start(removeKind, id, input);
  let last = first.status === "failed" ? first : await engine.get(clearing);
  for (let again = 1; last?.status === "failed"; again += 1) {
    const next = await engine.get(`${id}/again-${again}`);
    if (next === null) {
      log.error("preview.removal-failed", { preview: row.name, reason: last.error });
      return engine.start(clearKind, `${id}/again-${again}`, input, { lockKey: `${row.product}/${row.name}` });
    }
    last = next;
  }
}

const inputOf = ({ product, environment, actor, reason }: Ending): Input => ({ product, environment, actor, reason });

/** Has a preview removed. False where there is none, or it goes already. */
export async function endPreview(world: World, ending: Ending): Promise<boolean> {
  const go = await world.store.db.transaction().execute((trx) => recordEnd(world, trx, ending));
  for (const each of go) await each();
  world.changes.announce();
  return go.length > 0;
}

/** What is under way is called off, and has ended; then the rest follows in its turn. Begun once for each preview that goes. */
export function removeWorkflow(world: World): Workflow<Input, Json> {
  return async (ctx, input) => {
    const ending = endingOf(input);
    await ctx.step("call off", ({ signal }) => callOff(world, ending, signal), patience);
    const { product, environment } = input;
    await ctx.step("go on", async () => {
      await world.engine.start(clearKind, `${ctx.workflowId}/clear`, input, { lockKey: `${product}/${environment}` });
      return null;
    });
    return null;
  };
}

const endingOf = (input: Input): Ending => ({ ...input, environment: environmentName(input.environment) });

async function callOff(world: World, ending: Ending, signal: AbortSignal): Promise<null> {
  for (;;) {
    const changed = untilChange(world, signal);
    try {
      const open = [
        ...(await openDeployments(world.store.db, ending)),
        ...(await gatedDeployments(world.store.db, ending)),
      ];
      if (open.length === 0) return null;
      for (const { id } of open) {
        const { actor, reason } = ending;
        const isAsked = await world.store.db
          .selectFrom("request")
          .select("id")
          .where("deployment_id", "=", id)
          .where("kind", "=", "cancel")
          .executeTakeFirst();
        if (isAsked === undefined)
          await ask(world, { deployment: id, kind: "cancel", actor, reason }).catch((error: unknown) => {
            // It has ended meanwhile, or goes back already.
            if (!isSlipwayError(error) || error.code !== "NOT_CANCELLABLE") throw error;
          });
      }
      await changed.wait();
    } finally {
      changed.release();
    }
  }
}

/**
 * No requests first, then no instances, then no data, and last the rows: as long as anything is left, the preview is there to be found
 * again. Every step looks before it acts, so a crash anywhere repeats at most one.
 */
export function clearWorkflow(world: World): Workflow<Input, Json> {
  return async (ctx, input) => {
    const ending = endingOf(input);
    const was = await ctx.step("look", async () => ({ release: await lastRelease(world, ending) }));
    await ctx.tx("take its requests away", (trx) => withoutTraffic(world, trx, ending));
    await ctx.step("route", () => route(world, ending, was.release), patience);
    await ctx.step("remove", ({ signal }) => removeRevisions(world, ending, signal), patience);
    const left = await ctx.step("destroy its data", ({ signal }) => destroyData(world, ending, ctx.workflowId, signal));
    if (left !== null) await ctx.tx("tell what is left", (trx) => recordLeft(world, trx, ending, left));
    await ctx.step("remove its room", () => removeRoom(world, ending).then(() => null), patience);
    await ctx.tx("forget", (trx) => forget(world, trx, ending));
    world.changes.announce();
    await collect(world, ctx, input.product);
    return null;
  };
}

/** What was live last, or was to be: through its edge its requests come. */
async function lastRelease({ store }: World, { product, environment }: Ending): Promise<ReleaseId | null> {
  const live = (await findEnvironment(store.db, { product, environment }))?.live_release_id ?? null;
  if (live !== null) return live;
  const last = await store.db
    .selectFrom("deployment")
    .select("release_id")
    .where("product", "=", product)
    .where("environment", "=", environment)
    .orderBy("created_at", "desc")
    .executeTakeFirst();
  return last?.release_id ?? null;
}

async function withoutTraffic({ clock }: World, trx: Trx, { product, environment }: Ending): Promise<null> {
  await trx
    .updateTable("environment")
    .set({ live_release_id: null, traffic: JSON.stringify(noTraffic), updated_at: clock.now() })
    .where("product", "=", product)
    .where("name", "=", environment)
    .execute();
  return null;
}

/** The edge may be one that nobody else uses, and that this control plane has not heard of yet. */
async function route({ store, edges }: World, { environment }: Ending, release: ReleaseId | null): Promise<null> {
  if (release !== null) edges.of((await releaseView(store.db, release, environment)).spec.edge);
  await edges.sync();
  return null;
}

/** What is recorded, and what is there: a control plane may have died between the two. */
async function removeRevisions(world: World, { product, environment }: Ending, signal: AbortSignal): Promise<null> {
  const { store, targets } = world;
  const recorded = await store.db
    .selectFrom("revision")
    .select("id")
    .where("product", "=", product)
    .where("environment", "=", environment)
    .where("role", "!=", "removed")
    .execute();
  const there = await targets.observe({ environment });
  for (const id of new Set([...recorded, ...there].map((each) => each.id))) await targets.remove(id, signal);
  await targets.clear(environment, signal);
  return null;
}

/** Why its command has failed, or null. Whatever it is, the rest goes on: the history says at what somebody has to look. */
async function destroyData(world: World, ending: Ending, attempt: string, signal: AbortSignal): Promise<string | null> {
  const row = await findPreview(world.store.db, ending);
  const prepared = row === undefined ? null : preparedOf(row);
  if (prepared === null) return null;
  try {
    return await runCommand(world, ending, { command: "destroy", prepared, attempt }, signal);
  } catch (error) {
    signal.throwIfAborted();
    return `destroy: ${reasonOf(error)}`;
  }
}

async function recordLeft(
  { clock }: World,
  trx: Trx,
  { product, environment, actor }: Ending,
  failure: string,
): Promise<null> {
  const [reason = "", ...lines] = failure.split("\n");
  const event = "preview.destroy-failed";
  const evidence = [["it said", lines.join("\n")]] as const;
  await appendHistory(trx, { at: clock.now(), product, environment, event, actor, reason, evidence });
  return null;
}

async function forget(world: World, trx: Trx, { product, environment, actor, reason }: Ending): Promise<null> {
  const now = world.clock.now();
  const row = await findPreview(trx, { product, environment });
  if (row === undefined) return null;
  await charge(trx, row, now, 0);
  await trx
    .updateTable("revision")
    .set({ role: "removed", updated_at: now })
    .where("product", "=", product)
    .where("environment", "=", environment)
    .execute();
  for (const table of ["scale", "secret"] as const)
    await trx.deleteFrom(table).where("product", "=", product).where("environment", "=", environment).execute();
  for (const table of ["environment", "preview"] as const)
    await trx.deleteFrom(table).where("product", "=", product).where("name", "=", environment).execute();
  await appendHistory(trx, { at: now, product, environment, event: "preview.removed", actor, reason });
  return null;
}

/** What only this one needed of releases; what fails is done by the prune after the next deployment. */
async function collect(world: World, ctx: Ctx, product: string): Promise<void> {
  await ctx.step("collect", async ({ signal }) => {
    try {
      await prune(world, product, signal);
    } catch (error) {
      if (signal.aborted) throw error;
      world.log.warn("preview.collect", { reason: reasonOf(error) });
    }
    return null;
  });
}
