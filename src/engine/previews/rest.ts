import { revisionOf } from "../../core/deploy/course.ts";
import type { Traffic, TrafficTarget } from "../../core/deploy/traffic.ts";
import { waves } from "../../core/deploy/waves.ts";
import { type Evidence, isSlipwayError } from "../../core/errors/error.ts";
import { type EnvironmentName, environmentName, type Json } from "../../core/ids.ts";
import { capReached } from "../../core/previews/cost.ts";
import type { ServiceSpec } from "../../core/product/spec.ts";
import { instancesNow } from "../../core/scale/count.ts";
import type { Workflow } from "../../ports/engine.ts";
import type { Trx } from "../../ports/store.ts";
import type { RevisionStatus } from "../../ports/target.ts";
import { ensureAccessories } from "../deploy/accessories.ts";
import { untilAccessoriesWellAgain } from "../deploy/accessories-well.ts";
import { openDeployments } from "../deploy/open.ts";
import { revisionSpec } from "../deploy/revision-spec.ts";
import { stopContainersOf } from "../deploy/stop-all.ts";
import { type Verified, verify } from "../deploy/verify.ts";
import { findEnvironment } from "../environment.ts";
import { appendHistory } from "../history.ts";
import { releaseView } from "../release/read.ts";
import { heldCounts, isScaling, scaleRows } from "../scale/held.ts";
import { findSettings } from "../triggers/settings.ts";
import type { World } from "../world.ts";
import { findPreview, setPreview, spentNow } from "./rows.ts";

/** Stops what runs of a preview that sleeps. */
export const restKind = "preview-rest.v1";
/** Starts it again, and lets in who waits. */
export const wakeKind = "preview-wake.v1";

type At = { readonly product: string; readonly environment: EnvironmentName };
export type Resting = At & { readonly actor: string; readonly reason: string };
type Input = { readonly product: string; readonly environment: string; readonly actor: string };
type Go = () => Promise<void>;

const patience = { attempts: 20, backoffMs: 200 };

const inputOf = ({ product, environment, actor }: Resting): Input => ({ product, environment, actor });
const atOf = ({ product, environment }: Input): At => ({ product, environment: environmentName(environment) });
const lockOf = ({ product, environment }: At) => ({ lockKey: `${product}/${environment}` });

/**
 * Records that a preview sleeps, from when on its requests wait, and has what runs of it stopped. Not while anything is under way there.
 * False: it is not so.
 */
export async function letSleep(world: World, resting: Resting): Promise<boolean> {
  const go = await world.store.db.transaction().execute(async (trx): Promise<Go | null> => {
    const row = await findPreview(trx, resting);
    const live = (await findEnvironment(trx, resting))?.live_release_id ?? null;
    if (row?.phase !== "awake" || live === null) return null;
    if ((await openDeployments(trx, resting)).length > 0 || isScaling(await scaleRows(trx, resting))) return null;
    await changed(world, trx, resting, "asleep");
    return world.engine.startWithin(trx, restKind, `prv_${world.newId()}`, inputOf(resting), lockOf(resting));
  });
  await go?.();
  world.changes.announce();
  return go !== null;
}

/** What is left running of one that sleeps, by whoever started it, is stopped. */
export async function restAgain(world: World, resting: Resting): Promise<string> {
  const id = `prv_${world.newId()}`;
  await world.engine.start(restKind, id, inputOf(resting), lockOf(resting));
  return id;
}

/**
 * In the caller's transaction, records that a preview that sleeps is to be started, which goes before what comes after it. Nothing where it
 * does not sleep. A refusal says why no money may be spent on it.
 */
export async function recordWake(
  world: World,
  trx: Trx,
  resting: Resting,
): Promise<{ readonly go: readonly Go[]; readonly refused: string | null }> {
  const row = await findPreview(trx, resting);
  if (row?.phase !== "asleep") return { go: [], refused: null };
  const { product } = resting;
  const policy = (await findSettings(trx, product))?.settings.templates[row.template];
  const spent = await spentNow(trx, { product, template: row.template, now: world.clock.now() });
  const refused = policy === undefined ? null : capReached(policy, spent);
  if (refused !== null) return { go: [], refused };
  await changed(world, trx, resting, "waking");
  const id = `prv_${world.newId()}`;
  return { go: [await world.engine.startWithin(trx, wakeKind, id, inputOf(resting), lockOf(resting))], refused: null };
}

/** Null: it is awake, or is being started. Else why not. */
export async function wake(world: World, resting: Resting): Promise<string | null> {
  const { go, refused } = await world.store.db.transaction().execute((trx) => recordWake(world, trx, resting));
  for (const each of go) await each();
  if (go.length > 0) world.changes.announce();
  return refused;
}

