import type { Deployment } from "../../core/deploy/deployment.ts";
import { type Evidence, isSlipwayError, reasonOf, SlipwayError } from "../../core/errors/error.ts";
import type { DeploymentId, EpochMs, RevisionId } from "../../core/ids.ts";
import { healthOf } from "../../core/product/accessory-health.ts";
import { canonicalJson } from "../../core/product/canonical.ts";
import type { AccessorySpec, EnvironmentSpec } from "../../core/product/spec.ts";
import { formatDuration } from "../../core/product/units.ts";
import { linkedSignal } from "../../lib/linked-signal.ts";
import type { RevisionStatus } from "../../ports/target.ts";
import { isBusy } from "../accessories/busy.ts";
import { runningOf } from "../accessories/state.ts";
import { type Unwell, untilWell } from "../accessories/well.ts";
import { findEnvironment } from "../environment.ts";
import { logEvidence } from "../health/evidence.ts";
import { releaseView } from "../release/read.ts";
import type { World } from "../world.ts";
import { nowAwaits } from "./awaited.ts";

/**
 * Waits until every accessory that services start with is well: they would crash without. Not asked again is what the live release has
 * under the same health, and what runs for longer than it may take to become well; a rollback asks nothing, for it must not wait for what may be why it is
 * wanted. One that is not well, and that this release has made, is taken away again with its config; its named volumes stay.
 * `since`: of the log lines that are shown. Safe to repeat. Errors: PROBE_DEADLINE, CRASH_LOOP.
 */
export async function untilAccessoriesWell(
  world: World,
  { id, release, environment }: Pick<Deployment["course"], "id" | "release" | "environment">,
  since: EpochMs,
  signal: AbortSignal,
): Promise<void> {
  const { spec } = await releaseView(world.store.db, release, environment);
  if (Object.keys(spec.accessories).length === 0 || (await isRollback(world, id))) return;
  const live = await liveAccessories(world, spec);
  await allWell(world, spec, signal, async ({ accessory, there, untilWellNow }) => {
    const before = live[accessory.name];
    const isKnown = before !== undefined && canonicalJson(healthOf(before)) === canonicalJson(healthOf(accessory));
    if (isKnown && isRight(there, healthOf(accessory).deadlineMs, world.clock.now())) return;
    const what = `the accessory ${accessory.name}`;
    const unwell = await untilWellNow(([how, seen]) =>
      nowAwaits(world, id, { what, seen: how === "seen" ? seen : `${how}: ${seen}` }),
    ).finally(() => nowAwaits(world, id, { what, seen: null }));
    if (unwell === null) return;
    const failure = await failureOf(world, { spec, accessory, there, since, isLive: before !== undefined }, unwell);
    const isOurs = before === undefined && accessory.composed === undefined && there.release === release;
    if (isOurs) await takeAway(world, there.id, signal);
    throw failure;
  });
}

/**
 * The same for what was stopped and starts again as it was: all of them are asked. `since`: of the log lines that are shown. Changes
 * nothing. Errors: PROBE_DEADLINE, CRASH_LOOP.
 */
export async function untilAccessoriesWellAgain(
  world: World,
  spec: EnvironmentSpec,
  since: EpochMs,
  signal: AbortSignal,
): Promise<void> {
  await allWell(world, spec, signal, async ({ accessory, there, untilWellNow }) => {
    const unwell = await untilWellNow();
    if (unwell !== null) throw await failureOf(world, { spec, accessory, there, since, isLive: true }, unwell);
  });
}

type Asked = {
  readonly accessory: AccessorySpec;
  readonly there: RevisionStatus;
  readonly untilWellNow: (onSeen?: (seen: Evidence) => void) => Promise<Unwell | null>;
};

