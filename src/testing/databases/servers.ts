import { chownSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "../hosts/parts.ts";
import { type Database, startDatabase } from "./database.ts";

/** The real servers of Debian that probes are tested on. Durable they need not be, so nothing waits for a disk. */

/** For a server that listens to answer too. */
const readyMs = 30_000;

export const testPassword = "p@ss:wörd/1";

export function startRedis(...settings: readonly string[]): Promise<Database> {
  return startDatabase({
    name: "redis",
    command: (directory, port) => [
      ...["redis-server", "--bind", "127.0.0.1", "--port", String(port), "--dir", directory, "--save", ""],
      ...settings,
    ],
  });
}

/** With TLS, a role `slip` by SCRAM and a role `old` by MD5, both with the test's password. */
export async function startPostgres(): Promise<Database> {
  const [newest = ""] = readdirSync("/usr/lib/postgresql").sort((a, b) => Number(b) - Number(a));
  const bin = join("/usr/lib/postgresql", newest, "bin");
  const asPostgres = ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups", "--"];
  return startDatabase({
    name: "postgres",
    prepare: async (directory) => {
      await selfSigned(directory);
      await ownedBy("postgres", directory);
      const data = join(directory, "data");
      await run([...asPostgres, join(bin, "initdb"), "-N", "-A", "trust", "-U", "postgres", "-D", data]);
      const access = ["local all all trust", "host all postgres 127.0.0.1/32 trust", "host all old 127.0.0.1/32 md5"];
      writeFileSync(
        join(data, "pg_hba.conf"),
        `${[...access, "host all all 127.0.0.1/32 scram-sha-256"].join("\n")}\n`,
      );
      const roles = [
        `create role slip login password '${testPassword}';`,
        "set password_encryption = 'md5';",
        `create role old login password '${testPassword}';`,
      ];
      await run([...asPostgres, join(bin, "postgres"), "--single", "-F", "-D", data, "postgres"], {
        input: `${roles.join("\n")}\n`,
      });
    },
    command: (directory, port) => [
      ...[...asPostgres, join(bin, "postgres"), "-F", "-D", join(directory, "data"), "-k", directory],
      ...["-h", "127.0.0.1", "-p", String(port), "-c", "max_connections=8", "-c", "superuser_reserved_connections=1"],
      ...[
        "-c",
        "ssl=on",
        "-c",
        `ssl_cert_file=${join(directory, "cert.pem")}`,
        "-c",
        `ssl_key_file=${join(directory, "key.pem")}`,
      ],
    ],
  });
}

/** With TLS, and a user `slip` with the test's password. */
export async function startMariaDb(): Promise<Database> {
  const settings = (directory: string): string[] => [
    ...[
      "--no-defaults",
      `--datadir=${join(directory, "data")}`,
      "--innodb-buffer-pool-size=8M",
      "--innodb-flush-method=nosync",
    ],
  ];
  return startDatabase({
    name: "mariadb",
    prepare: async (directory) => {
      await selfSigned(directory);
      // An anonymous user of this host would go before one of any host.
      const create = `create or replace user slip@localhost identified by '${testPassword}';`;
      writeFileSync(join(directory, "users.sql"), `${create}\n`);
      await ownedBy("mysql", directory);
      await run([
        "mariadb-install-db",
        ...settings(directory),
        "--user=mysql",
        "--skip-test-db",
        "--auth-root-authentication-method=normal",
      ]);
    },
    command: (directory, port) => [
      ...["mariadbd", ...settings(directory), "--user=mysql", "--bind-address=127.0.0.1", `--port=${port}`],
      ...[
        `--socket=${join(directory, "socket")}`,
        `--pid-file=${join(directory, "pid")}`,
        `--init-file=${join(directory, "users.sql")}`,
      ],
      ...[`--ssl-cert=${join(directory, "cert.pem")}`, `--ssl-key=${join(directory, "key.pem")}`],
    ],
  });
}

/** That scrapes itself every second, and what is at those ports of this machine. */
export async function startPrometheus(...others: readonly number[]): Promise<Database> {
  const prometheus = await startDatabase({
    name: "prometheus",
    command: (directory, port) => {
      const config = join(directory, "prometheus.yml");
      const targets = [port, ...others].map((each) => `"127.0.0.1:${each}"`);
      const target = `[{ targets: [${targets.join(", ")}] }]`;
      writeFileSync(config, `scrape_configs: [{ job_name: self, scrape_interval: 1s, static_configs: ${target} }]\n`);
      return [
        ...["prometheus", `--config.file=${config}`, `--storage.tsdb.path=${join(directory, "data")}`],
        `--web.listen-address=127.0.0.1:${port}`,
      ];
    },
  });
  // It listens before it answers: until its storage is open, every query gets 503.
  const until = Date.now() + readyMs;
  while (!(await fetch(`http://127.0.0.1:${prometheus.port}/-/ready`)).ok) {
    if (Date.now() > until) throw new Error("Prometheus listens and is not ready");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return prometheus;
}

/** That tells `url` of what begins and ends at once, with this token, and repeats nothing. */
export async function startAlertmanager(url: string, token: string): Promise<Database> {
  const alertmanager = await startDatabase({
    name: "alertmanager",
    command: (directory, port) => {
      const config = join(directory, "alertmanager.yml");
      const hook = { url, send_resolved: true, http_config: { authorization: { credentials: token } } };
      const route = { receiver: "slipway", group_by: ["..."], group_wait: "1ms", group_interval: "1s" };
      // JSON is YAML.
      writeFileSync(config, JSON.stringify({ route, receivers: [{ name: "slipway", webhook_configs: [hook] }] }));
      return [
        ...["prometheus-alertmanager", `--config.file=${config}`, `--storage.path=${join(directory, "data")}`],
        ...[`--web.listen-address=127.0.0.1:${port}`, "--cluster.listen-address="],
      ];
    },
  });
  const until = Date.now() + readyMs;
  while (!(await fetch(`http://127.0.0.1:${alertmanager.port}/-/ready`)).ok) {
    if (Date.now() > until) throw new Error("Alertmanager listens and is not ready");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return alertmanager;
}

async function selfSigned(directory: string): Promise<void> {
  const files = ["-keyout", join(directory, "key.pem"), "-out", join(directory, "cert.pem")];
  const kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-subj", "/CN=localhost"];
  await run(["openssl", "req", "-x509", "-nodes", "-days", "2", ...kind, ...files]);
}

/** Databases refuse to run as root. */
async function ownedBy(user: string, directory: string): Promise<void> {
  const [uid, gid] = (await Promise.all([run(["id", "-u", user]), run(["id", "-g", user])])).map(Number);
  for (const each of [".", ...readdirSync(directory)]) chownSync(join(directory, each), uid ?? 0, gid ?? 0);
}
