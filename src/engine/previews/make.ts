import { SlipwayError } from "../../core/errors/error.ts";
import type { DeploymentId, EnvironmentName } from "../../core/ids.ts";
import { admit } from "../../core/previews/decide.ts";
import { previewHost, templateOf } from "../../core/previews/name.ts";
import type { PreviewsSpec } from "../../core/product/previews-spec.ts";
import type { EnvironmentSpec, ServiceSpec } from "../../core/product/spec.ts";
import type { Trx } from "../../ports/store.ts";
import { appendHistory } from "../history.ts";
import { settingsOf } from "../triggers/settings.ts";
import { untilChange } from "../until-change.ts";
import type { World } from "../world.ts";
import { recordEnd } from "./remove.ts";
import { recordWake } from "./rest.ts";
import { findPreview, previewOf, previewRows, setPreview, spentNow } from "./rows.ts";

export type Making = {
  readonly product: string;
  readonly environment: EnvironmentName;
  /** Whose it is. */
  readonly ref: string;
  readonly actor: string;
  readonly reason: string;
};

/** Null: it is there. Else why it is not made. */
export type Made = { readonly refused: string | null };

/**
 * Has the preview of a branch or pull request there, as a row and nothing more: what follows is brought about by its deployment. One of
 * before that is still being removed is waited for. Others go for it where the policy in force says so. Safe to repeat.
 */
export async function makePreview(world: World, making: Making, signal: AbortSignal): Promise<Made> {
  for (;;) {
    const changed = untilChange(world, signal);
    try {
      const made = await world.store.db.transaction().execute((trx) => tryToMake(world, trx, making));
      if (made !== null) {
        for (const each of made.go) await each();
        world.changes.announce();
        return { refused: made.refused };
      }
      await changed.wait();
    } finally {
      changed.release();
    }
  }
}

type Tried = Made & { readonly go: readonly (() => Promise<void>)[] };

async function tryToMake(world: World, trx: Trx, making: Making): Promise<Tried | null> {
  const { product, environment, ref, actor, reason } = making;
  const template = templateOf(environment);
  const policy = template === null ? undefined : (await settingsOf(trx, product)).settings.templates[template];
  if (template === null || policy === undefined)
    return { refused: `no template ${template} of previews is in force any more`, go: [] };
  const now = world.clock.now();
  const all = (await previewRows(trx, product)).filter((row) => row.template === template);
  const spent = await spentNow(trx, { product, template, now });
  const admission = admit({ name: environment, ref }, all.map(previewOf), policy, spent);
  switch (admission.is) {
    case "wait":
      return null;
    case "refuse":
      return { refused: admission.reason, go: [] };
    case "there":
      await setPreview(trx, { product, environment }, { pushed_at: now });
      return { refused: null, go: [] };
    case "make": {
      const go: (() => Promise<void>)[] = [];
      for (const name of admission.remove) {
        const why = `${environment} takes its place: at most ${policy.limit} at once`;
        go.push(...(await recordEnd(world, trx, { product, environment: name, actor, reason: why })));
      }
      await insert(world, trx, { making, template, policy });
      await appendHistory(trx, { at: now, product, environment, event: "preview.made", actor, reason });
      return { refused: null, go };
    }
  }
}

type Inserted = { readonly making: Making; readonly template: EnvironmentName; readonly policy: PreviewsSpec };

async function insert({ clock }: World, trx: Trx, { making, template, policy }: Inserted): Promise<void> {
  const now = clock.now();
  await trx
    .insertInto("preview")
    .values({
      product: making.product,
      name: making.environment,
      template,
      ref: making.ref,
      host: previewHost(policy.host, making.environment),
      phase: "awake",
      reason: making.reason,
      made_at: now,
      made_by: making.actor,
      pushed_at: now,
      asked_at: null,
      prepared: null,
      instances: 0,
      instance_ms: 0,
      charged_at: now,
    })
    .execute();
}

/**
 * In the transaction that lets a deployment in, before it has its place in the queue: a preview that sleeps is started first, for it is
 * compared with and gone back to. What is answered is called when that has committed.
 */
export async function wakeFor(
  world: World,
  trx: Trx,
  { product, environment, previews }: EnvironmentSpec,
  { id, actor }: { readonly id: DeploymentId; readonly actor: string },
): Promise<readonly (() => Promise<void>)[]> {
  if (previews === undefined) return [];
  const { go, refused } = await recordWake(world, trx, { product, environment, actor, reason: `${id} comes` });
  if (refused !== null) throw new SlipwayError("PREVIEW_REFUSED", { message: refused });
  return go;
}

/**
 * In the transaction that lets a deployment in: a template is no place, a preview that is gone or going takes nothing any more, and a
 * commit that gives previews another host than the one in force does not get it. Errors: UNKNOWN_ENVIRONMENT, PREVIEW_REFUSED.
 */
export async function mustHaveItsPlace(trx: Trx, product: string, spec: EnvironmentSpec): Promise<void> {
  const { environment, previews } = spec;
  if (previews === undefined) return;
  if (templateOf(environment) === null)
    throw new SlipwayError("PREVIEW_REFUSED", {
      message: `${environment} is a template: branches and pull requests have an environment each that is like it`,
      hint: "run: slipway preview create <branch>",
    });
  const row = await findPreview(trx, { product, environment });
  if (row === undefined || row.phase === "removing")
    throw new SlipwayError("UNKNOWN_ENVIRONMENT", {
      message: `there is no preview ${environment}${row === undefined ? "" : " any more; it is being removed"}`,
      hint: "run: slipway previews; or: slipway preview create <branch>",
    });
  const [host] = Object.values<ServiceSpec>(spec.services).flatMap(({ routes }) => routes.map((route) => route.host));
  if (host !== undefined && host !== row.host)
    throw new SlipwayError("PREVIEW_REFUSED", {
      message: `the config of this commit has ${environment} at ${host}; in force is ${row.host}`,
      hint: "bring the branch up to date; or put the other host in force (slipway triggers apply), and make the preview anew",
    });
}
