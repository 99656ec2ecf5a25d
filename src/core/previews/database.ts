import { murmur32 } from "../hash.ts";
import type { EnvironmentName } from "../ids.ts";
import { ownPart } from "./name.ts";

/** PostgreSQL cuts longer names off: https://www.postgresql.org/docs/current/sql-syntax-lexical.html, 2026-11-27. */
const nameBytes = 63;

/**
 * The database of a preview: `shop_pr_12_5f0c2a91`. Of small letters, digits and `_` only, so that it needs no quotes anywhere, and
 * another one for every product and preview, as far as 32 bits of their hash tell them apart.
 */
export function databaseName(product: string, environment: EnvironmentName): string {
  const hash = murmur32(`${product} ${environment}`).toString(16).padStart(8, "0");
  const words = `${product}_${ownPart(environment)}`
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "_")
    .slice(0, nameBytes - hash.length - 1);
  return `${words}_${hash}`;
}

/** Address of a PostgreSQL: `postgres://user:password@host:5432/database?sslmode=require`. */
export function isPostgresUrl(text: string): boolean {
  return URL.canParse(text) && /^postgres(?:ql)?:$/.test(new URL(text).protocol);
}

/** The same server, role and settings; another database. */
export function withDatabase(url: string, name: string): string {
  const other = new URL(url);
  other.pathname = `/${name}`;
  return other.href;
}

/** The address of a preview's own database, on the server and as the role of its template's. */
export function ownDatabase(
  { product, environment }: { readonly product: string; readonly environment: EnvironmentName },
  url: string,
): string {
  return withDatabase(url, databaseName(product, environment));
}

/** What libpq takes of an address from the environment: arguments are seen by everybody on a machine. */
const settings: Readonly<Record<string, string>> = {
  host: "PGHOST",
  port: "PGPORT",
  sslmode: "PGSSLMODE",
  sslrootcert: "PGSSLROOTCERT",
  sslcert: "PGSSLCERT",
  sslkey: "PGSSLKEY",
  channel_binding: "PGCHANNELBINDING",
  connect_timeout: "PGCONNECT_TIMEOUT",
  options: "PGOPTIONS",
};

/** An address as PostgreSQL's own tools have it in their environment. Without a database it is `postgres`, and without a wait ten seconds. */
export function toolEnvironment(url: string): Readonly<Record<string, string>> {
  const { hostname, port, username, password, pathname, searchParams } = new URL(url);
  const said = {
    PGHOST: hostname.replace(/^\[(.*)\]$/, "$1"),
    PGPORT: port,
    PGUSER: username,
    PGPASSWORD: password,
    PGDATABASE: pathname.slice(1),
  };
  const plain = Object.entries(said)
    .filter(([, value]) => value !== "")
    .map(([name, value]) => [name, decodeURIComponent(value)]);
  const more = Object.entries(settings).flatMap(([name, variable]) => {
    const value = searchParams.get(name);
    return value === null ? [] : [[variable, value]];
  });
  return { PGDATABASE: "postgres", PGCONNECT_TIMEOUT: "10", ...Object.fromEntries([...plain, ...more]) };
}
