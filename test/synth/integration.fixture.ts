import { cpSync, mkdirSync, mkdtempSync, readdirSync, symlinkSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { Reachable } from "../../src/testing/hosts/engine-request.ts";
import { loadImage } from "../../src/testing/hosts/image-archive.ts";
import { copyInto, keptLayer } from "../../src/testing/hosts/kept-layer.ts";
import { needPrograms, run } from "../../src/testing/hosts/parts.ts";
import { architecture, fillWithShell } from "../../src/testing/hosts/shell-image.ts";

/**
 * A real Redis and a real PostgreSQL of this machine, as images of these names, each with what asks it whether it is ready. The second
 * one begins as the official image does: a server that only its own socket reaches fills the database, then the one begins that is meant.
 */
export async function dataImages(engine: Reachable, { redis, postgres }: { redis: string; postgres: string }) {
  const layers = [await keptLayer(`data-${architecture}`, fill)];
  const Env = [`PATH=/usr/local/bin:/bin:${postgresBin()}`, "PGDATA=/var/lib/postgresql/data"];
  await loadImage(engine, redis, {
    architecture,
    layers,
    config: { Env, Cmd: ["redis-server", "--protected-mode", "no", "--save", ""] },
  });
  await loadImage(engine, postgres, { architecture, layers, config: { Env, Cmd: ["start-postgres"] } });
}

async function fill(root: string): Promise<void> {
  await fillWithShell(root);
  const [check = "", client = ""] = needPrograms("redis-check-rdb", "redis-cli");
  const bin = postgresBin();
  const programs = [check, client, ...["postgres", "initdb", "pg_isready"].map((name) => join(bin, name))];
  for (const program of programs) {
    const linked = [...(await run(["ldd", program])).matchAll(/(\/\S+) \(0x/g)].map((found) => found[1] ?? "");
    for (const library of linked) await copyInto(root, library, library);
  }
  await copyInto(root, check, "/usr/local/bin/redis-server");
  await copyInto(root, client, "/usr/local/bin/redis-cli");
  for (const name of ["postgres", "initdb", "pg_isready"]) {
    await copyInto(root, join(bin, name), join(bin, name));
  }
  for (const each of [join(dirname(bin), "lib"), join("/usr/share/postgresql", basename(dirname(bin)))])
    cpSync(each, join(root, each), { recursive: true, dereference: true });
  for (const each of ["var/lib/postgresql/data", "var/run/postgresql"])
    mkdirSync(join(root, each), { recursive: true });
  await writeFile(join(root, "bin/start-postgres"), start, { mode: 0o755 });
}

function postgresBin(): string {
  const [newest = ""] = readdirSync("/usr/lib/postgresql").sort((a, b) => Number(b) - Number(a));
  return join("/usr/lib/postgresql", newest, "bin");
}

const start = `#!/bin/sh
set -e
if [ "$(id -u)" = 0 ]; then
  chown node "$PGDATA" /var/run/postgresql
  chmod 700 "$PGDATA"
  exec su node -c start-postgres
fi
printf '%s' "$POSTGRES_PASSWORD" > /var/run/postgresql/password
initdb -N -A scram-sha-256 --locale=C -E UTF8 -U "$POSTGRES_USER" --pwfile /var/run/postgresql/password -D "$PGDATA"
echo 'host all all all scram-sha-256' >> "$PGDATA/pg_hba.conf"
postgres -D "$PGDATA" -c listen_addresses= &
first=$!
until pg_isready --quiet; do sleep 0.1; done
sleep 3 # While it fills the database.
kill -INT "$first"
wait "$first" || true
exec postgres -D "$PGDATA" -c listen_addresses='*'
`;

/** Of the docker command: where it finds Compose, as somebody who has installed it has it. */
export function dockerConfig(directory: string): Readonly<Record<string, string>> {
  const compose = process.env.DOCKER_COMPOSE;
  if (compose === undefined) return {};
  const config = mkdtempSync(join(directory, "docker-"));
  mkdirSync(join(config, "cli-plugins"));
  symlinkSync(compose, join(config, "cli-plugins", "docker-compose"));
  return { DOCKER_CONFIG: config };
}
