import { SlipwayError } from "../../core/errors/error.ts";
import { type EnvironmentName, type EpochMs, environmentName } from "../../core/ids.ts";
import { canonicalJson } from "../../core/product/canonical.ts";
import type { AccessorySpec, EnvironmentSpec, SecretRef, SecretRefs, ServiceSpec } from "../../core/product/spec.ts";
import type { Secret } from "../../core/secret.ts";
import type { Db, Trx } from "../../ports/store.ts";
import type { SecretRow } from "../../ports/tables.ts";
import { findEnvironment } from "../environment.ts";
import { appendHistory } from "../history.ts";
import { type ReleaseConfig, releaseView } from "../release/read.ts";
import type { World } from "../world.ts";

type At = { readonly product: string; readonly environment: EnvironmentName };
type Named = At & { readonly name: string };
type Deps = Pick<World, "store" | "vault" | "clock" | "changes">;

export type SecretView = {
  readonly environment: EnvironmentName;
  readonly name: string;
  readonly version: number;
  readonly setAt: EpochMs;
  readonly setBy: string;
  /** Services and accessories of what is live that have it. */
  readonly usedBy: readonly string[];
  /** What is live has another version: it goes on with that until a new release is deployed. */
  readonly pending: boolean;
};

/**
 * Keeps a value for the releases to come; what is live goes on with what it has. The same value again changes nothing. Answers
 * whether anything changed.
 */
export async function setSecret(
  world: Deps,
  { product, environment, name, actor, reason }: Named & { readonly actor: string; readonly reason: string },
  value: Secret,
): Promise<boolean> {
  const fingerprint = world.vault.fingerprint(value);
  const changed = await world.store.db.transaction().execute(async (trx) => {
    const before = await newest(trx, { product, environment, name });
    if (before?.fingerprint === fingerprint) return false;
    const version = (before?.version ?? 0) + 1;
    const sealed = world.vault.seal(value, { product, environment, name, version });
    await insert(trx, { product, environment, name, version, sealed, fingerprint, ...by(world, actor) });
    await told(world, trx, { product, environment, name, how: "set", actor, reason });
    return true;
  });
  world.changes.announce();
  return changed;
}

/** Releases to come have no value of it; those that have one keep it. Errors: SECRET_MISSING. */
export async function unsetSecret(
  world: Deps,
  { product, environment, name, actor, reason }: Named & { readonly actor: string; readonly reason: string },
): Promise<void> {
  await world.store.db.transaction().execute(async (trx) => {
    const before = await newest(trx, { product, environment, name });
    if (before === undefined || before.fingerprint === "")
      throw new SlipwayError("SECRET_MISSING", { message: `${environment} has no secret ${name}` });
    const version = before.version + 1;
    await insert(trx, { product, environment, name, version, sealed: null, fingerprint: "", ...by(world, actor) });
    await told(world, trx, { product, environment, name, how: "unset", actor, reason });
  });
  world.changes.announce();
}

/** Names and versions; never values. */
export async function listSecrets(
  { store }: Pick<World, "store">,
  { product, environment }: { readonly product: string; readonly environment: EnvironmentName | null },
): Promise<readonly SecretView[]> {
  const all = await newestOf(store.db, product);
  const found: SecretView[] = [];
  for (const row of all) {
    if (environment !== null && row.environment !== environment) continue;
    const live = (await findEnvironment(store.db, row))?.live_release_id ?? null;
    const users = live === null ? [] : usersOf((await releaseView(store.db, live, row.environment)).spec, row.name);
    found.push({
      environment: row.environment,
      name: row.name,
      version: row.version,
      setAt: row.created_at,
      setBy: row.created_by,
      usedBy: users.map(({ name }) => name),
      pending: users.some(({ ref }) => ref?.version !== row.version),
    });
  }
  return found;
}

function usersOf(spec: EnvironmentSpec, name: string): { readonly name: string; readonly ref: SecretRef | null }[] {
  const all = [...Object.values<ServiceSpec>(spec.services), ...Object.values(spec.accessories)];
  return all.flatMap(({ name: user, secrets }) => {
    const ref = secrets?.[name];
    return ref === undefined ? [] : [{ name: user, ref }];
  });
}

