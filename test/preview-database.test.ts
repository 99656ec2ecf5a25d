import { execFileSync, spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { get } from "node:http";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { HistoryView, PreviewsView } from "../src/api/contract.ts";
import type { Database } from "../src/testing/databases/database.ts";
import { startPostgres, testPassword } from "../src/testing/databases/servers.ts";
import { eventEnded, TestForge } from "./fixture/forge.ts";
import { ended, type Plane, startPlane, tearDown } from "./fixture/plane.ts";
import { makeProduct, type TestProduct } from "./fixture/product.ts";

let product: TestProduct;
let plane: Plane;
let forge: TestForge;
let postgres: Database;

/** The role of the services: it may make nothing, and is let in by its password only. */
const addressOf = (): string =>
  `postgres://slip:${encodeURIComponent(testPassword)}@127.0.0.1:${postgres.port}/nothing`;

/** As who owns the server. */
function sql(text: string, database = "postgres"): readonly string[] {
  const at = { PGHOST: "127.0.0.1", PGPORT: String(postgres.port), PGUSER: "postgres", PGDATABASE: database };
  const args = ["-X", "-At", "-v", "ON_ERROR_STOP=1", "-c", text];
  return execFileSync("psql", args, { env: { ...process.env, ...at }, encoding: "utf8" })
    .split("\n")
    .filter(Boolean);
}

/** Databases of previews, whoever made them. */
const databases = (): readonly string[] =>
  sql("select datname from pg_database where datname ~ '_[0-9a-f]{8}$' order by 1");

/** Greets everybody with what its database has, and keeps who was there. */
const server = `
import { createServer } from "node:http";
import { execFileSync, spawnSync } from "node:child_process";
const ask = (text) => execFileSync("psql", ["-X", "-At", "-c", text, process.env.DATABASE_URL], { encoding: "utf8" });
createServer((request, response) => {
  if (request.url === "/up") return response.end("ok");
  ask("insert into said values ('a visitor')");
  response.end(ask("select current_database(); select text from said"));
}).listen(Number(process.env.PORT), process.env.HOST);
process.on("SIGTERM", () => process.exit(0));
`;

beforeAll(async () => {
  [forge, postgres] = await Promise.all([TestForge.make(), startPostgres()]);
  sql("create database shop_template");
  sql(
    "create table said (text text); insert into said values ('of the template'); grant all on said to slip",
    "shop_template",
  );
  product = await makeProduct({ bake: "0s", instances: 1 });
  const dump = join(product.directory, "web", "seed.dump");
  const at = ["--host", "127.0.0.1", "--port", String(postgres.port), "--username", "postgres"];
  execFileSync("pg_dump", [...at, "--format", "custom", "--file", dump, "shop_template"]);
  const listen = `127.0.0.1:${product.port}`;
  const service = { web: { secrets: ["DATABASE_URL"] } };
  const admin = "ADMIN_DATABASE_URL";
  const more = {
    environments: {
      production: { edge: { listen }, services: { web: { routes: ["shop.test"] } } },
      copied: {
        edge: { listen },
        services: service,
        previews: { host: "{name}.copied.test", data: { postgres: { template: "shop_template", admin } } },
      },
      seeded: {
        edge: { listen },
        services: service,
        previews: {
          host: "{name}.seeded.test",
          data: {
            postgres: { dump: "web/seed.dump", admin },
            seed: ["sh", "-c", 'psql -X -c "create table more (text text)" "$DATABASE_URL" && cat web/fine'],
          },
        },
      },
    },
    triggers: { branches: { "copy/*": { deploy: "copied" }, "seed/*": { deploy: "seeded" } }, ...forge.triggers },
  };
  writeFileSync(join(product.directory, "web", "server.mjs"), server);
  product.commit("v1", "good", { bake: "0s", instances: 1, more });
  forge.join(product);
  plane = await startPlane(product);
  await forge.apply(plane, product.directory);
  const values = { DATABASE_URL: addressOf(), [admin]: `postgres://postgres@127.0.0.1:${postgres.port}` };
  for (const environment of ["copied", "seeded"])
    for (const [name, value] of Object.entries(values))
      await plane.client.post("/v1/secrets", { product: "probe", environment, name, value, actor: "test", reason: "" });
});
afterAll(async () => {
  await tearDown(product, plane);
  forge.remove();
  await postgres?.down();
});

async function pushed(branch: string, files: Readonly<Record<string, string>> = {}) {
  const moved = forge.push(`feat: to ${branch}`, { branch, files: { "web/server.mjs": server, ...files } });
  const { id } = await forge.deliver(forge.pushBody(moved, branch));
  return eventEnded(plane, id);
}

/** What a visitor of a branch's preview is told: the name of its database, and what is in it. */
async function live(branch: string, files: Readonly<Record<string, string>> = {}): Promise<() => Promise<string[]>> {
  const event = await pushed(branch, files);
  expect(event).toMatchObject({ phase: "done" });
  const detail = await ended(plane, event.deployment!);
  expect(detail, detail.reason).toMatchObject({ phase: "succeeded" });
  const found = (await previews()).find(({ name }) => name === detail.environment);
  const { host } = new URL(found?.url ?? "");
  return visitor(host);
}

function visitor(host: string): () => Promise<string[]> {
  return () =>
    new Promise((resolve, reject) => {
      const request = get({ port: product.port, host: "127.0.0.1", headers: { host } }, async (answer) => {
        resolve(
          Buffer.concat(await answer.toArray())
            .toString()
            .trim()
            .split("\n"),
        );
      });
      request.on("error", reject);
    });
}

async function previews(): Promise<PreviewsView["previews"]> {
  return (await plane.client.get<PreviewsView>("/v1/previews?product=probe")).previews;
}

async function deleted(branch: string): Promise<void> {
  const { after } = forge.push("chore: the last", { branch });
  const { id } = await forge.deliver(forge.pushBody({ before: after, after: "0".repeat(40) }, branch));
  expect(await eventEnded(plane, id)).toMatchObject({ phase: "done" });
  const ref = `refs/heads/${branch}`;
  await expect.poll(async () => (await previews()).some((each) => each.ref === ref), { timeout: 60_000 }).toBe(false);
}

async function history(): Promise<readonly HistoryView[]> {
  return (await plane.client.get<{ history: HistoryView[] }>("/v1/history?product=probe&limit=1000")).history;
}

it("each preview has a copy of the template, which its services find in their secret, and which goes with it", async () => {
  const [one, two] = [await live("copy/one"), await live("copy/two")];
  const [name = ""] = await one();
  expect(name).toMatch(/^probe_copy_one_[0-9a-f]{8}_[0-9a-f]{8}$/);
  expect(await one()).toEqual([name, "of the template", "a visitor", "a visitor"]);
  const [other = ""] = await two();
  expect(databases()).toEqual([name, other].toSorted());
  expect(await two()).toEqual([other, "of the template", "a visitor", "a visitor"]);
  expect(sql("select count(*) from said", "shop_template")).toEqual(["1"]);
  // What is pushed since finds its data as it is.
  expect(await (await live("copy/one"))()).toHaveLength(5);
  await deleted("copy/one");
  expect(databases()).toEqual([other]);
  await deleted("copy/two");
  expect(databases()).toEqual([]);
});

it("is filled from a dump by the services' own role, and anew when an attempt has failed half-way", async () => {
  const first = await pushed("seed/fails");
  expect(first).toMatchObject({ phase: "failed", reason: expect.stringContaining("seed: ") });
  expect(sql("select tablename from pg_tables where tableowner = 'slip' order by 1", databases()[0])).toEqual([
    "more",
    "said",
  ]);
  const visit = await live("seed/fails", { "web/fine": "fine" });
  expect(await visit()).toEqual([databases()[0], "of the template", "a visitor"]);
  await deleted("seed/fails");
  expect(databases()).toEqual([]);
});

it("a control plane that is killed while it makes one or drops it goes on where it was, and leaves what is wanted", async () => {
  const killed = async (): Promise<void> => {
    plane.child.kill("SIGKILL");
    await plane.died;
    plane.client.close();
    plane = await startPlane(product);
  };
  const branch = "copy/dies";
  const moved = forge.push("feat: dies", { branch, files: { "web/server.mjs": server } });
  const { id } = await forge.deliver(forge.pushBody(moved, branch));
  await expect.poll(databases, { interval: 1, timeout: 60_000 }).toHaveLength(1);
  await killed();
  const event = await eventEnded(plane, id);
  expect(event).toMatchObject({ phase: "done" });
  expect(await ended(plane, event.deployment!)).toMatchObject({ phase: "succeeded" });
  const [preview] = await previews();
  const { host } = new URL(preview?.url ?? "");
  expect((await visitor(host)()).slice(1)).toEqual(["of the template", "a visitor"]);
  await forge.deliver(forge.pushBody({ before: moved.after, after: "0".repeat(40) }, branch));
  const isGoing = async () => (await previews()).every(({ phase }) => phase === "removing");
  await expect.poll(isGoing, { interval: 1, timeout: 60_000 }).toBe(true);
  await killed();
  await expect.poll(previews, { timeout: 60_000 }).toEqual([]);
  expect(databases()).toEqual([]);
});

it("what a server that was away has kept is dropped when the next preview comes or goes, and nothing of anybody else", async () => {
  await live("copy/left");
  const [left = ""] = databases();
  await postgres.kill();
  await deleted("copy/left");
  const failed = (await history()).find(({ event }) => event === "preview.destroy-failed");
  expect(failed?.reason).toContain("database-drop: ");
  await postgres.start();
  sql("create database probe_of_another_12345678");
  sql("comment on database probe_of_another_12345678 is 'slipway of-another-key 1'");
  expect(databases()).toContain(left);
  const visit = await live("copy/next");
  const [next = ""] = await visit();
  expect(databases()).toEqual([next, "probe_of_another_12345678"]);
  await deleted("copy/next");
  expect(databases()).toEqual(["probe_of_another_12345678"]);
});

it("tells nobody the password: not the history, not a log, not the state on the disk", async () => {
  const said = JSON.stringify([await history(), await previews()]);
  const grep = ["-rlF", "-e", testPassword, "-e", encodeURIComponent(testPassword), ".slipway"];
  const { status, stdout } = spawnSync("grep", grep, { cwd: product.directory, encoding: "utf8" });
  for (const text of [testPassword, encodeURIComponent(testPassword)]) expect(said).not.toContain(text);
  // Nothing is found.
  expect([status, stdout]).toEqual([1, ""]);
});