/** No new requests since it was recorded; those in flight end, then everything is stopped. Ends where somebody wakes it. */
export function restWorkflow(world: World): Workflow<Input, Json> {
  return async (ctx, input) => {
    const at = atOf(input);
    await ctx.step("stop", ({ signal }) => stopAll(world, at, signal), patience);
    return null;
  };
}

async function stopAll(world: World, at: At, signal: AbortSignal): Promise<null> {
  const { store, targets, edges } = world;
  const place = await findEnvironment(store.db, at);
  const live = place?.live_release_id ?? null;
  if (place === undefined || live === null || !(await sleeps(world, at))) return null;
  const { spec } = await releaseView(store.db, live, at.environment);
  const site = edges.of(spec.edge);
  await site.router.sync();
  const { drainMs: timeoutMs, streamLimitMs } = spec.rollout;
  const { services } = JSON.parse(place.traffic) as Traffic;
  const takers = Object.values<readonly TrafficTarget[]>(services).flat();
  await Promise.all(takers.map(({ revision }) => site.edge.drain(revision, { timeoutMs, streamLimitMs })));
  signal.throwIfAborted();
  const containers = new Set((await targets.stoppable({ environment: at.environment })).map(({ id }) => id));
  for (const status of await targets.observe({ environment: at.environment })) {
    if (!(await sleeps(world, at))) return null;
    if (status.wanted === 0) continue;
    if (containers.has(status.id)) await stopContainersOf(world, status);
    else await stopProcesses(world, status, signal);
  }
  return null;
}

async function stopProcesses(world: World, { release, environment, service }: RevisionStatus, signal: AbortSignal) {
  const view = await releaseView(world.store.db, release, environment);
  await world.targets.of(view.spec.target).ensure(await revisionSpec(world, view, service), 0, signal);
}

async function sleeps({ store }: World, at: At): Promise<boolean> {
  return (await findPreview(store.db, at))?.phase === "asleep";
}

/** Null: it is healthy. */
type Woken = { readonly failure: string | null; readonly evidence: readonly Evidence[] };

/** Who waits goes on when it is recorded that everything is healthy; where it does not become so, it sleeps on. */
export function wakeWorkflow(world: World): Workflow<Input, Json> {
  return async (ctx, input) => {
    const at = atOf(input);
    const { failure, evidence } = await ctx
      .step("start", ({ signal }) => startAll(world, at, signal), patience)
      .then((why): Woken => ({ failure: why, evidence: [] }))
      .catch((error: unknown): Woken => {
        if (!isSlipwayError(error)) throw error;
        return { failure: `${error.code} ${error.message}`, evidence: error.evidence };
      });
    const { actor } = input;
    await ctx.tx("record", async (trx) => {
      if ((await findPreview(trx, at))?.phase !== "waking") return null;
      const reason = failure === null ? "it is healthy" : `it could not be started: ${failure}`;
      await changed(world, trx, { ...at, actor, reason, evidence }, failure === null ? "awake" : "asleep");
      return null;
    });
    world.changes.announce();
    await ctx.step("let in", () => world.edges.sync().then(() => null), patience);
    return failure;
  };
}

async function startAll(world: World, at: At, signal: AbortSignal): Promise<string | null> {
  const { store, targets } = world;
  const live = (await findEnvironment(store.db, at))?.live_release_id ?? null;
  if (live === null) return null;
  const view = await releaseView(store.db, live, at.environment);
  const { spec } = view;
  const began = world.clock.now();
  await ensureAccessories(world, { release: live, environment: at.environment }, signal);
  await untilAccessoriesWellAgain(world, spec, began, signal);
  const held = await heldCounts(store.db, at);
  const services = Object.values<ServiceSpec>(spec.services).filter(({ kind }) => kind !== "job");
  for (const wave of waves(services)) {
    const started = await Promise.all(
      wave.map(async (name): Promise<Verified | null> => {
        const service = spec.services[name];
        if (service === undefined) return null;
        const instances = instancesNow(spec, service, held.get(name));
        await targets.of(spec.target).ensure(await revisionSpec(world, view, name), instances, signal);
        const { kind, health } = service;
        return { revision: revisionOf(view, name), service: name, kind, health, instances };
      }),
    );
    const failure = await verify(
      world,
      started.filter((each) => each !== null),
      signal,
    );
    if (failure !== null) return failure.message;
  }
  return null;
}

async function changed(
  { clock }: World,
  trx: Trx,
  { product, environment, actor, reason, evidence = [] }: Resting & { readonly evidence?: readonly Evidence[] },
  phase: "awake" | "asleep" | "waking",
): Promise<void> {
  const now = clock.now();
  await setPreview(trx, { product, environment }, { phase, reason, ...(phase === "asleep" ? {} : { asked_at: now }) });
  await appendHistory(trx, { at: now, product, environment, event: `preview.${phase}`, actor, reason, evidence });
}
