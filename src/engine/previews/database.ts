import { SlipwayError } from "../../core/errors/error.ts";
import { type EnvironmentName, environmentName } from "../../core/ids.ts";
import { databaseName, isPostgresUrl, ownDatabase, toolEnvironment } from "../../core/previews/database.ts";
import { isPreview } from "../../core/previews/spec.ts";
import type { PreviewDatabaseSpec } from "../../core/product/previews-spec.ts";
import type { EnvironmentSpec } from "../../core/product/spec.ts";
import { Secret } from "../../core/secret.ts";
import type { World } from "../world.ts";

type At = { readonly product: string; readonly environment: EnvironmentName };

/** One run of PostgreSQL's own tools: a program of a shell, and who they are there, in their environment. */
export type DatabaseTask = {
  readonly name: "create" | "fill" | "drop";
  readonly script: string;
  readonly env: Readonly<Record<string, string>>;
  /** Values of it that are to be seen nowhere. */
  readonly secrets: readonly string[];
};

/** `secrets`: those of the template, by name. */
type Asked = { readonly secrets: Readonly<Record<string, string>>; readonly database: PreviewDatabaseSpec };

/**
 * Makes it anew: what an attempt before has left of it is no data of anybody. Owned by the role that the services have, and filled
 * by it. Databases that earlier previews have left go too. Errors: SECRET_UNREADABLE.
 */
export async function creation(world: World, at: At, { database, secrets }: Asked): Promise<readonly DatabaseTask[]> {
  const { dump, secret, template } = database;
  const services = urlOf(at, secret, secrets);
  const { PGUSER = "", PGPASSWORD = "" } = toolEnvironment(services);
  const admin = await asAdmin(world, at, { database, secrets });
  const create: DatabaseTask = {
    ...admin,
    name: "create",
    script: `${found("psql")}${drop}${make}${sweep}`,
    env: { ...admin.env, TEMPLATE: template ?? "", OWNER: PGUSER },
  };
  if (dump === null) return [create];
  const env = { ...toolEnvironment(ownDatabase(at, services)), DUMP: dump };
  return [
    create,
    {
      name: "fill",
      script: `${found("psql")}${found("pg_restore")}${fill}`,
      env,
      secrets: [services, PGPASSWORD].filter((value) => value !== ""),
    },
  ];
}

export async function removal(world: World, at: At, asked: Asked): Promise<DatabaseTask> {
  return { ...(await asAdmin(world, at, asked)), name: "drop", script: `${found("psql")}${drop}${sweep}` };
}

async function asAdmin(
  world: World,
  at: At,
  { database, secrets }: Asked,
): Promise<Omit<DatabaseTask, "name" | "script">> {
  const url = urlOf(at, database.admin, secrets);
  const rows = await world.store.db.selectFrom("preview").select("name").where("product", "=", at.product).execute();
  const tools = toolEnvironment(url);
  return {
    env: {
      ...tools,
      NAME: databaseName(at.product, at.environment),
      // Whose it is, by the key of this control plane: another one may have previews of this name on the same server.
      MARK: `slipway ${world.vault.fingerprint(new Secret(`previews of ${at.product}`))}`,
      KEPT: rows.map(({ name }) => databaseName(at.product, environmentName(name))).join(" "),
      // What is made after this moment may be of a preview that is not among those.
      MOMENT: String(world.clock.now()),
    },
    secrets: [url, tools.PGPASSWORD ?? ""].filter((value) => value !== ""),
  };
}

function urlOf({ environment }: At, name: string, secrets: Asked["secrets"]): string {
  const url = secrets[name] ?? "";
  if (isPostgresUrl(url)) return url;
  throw new SlipwayError("SECRET_UNREADABLE", {
    message: `the secret ${name} of ${environment} is no address of a PostgreSQL, such as postgres://role:password@host:5432/postgres`,
    hint: `run: slipway secret set ${name} -e ${environment.split("/")[0]}`,
  });
}

/** The values that a service is started with: in a preview with a database the address is that of its own. */
export function withOwnDatabase(
  spec: EnvironmentSpec,
  values: Readonly<Record<string, Secret>>,
): Readonly<Record<string, Secret>> {
  const database = spec.previews?.data?.postgres;
  const value = database === undefined ? undefined : values[database.secret];
  if (database === undefined || value === undefined || !isPreview(spec)) return values;
  const url = urlOf(spec, database.secret, { [database.secret]: value.reveal() });
  return { ...values, [database.secret]: new Secret(ownDatabase(spec, url)) };
}

const found = (tool: string): string =>
  `command -v ${tool} >/dev/null || { echo "${tool} is not on this machine: install PostgreSQL's client" >&2; exit 127; }\n`;

/** Values reach SQL as psql's own variables, which it quotes. */
const psql = "psql -X -q -v ON_ERROR_STOP=1";

const drop = `${psql} -v name="$NAME" <<'SQL'
drop database if exists :"name" with (force);
SQL
`;

/** The owner comes last: a role that is none of the admin's own could not be commented on any more. */
const make = `${psql} -v name="$NAME" -v template="\${TEMPLATE:-template1}" -v mark="$MARK $MOMENT" -v owner="\${OWNER:-$PGUSER}" <<'SQL'
create database :"name" template :"template";
comment on database :"name" is :'mark';
alter database :"name" owner to :"owner";
SQL
`;

const sweep = `for name in $(${psql} -At -v mark="$MARK" -v moment="$MOMENT" <<'SQL'
select datname from pg_database, lateral shobj_description(oid, 'pg_database') as said
where starts_with(said, :'mark' || ' ') and split_part(said, ' ', 3)::bigint < :'moment'::bigint;
SQL
); do
  case " $KEPT " in *" $name "*) continue ;; esac
  echo "$name is of a preview that is gone: it is dropped"
  ${psql} -v name="$name" <<'SQL' || echo "it could not be dropped"
drop database if exists :"name" with (force);
SQL
done
`;

const fill = `if pg_restore --list "$DUMP" >/dev/null 2>&1; then
  pg_restore --no-owner --no-privileges --exit-on-error --dbname="$PGDATABASE" "$DUMP"
else
  ${psql} --single-transaction --file="$DUMP" >/dev/null
fi
`;