/** The config with the versions that a release made now would have. */
export async function withSecrets(db: Db | Trx, config: ReleaseConfig): Promise<ReleaseConfig> {
  const current = await currentSecrets(db, config.product);
  const environments = Object.entries(config.environments).map(([name, spec]) => {
    const filled = <Spec extends ServiceSpec | AccessorySpec>(all: Readonly<Record<string, Spec>>) =>
      Object.fromEntries(
        Object.entries(all).map(([each, one]) => [
          each,
          one.secrets === undefined ? one : { ...one, secrets: refs(current, environmentName(name), one.secrets) },
        ]),
      );
    return [name, { ...spec, services: filled(spec.services), accessories: filled(spec.accessories) }];
  });
  return { ...config, environments: Object.fromEntries(environments) };
}

/** Whether a release made now would have other values than this one: then it is another release, of the same commit. */
export async function hasOtherSecrets(db: Db | Trx, config: ReleaseConfig): Promise<boolean> {
  const now = await withSecrets(db, config);
  return canonicalJson(now as never) !== canonicalJson(config as never);
}

/** The values a service or accessory of a release is started with. Errors: SECRET_MISSING, SECRET_UNREADABLE. */
export async function valuesOf(
  world: Pick<World, "store" | "vault">,
  at: At,
  { name: user, secrets = {} }: Pick<ServiceSpec | AccessorySpec, "name" | "secrets">,
): Promise<Readonly<Record<string, Secret>>> {
  const entries = await Promise.all(
    Object.entries(secrets).map(async ([name, ref]) => {
      const row = ref === null ? undefined : await versionOf(world.store.db, { ...at, name }, ref.version);
      if (row?.sealed == null) throw missing({ ...at, name }, user, ref);
      return [name, world.vault.open(row.sealed, { ...at, name, version: row.version })] as const;
    }),
  );
  return Object.fromEntries(entries);
}

function missing({ environment, name }: Named, user: string, ref: SecretRef | null): SlipwayError {
  const message =
    ref === null
      ? `${user} needs the secret ${name}, which was not set in ${environment} when the release was made`
      : `${user} needs version ${ref.version} of the secret ${name} of ${environment}, which is not kept any more`;
  return new SlipwayError("SECRET_MISSING", {
    message,
    hint: `run: slipway secret set ${name} -e ${environment}; then make a new release: slipway deploy`,
  });
}

type Current = ReadonlyMap<string, SecretRef>;

async function currentSecrets(db: Db | Trx, product: string): Promise<Current> {
  const rows = await newestOf(db, product);
  return new Map(
    rows.map(({ environment, name, version, fingerprint }) => [`${environment} ${name}`, { version, fingerprint }]),
  );
}

function refs(current: Current, environment: EnvironmentName, names: SecretRefs): SecretRefs {
  return Object.fromEntries(Object.keys(names).map((name) => [name, current.get(`${environment} ${name}`) ?? null]));
}

/** The newest version of each that is set. */
async function newestOf(db: Db | Trx, product: string): Promise<readonly SecretRow[]> {
  const rows = await db
    .selectFrom("secret")
    .selectAll()
    .where("product", "=", product)
    .orderBy("environment")
    .orderBy("name")
    .orderBy("version", "desc")
    .execute();
  const isNewest = (row: SecretRow, index: number): boolean => {
    const before = rows[index - 1];
    return before?.environment !== row.environment || before.name !== row.name;
  };
  return rows.filter((row, index) => isNewest(row, index) && row.fingerprint !== "");
}

function newest(db: Db | Trx, { product, environment, name }: Named): Promise<SecretRow | undefined> {
  return db
    .selectFrom("secret")
    .selectAll()
    .where("product", "=", product)
    .where("environment", "=", environment)
    .where("name", "=", name)
    .orderBy("version", "desc")
    .executeTakeFirst();
}

function versionOf(db: Db, at: Named, version: number): Promise<SecretRow | undefined> {
  return db
    .selectFrom("secret")
    .selectAll()
    .where("product", "=", at.product)
    .where("environment", "=", at.environment)
    .where("name", "=", at.name)
    .where("version", "=", version)
    .executeTakeFirst();
}

async function insert(trx: Trx, row: SecretRow): Promise<void> {
  await trx.insertInto("secret").values(row).execute();
}

function by({ clock }: Pick<World, "clock">, actor: string): Pick<SecretRow, "created_at" | "created_by"> {
  return { created_at: clock.now(), created_by: actor };
}

async function told(
  { clock }: Pick<World, "clock">,
  trx: Trx,
  { product, environment, name, how, actor, reason }: Named & { how: string; actor: string; reason: string },
): Promise<void> {
  const words = `${name} ${how}${reason === "" ? "" : ` (${reason})`}`;
  await appendHistory(trx, { at: clock.now(), product, environment, event: `secret.${how}`, actor, reason: words });
}
