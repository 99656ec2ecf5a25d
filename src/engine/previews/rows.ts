import type { EnvironmentName, EpochMs } from "../../core/ids.ts";
import { byMonth, monthOf, type Spent } from "../../core/previews/cost.ts";
import type { Preview } from "../../core/previews/decide.ts";
import type { Db, Trx } from "../../ports/store.ts";
import type { PreviewRow } from "../../ports/tables.ts";

type At = { readonly product: string; readonly environment: EnvironmentName };

export function findPreview(db: Db | Trx, { product, environment }: At): Promise<PreviewRow | undefined> {
  return db
    .selectFrom("preview")
    .selectAll()
    .where("product", "=", product)
    .where("name", "=", environment)
    .executeTakeFirst();
}

/** The one that a branch or pull request has. */
export function previewOfRef(
  db: Db | Trx,
  { product, ref }: { readonly product: string; readonly ref: string },
): Promise<PreviewRow | undefined> {
  return db.selectFrom("preview").selectAll().where("product", "=", product).where("ref", "=", ref).executeTakeFirst();
}

/** Oldest first. */
export function previewRows(db: Db | Trx, product: string): Promise<PreviewRow[]> {
  return db
    .selectFrom("preview")
    .selectAll()
    .where("product", "=", product)
    .orderBy("made_at")
    .orderBy("name")
    .execute();
}

export function previewOf({ name, ref, phase, made_at, pushed_at, asked_at }: PreviewRow): Preview {
  return { name, ref, phase, madeAt: made_at, pushedAt: pushed_at, askedAt: asked_at };
}

/** Changes a preview that is there; nothing of one that is not. */
export async function setPreview(
  trx: Db | Trx,
  { product, environment }: At,
  what: Partial<Omit<PreviewRow, "product" | "name">>,
): Promise<void> {
  await trx.updateTable("preview").set(what).where("product", "=", product).where("name", "=", environment).execute();
}

/** What the previews of a template have run in the month of `now`, charged so far. */
export async function spentNow(
  db: Db | Trx,
  { product, template, now }: { readonly product: string; readonly template: EnvironmentName; readonly now: EpochMs },
): Promise<Spent> {
  const row = await db
    .selectFrom("preview_cost")
    .select("instance_ms")
    .where("product", "=", product)
    .where("template", "=", template)
    .where("month", "=", monthOf(now))
    .executeTakeFirst();
  return { instanceMs: row?.instance_ms ?? 0 };
}

/** Charges what has run since it was charged last, and notes how many run from now on. */
export async function charge(trx: Trx, row: PreviewRow, now: EpochMs, instances: number): Promise<void> {
  const ran = Math.max(0, now - row.charged_at) * row.instances;
  await setPreview(
    trx,
    { product: row.product, environment: row.name },
    { instances, instance_ms: row.instance_ms + ran, charged_at: now },
  );
  for (const [month, instanceMs] of byMonth(row.instances, row.charged_at, now)) {
    if (instanceMs === 0) continue;
    await trx
      .insertInto("preview_cost")
      .values({ product: row.product, template: row.template, month, instance_ms: instanceMs })
      .onConflict((known) =>
        known
          .columns(["product", "template", "month"])
          .doUpdateSet((is) => ({ instance_ms: is("preview_cost.instance_ms", "+", instanceMs) })),
      )
      .execute();
  }
}