/** Those that are asked, and are not on a host that is away, side by side; the first that fails ends it for all. */
async function allWell(
  world: World,
  spec: EnvironmentSpec,
  signal: AbortSignal,
  each: (asked: Asked) => Promise<void>,
): Promise<void> {
  const { environment } = spec;
  const asked = Object.values(spec.accessories).filter((accessory) => isAsked(world, spec, accessory));
  if (asked.length === 0) return;
  const running = await world.targets.observe({ environment });
  const { signal: all, end } = linkedSignal([signal]);
  try {
    await Promise.all(
      asked.map(async (accessory) => {
        const there = runningOf(running, { environment, name: accessory.name });
        if (there === undefined || isAway(there)) return;
        await each({
          accessory,
          there,
          untilWellNow: (onSeen) => untilWell(world, there.id, healthOf(accessory), all, onSeen),
        });
      }),
    );
  } finally {
    // The others are not waited for any more.
    end(new Error("another accessory is not well"));
  }
}

async function isRollback({ store }: World, id: DeploymentId): Promise<boolean> {
  const { kind } = await store.db
    .selectFrom("deployment")
    .select("kind")
    .where("id", "=", id)
    .executeTakeFirstOrThrow();
  return kind === "rollback";
}

/** Of those of a Compose file, `depends_on` says which are waited for. */
function isAsked(world: World, { environment, target }: EnvironmentSpec, accessory: AccessorySpec): boolean {
  if (target.driver === "process" || accessory.health === false) return false;
  if (accessory.composed !== undefined && accessory.health === undefined) return false;
  return !isBusy(world, { environment, name: accessory.name });
}

function isAway({ instances }: RevisionStatus): boolean {
  return instances.every(({ lastSeen }) => lastSeen !== undefined);
}

/** It runs, and has for longer than it may take to become well. */
function isRight({ instances: [instance] }: RevisionStatus, ms: number, now: EpochMs): boolean {
  if (instance === undefined) return false;
  const { state, health, startedAt } = instance;
  const isHealthy = health === undefined || health === "healthy";
  return state === "running" && isHealthy && startedAt !== null && now - startedAt > ms;
}

type Known = {
  readonly spec: EnvironmentSpec;
  readonly accessory: AccessorySpec;
  readonly there: RevisionStatus;
  readonly since: EpochMs;
  /** The live release has it. */
  readonly isLive: boolean;
};

async function failureOf(
  world: World,
  { spec, accessory, there, since, isLive }: Known,
  { is, evidence }: Unwell,
): Promise<SlipwayError> {
  const { name } = accessory;
  const how = {
    looping: "exits again and again",
    unhealthy: "is unhealthy by its image's own HEALTHCHECK",
    late: `was not well within ${formatDuration(healthOf(accessory).deadlineMs)}`,
  }[is];
  const logs = await logEvidence(world, { revision: there.id, instance: null }, since);
  return new SlipwayError(is === "looping" ? "CRASH_LOOP" : "PROBE_DEADLINE", {
    message: `the accessory ${name} ${how}, and no service was started`,
    evidence: [...evidence, ...logs],
    hint: isLive
      ? `read its log lines; with another config it is only replaced by: slipway accessory replace ${name} -e ${spec.environment}`
      : `read its log lines; raise accessories.${name}.health.deadline if it only needs longer`,
  });
}

async function liveAccessories(
  world: World,
  { product, environment }: EnvironmentSpec,
): Promise<EnvironmentSpec["accessories"]> {
  const live = (await findEnvironment(world.store.db, { product, environment }))?.live_release_id ?? null;
  return live === null ? {} : (await releaseView(world.store.db, live, environment)).spec.accessories;
}

/** Else the next deployment, with a better config, would keep it as it is. */
async function takeAway(world: World, revision: RevisionId, signal: AbortSignal): Promise<void> {
  try {
    await world.targets.remove(revision, signal);
  } catch (error) {
    signal.throwIfAborted();
    if (!isSlipwayError(error)) throw error;
    world.log.warn("accessory.not-removed", { revision, reason: reasonOf(error) });
  }
}
