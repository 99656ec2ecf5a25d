import type { ErrorCode } from "../../core/errors/catalogue.ts";
import { type Evidence, isSlipwayError, reasonOf } from "../../core/errors/error.ts";
import { environmentName, type Json, type RevisionId } from "../../core/ids.ts";
import { healthOf } from "../../core/product/accessory-health.ts";
import type { AccessoryHealthSpec } from "../../core/product/spec.ts";
import type { Workflow } from "../../ports/engine.ts";
import type { RevisionSpec } from "../../ports/target.ts";
import { accessorySpec } from "../deploy/revision-spec.ts";
import { logEvidence } from "../health/evidence.ts";
import { appendHistory } from "../history.ts";
import { releaseView } from "../release/read.ts";
import type { World } from "../world.ts";
import { whileBusy } from "./busy.ts";
import { runningOf, specThatRuns, type Wanted, wantedAccessory } from "./state.ts";
import { untilWell } from "./well.ts";

export const accessoryKind = "accessory.v1";

export type AccessoryInput = {
  readonly product: string;
  readonly environment: string;
  readonly name: string;
  readonly what: "restart" | "replace";
  readonly actor: string;
  readonly reason: string;
};

/** How it ended, for the history and for who waits. `code` is null when it went well. */
export type AccessoryOutcome = {
  readonly event: "restarted" | "replaced" | "restored" | "down" | "failed";
  readonly says: string;
  readonly code: ErrorCode | null;
  readonly evidence: readonly Evidence[];
};

/**
 * Restarts an accessory as it is, or replaces it by what the live release wants. Stop first: data must not be in two hands. The
 * old one stands stopped until the new one is well, and is started again when that does not become so. Named volumes stay.
 * Every step looks before it acts, so a crash anywhere repeats at most one.
 */
export function accessoryWorkflow(world: World): Workflow<AccessoryInput, Json> {
  return async (ctx, input) => {
    const at = { product: input.product, environment: environmentName(input.environment), name: input.name };
    const began = await ctx.step("look", async () => ({ ...(await look(world, at)), at: world.clock.now() }));
    const outcome = await whileBusy(world, at, () =>
      ctx
        .step("act", async ({ signal }) => {
          const wanted = await wantedAccessory(world, at);
          return input.what === "restart"
            ? restart(world, wanted, began, signal)
            : replace(world, wanted, began, signal);
        })
        .catch((error: unknown): AccessoryOutcome => {
          if (!isSlipwayError(error)) throw error;
          return { event: "failed", says: error.message, code: error.code, evidence: error.evidence };
        }),
    );
    await ctx.tx("record", async (trx) => {
      await appendHistory(trx, {
        at: world.clock.now(),
        product: at.product,
        environment: at.environment,
        event: `accessory.${outcome.event}`,
        actor: input.actor,
        reason: `${at.name}: ${outcome.says}${input.reason === "" ? "" : ` (${input.reason})`}`,
        evidence: outcome.evidence,
      });
      return null;
    });
    world.changes.announce();
    return outcome;
  };
}

type Began = { readonly revision: RevisionId | null; readonly at: number };

async function look(
  world: World,
  at: { readonly environment: ReturnType<typeof environmentName>; readonly name: string },
): Promise<{ readonly revision: RevisionId | null }> {
  return { revision: runningOf(await world.targets.observe({ environment: at.environment }), at)?.id ?? null };
}

async function restart(world: World, wanted: Wanted, began: Began, signal: AbortSignal): Promise<AccessoryOutcome> {
  const there = await find(world, wanted, began.revision);
  const target = world.targets.of(wanted.spec.target);
  const spec = there === undefined ? await fresh(world, wanted) : await specThatRuns(world, there, wanted);
  // A repeat after a crash stops it once more: a restart too many, and never none.
  await target.ensure(spec, 0, signal);
  await target.ensure(spec, 1, signal);
  const sick = await untilWell(world, spec.id, healthOf(wanted.accessory), signal);
  return sick === null
    ? { event: "restarted", says: "restarted", code: null, evidence: [] }
    : {
        event: "down",
        says: "restarted, and it does not become well",
        code: "ACCESSORY_DOWN",
        evidence: [...sick.evidence, ...(await logsOf(world, spec.id, began.at))],
      };
}

async function replace(world: World, wanted: Wanted, began: Began, signal: AbortSignal): Promise<AccessoryOutcome> {
  const target = world.targets.of(wanted.spec.target);
  const next = await fresh(world, wanted);
  const there = await find(world, wanted, began.revision);
  const before = there === undefined || there.id === next.id ? null : await specThatRuns(world, there, wanted);
  // Its image is brought while the old one still runs: what is nowhere stops nothing.
  await target.ensure(next, 0, signal);
  // Made anew as it is: there is nothing to keep for a way back.
  if (before === null) await world.targets.remove(next.id, signal);
  else await target.ensure(before, 0, signal);
  const successor = { ...next, ...(before === null ? {} : { replaces: before.id }) };
  const sick = await started(world, successor, healthOf(wanted.accessory), signal);
  if (sick === null) {
    if (before !== null) await world.targets.remove(before.id, signal);
    return { event: "replaced", says: `replaced by ${wanted.accessory.image}`, code: null, evidence: [] };
  }
  const evidence = [...sick, ...(await logsOf(world, next.id, began.at))];
  if (before === null) {
    return { event: "down", says: "made anew, and it does not become well", code: "ACCESSORY_DOWN", evidence };
  }
  await world.targets.remove(next.id, signal);
  await target.ensure(before, 1, signal);
  const again = await untilWell(world, before.id, healthOf(wanted.accessory), signal);
  return again === null
    ? {
        event: "restored",
        says: `${wanted.accessory.image} did not become well; the old one runs again`,
        code: "ACCESSORY_RESTORED",
        evidence,
      }
    : {
        event: "down",
        says: `${wanted.accessory.image} did not become well, and neither does the old one any more`,
        code: "ACCESSORY_DOWN",
        evidence: [...evidence, ...again.evidence],
      };
}

/** Null when it runs and is well. */
async function started(
  world: World,
  spec: RevisionSpec,
  health: AccessoryHealthSpec,
  signal: AbortSignal,
): Promise<readonly Evidence[] | null> {
  const { spec: place } = await releaseView(world.store.db, spec.release, spec.environment);
  try {
    await world.targets.of(place.target).ensure(spec, 1, signal);
  } catch (error) {
    signal.throwIfAborted();
    return [["seen", reasonOf(error)]];
  }
  return (await untilWell(world, spec.id, health, signal))?.evidence ?? null;
}

async function fresh(world: World, { release, spec, accessory }: Wanted): Promise<RevisionSpec> {
  return accessorySpec(world, await releaseView(world.store.db, release, spec.environment), accessory);
}

async function find(world: World, { spec }: Wanted, revision: RevisionId | null) {
  if (revision === null) return undefined;
  return (await world.targets.observe({ environment: spec.environment })).find(({ id }) => id === revision);
}

async function logsOf(world: World, revision: RevisionId, since: number): Promise<readonly Evidence[]> {
  return logEvidence(world, { revision, instance: null }, since);
}
