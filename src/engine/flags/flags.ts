import { SlipwayError } from "../../core/errors/error.ts";
import type { FlagDocument } from "../../core/flags/document.ts";
import { type FlagInForce, type FlagSetting, type FlagSpec, settingText } from "../../core/flags/flag.ts";
import { type EnvironmentName, environmentName, type ReleaseId } from "../../core/ids.ts";
import { nearest } from "../../core/product/guess.ts";
import { Secret } from "../../core/secret.ts";
import type { Db, Trx } from "../../ports/store.ts";
import { openDeployments } from "../deploy/open.ts";
import { findEnvironment } from "../environment.ts";
import { appendHistory } from "../history.ts";
import { releaseView } from "../release/read.ts";
import type { World } from "../world.ts";

type At = { readonly product: string; readonly environment: EnvironmentName };

/**
 * The flags of an environment as they are in force: those of what is live, those that a deployment under way brings, and what
 * somebody has set. Changes nothing.
 */
export async function flagsIn(db: Db | Trx, at: At): Promise<Readonly<Record<string, FlagInForce>>> {
  const settings = await settingsIn(db, at);
  const entries = Object.entries(await declaredIn(db, at)).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([name, flag]) => [name, { ...flag, setting: settings.get(name) ?? null }]));
}

export async function flagDocumentOf(db: Db | Trx, at: At): Promise<FlagDocument> {
  const flags = await flagsIn(db, at);
  return { product: at.product, environment: at.environment, flags };
}

async function declaredIn(db: Db | Trx, at: At): Promise<Readonly<Record<string, FlagSpec>>> {
  const live = (await findEnvironment(db, at))?.live_release_id ?? null;
  const coming = (await openDeployments(db, at)).map(({ release_id }) => release_id);
  const all = [...coming, ...(live === null ? [] : [live])];
  const flags = await Promise.all(all.map((release) => flagsOf(db, release, at.environment)));
  return Object.assign({}, ...flags);
}

async function flagsOf(
  db: Db | Trx,
  release: ReleaseId,
  environment: EnvironmentName,
): Promise<Readonly<Record<string, FlagSpec>>> {
  return (await releaseView(db, release, environment)).spec.flags ?? {};
}

async function settingsIn(db: Db | Trx, { product, environment }: At): Promise<ReadonlyMap<string, FlagSetting>> {
  const rows = await db
    .selectFrom("flag_setting")
    .select(["flag", "setting"])
    .where("product", "=", product)
    .where("environment", "=", environment)
    .execute();
  return new Map(rows.map(({ flag, setting }) => [flag, JSON.parse(setting) as FlagSetting]));
}

export type SetFlag = At & {
  readonly flag: string;
  /** Null: as the config says. */
  readonly setting: FlagSetting | null;
  readonly actor: string;
  readonly reason: string;
};

/** Turns a flag, from now on, whatever is released; in the history with who and why. False: it was so already. Errors: UNKNOWN_FLAG. */
export async function setFlag(world: Pick<World, "store" | "clock" | "changes">, set: SetFlag): Promise<boolean> {
  const { product, environment, flag, setting, actor, reason } = set;
  const now = world.clock.now();
  const changed = await world.store.db.transaction().execute(async (trx) => {
    const known = await flagsIn(trx, set);
    const is = Object.hasOwn(known, flag) ? known[flag] : undefined;
    if (is === undefined) throw unknownFlag(flag, environment, Object.keys(known));
    if (settingText(is.setting) === settingText(setting)) return false;
    await trx
      .deleteFrom("flag_setting")
      .where("product", "=", product)
      .where("environment", "=", environment)
      .where("flag", "=", flag)
      .execute();
    if (setting !== null)
      await trx
        .insertInto("flag_setting")
        .values({ product, environment, flag, setting: JSON.stringify(setting), set_at: now, set_by: actor, reason })
        .execute();
    await appendHistory(trx, {
      at: now,
      product,
      environment,
      event: "flag.set",
      actor,
      reason: `${flag} from ${settingText(is.setting)} to ${settingText(setting)}: ${reason}`,
      evidence: [["flag", flag]],
    });
    return true;
  });
  if (changed) world.changes.announce();
  return changed;
}

function unknownFlag(flag: string, environment: string, known: readonly string[]): SlipwayError {
  const guess = nearest(flag, known);
  return new SlipwayError("UNKNOWN_FLAG", {
    message: `what is live in ${environment} has no flag ${flag}`,
    evidence: [["flags", known.join(", ") || "none"]],
    ...(guess === null ? {} : { hint: `did you mean ${guess}?` }),
  });
}

/** What a service of an environment shows to be told its flags: it reads them, and nothing else. The same after every start. */
export function flagToken({ vault }: Pick<World, "vault">, { product, environment }: At): string {
  return [1, 2].map((part) => vault.fingerprint(new Secret(`\0flags ${part} ${product}/${environment}`))).join("");
}

/** Where services ask, by the newest release that says so; null: nowhere. */
export async function flagServerOf(
  db: Db,
  product: string,
): Promise<{ readonly host: string; readonly port: number } | null> {
  const newest = await db
    .selectFrom("release")
    .select(["id", "config"])
    .where("product", "=", product)
    .orderBy("number", "desc")
    .limit(1)
    .executeTakeFirst();
  if (newest === undefined) return null;
  const { environments } = JSON.parse(newest.config) as { environments: Readonly<Record<string, unknown>> };
  for (const name of Object.keys(environments)) {
    const { spec } = await releaseView(db, newest.id, environmentName(name));
    if (spec.flagServer !== undefined) return { host: spec.flagServer.host, port: spec.flagServer.port };
  }
  return null;
}

/** For the processes of a service: where its flags are, and what opens them. */
export function flagVariables(
  world: Pick<World, "vault">,
  { product, environment, flagServer }: { product: string; environment: EnvironmentName; flagServer?: { url: string } },
): Readonly<Record<string, string>> {
  if (flagServer === undefined) return {};
  return {
    SLIPWAY_FLAGS_URL: `${flagServer.url}/flags/${encodeURIComponent(environment)}`,
    SLIPWAY_FLAGS_TOKEN: flagToken(world, { product, environment }),
  };
}
