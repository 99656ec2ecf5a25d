import type { EnvironmentName, EpochMs, ReleaseId } from "../../core/ids.ts";
import { costOf } from "../../core/previews/cost.ts";
import { expiresAt, type PreviewPhase } from "../../core/previews/decide.ts";
import { previewUrl } from "../../core/previews/spec.ts";
import type { PreviewsSpec } from "../../core/product/previews-spec.ts";
import type { ServiceSpec } from "../../core/product/spec.ts";
import type { PreviewRow } from "../../ports/tables.ts";
import { findEnvironment } from "../environment.ts";
import { releaseView } from "../release/read.ts";
import { findSettings } from "../triggers/settings.ts";
import type { World } from "../world.ts";
import { previewOf, previewRows, spentNow } from "./rows.ts";

export type PreviewsNow = {
  /** Oldest first. */
  readonly previews: readonly PreviewNow[];
  readonly templates: readonly TemplateNow[];
};

export type PreviewNow = {
  readonly name: EnvironmentName;
  readonly template: EnvironmentName;
  /** `refs/heads/cart`, `pull-request/12` */
  readonly ref: string;
  readonly phase: PreviewPhase;
  readonly reason: string;
  /** Null before its first release, and where nothing of it is asked by people. */
  readonly url: string | null;
  readonly host: string;
  readonly live: { readonly release: ReleaseId; readonly number: number } | null;
  readonly instances: number;
  readonly madeAt: EpochMs;
  readonly madeBy: string;
  readonly pushedAt: EpochMs;
  readonly askedAt: EpochMs | null;
  /** When it is removed unless somebody pushes; null where its template is not in force any more. */
  readonly expiresAt: EpochMs | null;
  readonly instanceMs: number;
  /** Null where nobody reckons. */
  readonly cost: number | null;
};

export type TemplateNow = {
  readonly name: EnvironmentName;
  readonly policy: PreviewsSpec;
  /** In this month of UTC, with those that are gone. Null where nobody reckons. */
  readonly cost: number | null;
};

/** The previews there are, and what is in force for them. */
export async function previewsNow(world: Pick<World, "store" | "clock">, product: string): Promise<PreviewsNow> {
  const { db } = world.store;
  const templates = (await findSettings(db, product))?.settings.templates ?? {};
  const now = world.clock.now();
  const rows = await previewRows(db, product);
  return {
    previews: await Promise.all(rows.map((row) => previewNow(world, row, templates[row.template] ?? null, now))),
    templates: await Promise.all(
      Object.entries<PreviewsSpec>(templates).map(async ([key, policy]) => {
        const name = key as EnvironmentName;
        const waiting = rows.filter(({ template }) => template === name).map((row) => uncharged(row, now));
        const { instanceMs } = await spentNow(db, { product, template: name, now });
        return { name, policy, cost: costOf(instanceMs + waiting.reduce((sum, each) => sum + each, 0), policy) };
      }),
    ),
  };
}

async function previewNow(
  { store }: Pick<World, "store">,
  row: PreviewRow,
  policy: PreviewsSpec | null,
  now: EpochMs,
): Promise<PreviewNow> {
  const { product, name, template, ref, phase, reason, host } = row;
  const live = (await findEnvironment(store.db, { product, environment: name }))?.live_release_id ?? null;
  const view = live === null ? null : await releaseView(store.db, live, name);
  const isAsked =
    view !== null && Object.values<ServiceSpec>(view.spec.services).some(({ routes }) => routes.length > 0);
  const instanceMs = row.instance_ms + uncharged(row, now);
  return {
    name,
    template,
    ref,
    phase,
    reason,
    url: view !== null && isAsked ? previewUrl(view.spec, host) : null,
    host,
    live: view === null ? null : { release: view.id, number: view.number },
    instances: row.instances,
    madeAt: row.made_at,
    madeBy: row.made_by,
    pushedAt: row.pushed_at,
    askedAt: row.asked_at,
    expiresAt: policy === null ? null : expiresAt(previewOf(row), policy),
    instanceMs,
    cost: policy === null ? null : costOf(instanceMs, policy),
  };
}

function uncharged({ charged_at, instances }: PreviewRow, now: EpochMs): number {
  return Math.max(0, now - charged_at) * instances;
}
