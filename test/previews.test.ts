import { randomUUID } from "node:crypto";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { get } from "node:http";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { HistoryView, PreviewsView, StatusView } from "../src/api/contract.ts";
import { eventEnded, TestForge } from "./fixture/forge.ts";
import { ended, type Plane, startPlane, tearDown } from "./fixture/plane.ts";
import { makeProduct, type TestProduct } from "./fixture/product.ts";

type Preview = PreviewsView["previews"][number];

let product: TestProduct;
let plane: Plane;
let forge: TestForge;
/** What commands have left of the data that they removed. */
let marks: string;

/** Keeps its visitors in a file that it was given, and says which version it is. */
const server = (version: string): string => `
import { createServer } from "node:http";
import { appendFileSync, readFileSync } from "node:fs";
const file = process.env.SLIPWAY_DATA_DIR + "/visitors";
createServer((request, response) => {
  if (request.url === "/up") return response.end("ok");
  appendFileSync(file, "visitor of ${version}\\n");
  response.setHeader("x-version", "${version}");
  response.end(readFileSync(file));
}).listen(Number(process.env.PORT), process.env.HOST);
process.on("SIGTERM", () => process.exit(0));
`;

/** Commits the config, with this beside what all previews here have. */
function configure(own: object = {}): void {
  const listen = `127.0.0.1:${product.port}`;
  const data = {
    prepare: ["sh", "-c", 'cp web/template "$SLIPWAY_DATA_DIR/visitors"'],
    seed: ["sh", "-c", 'echo "seeded for $SLIPWAY_PREVIEW" >> "$SLIPWAY_DATA_DIR/visitors"'],
    destroy: ["sh", "-c", 'cat "$SLIPWAY_DATA_DIR/visitors" >> "$MARKS"'],
    secrets: ["MARKS"],
  };
  const more = {
    environments: {
      production: { edge: { listen }, services: { web: { routes: ["shop.test"] } } },
      preview: { edge: { listen }, previews: { host: "{name}.preview.test", limit: 2, data, ...own } },
    },
    triggers: {
      branches: { "feature/*": { deploy: "preview" } },
      pullRequests: { deploy: "preview" },
      ...forge.triggers,
    },
  };
  product.commit("v1", "good", { bake: "0s", instances: 1, more });
}

beforeAll(async () => {
  forge = await TestForge.make();
  product = await makeProduct({ bake: "0s", instances: 1 });
  marks = join(forge.remote, "marks");
  writeFileSync(join(product.directory, "web", "template"), "made of a template\n");
  configure();
  forge.join(product);
  plane = await startPlane(product);
  await forge.apply(plane, product.directory);
  const named = { product: "probe", environment: "preview", name: "MARKS", value: marks };
  await plane.client.post("/v1/secrets", { ...named, actor: "test", reason: "" });
});
afterAll(async () => {
  await tearDown(product, plane);
  forge.remove();
});

async function previews(): Promise<readonly Preview[]> {
  return (await plane.client.get<PreviewsView>("/v1/previews?product=probe")).previews;
}

/** What a visitor of a host gets. */
function visit(host: string): Promise<{ readonly status: number; readonly body: string }> {
  return new Promise((resolve, reject) => {
    const request = get({ port: product.port, host: "127.0.0.1", headers: { host } }, async (answer) => {
      resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(await answer.toArray()).toString() });
    });
    request.on("error", reject);
  });
}

/** An edge that has nothing to serve need not listen. */
async function isServed(host: string): Promise<boolean> {
  return (await visit(host).catch(() => ({ status: 404 }))).status !== 404;
}

/** Somebody pushes to a branch, and the forge tells of it. Resolves when it is live. */
async function live(version: string, branch: string): Promise<Preview> {
  const moved = forge.push(`feat: ${version}`, { branch, files: { "web/server.mjs": server(version) } });
  const { id } = await forge.deliver(forge.pushBody(moved, branch));
  const event = await eventEnded(plane, id);
  expect(event).toMatchObject({ phase: "done" });
  const detail = await ended(plane, event.deployment!);
  expect(detail, detail.reason).toMatchObject({ phase: "succeeded" });
  const found = (await previews()).find(({ name }) => name === detail.environment);
  if (found === undefined) throw new Error(`${detail.environment} is not listed`);
  return found;
}

async function deleted(branch: string): Promise<void> {
  const { after } = forge.push("chore: the last", { branch });
  const { id } = await forge.deliver(forge.pushBody({ before: after, after: "0".repeat(40) }, branch));
  expect(await eventEnded(plane, id)).toMatchObject({ phase: "done" });
}

function processesOf(own: string): string[] {
  const told = `SLIPWAY_PREVIEW=${own}`;
  return readdirSync("/proc").filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/environ`, "latin1").split("\0").includes(told);
    } catch {
      // It has ended, or is somebody else's.
      return false;
    }
  });
}

/** Nothing of it runs, is routed to, or lies about. */
async function gone(name: string): Promise<void> {
  await expect.poll(async () => (await previews()).some((each) => each.name === name), { timeout: 60_000 }).toBe(false);
  const { environments } = await plane.client.get<StatusView>("/v1/status");
  expect(environments.filter((each) => each.name === name)).toEqual([]);
  const left = readdirSync(join(product.directory, ".slipway"), { recursive: true, encoding: "utf8" });
  const own = name.slice(name.indexOf("/") + 1);
  // What it has said stays for as long as the supervisor keeps it.
  expect(left.filter((path) => path.includes(own) && !path.includes("log"))).toEqual([]);
  expect(processesOf(own)).toEqual([]);
}

it("a branch has an environment and data of its own from its first push until it is deleted, and then nothing of it is left", async () => {
  const preview = await live("one", "feature/cart");
  expect(preview).toMatchObject({ ref: "refs/heads/feature/cart", phase: "awake", madeBy: "ada" });
  const { host } = new URL(preview.url!);
  expect(host).toMatch(/^feature-cart-[0-9a-f]{8}\.preview\.test:\d+$/);
  const own = host.split(".")[0];
  let data = `made of a template\nseeded for ${own}\nvisitor of one\n`;
  expect(await visit(host)).toEqual({ status: 200, body: data });
  expect(processesOf(own!)).toHaveLength(2);
  // It sleeps: nothing of it runs, and the next visitor waits until it does.
  await plane.client.post("/v1/previews/sleep", { product: "probe", name: preview.name, actor: "ada", reason: "" });
  await expect.poll(() => processesOf(own!), { timeout: 60_000 }).toEqual([]);
  const visitors = await Promise.all([visit(host), visit(host), visit(host)]);
  expect(visitors.map(({ status }) => status)).toEqual([200, 200, 200]);
  expect(visitors.map(({ body }) => body.split("\n").length).toSorted()).toEqual([5, 6, 7]);
  expect((await previews()).map(({ phase, reason }) => [phase, reason])).toEqual([["awake", "it is healthy"]]);
  data += "visitor of one\n".repeat(3);
  // What was pushed since finds the data as it is.
  expect(await live("two", "feature/cart")).toMatchObject({ name: preview.name, madeAt: preview.madeAt });
  expect((await visit(host)).body).toBe(`${data}visitor of two\n`);

  await deleted("feature/cart");
  await gone(preview.name);
  expect(await isServed(host)).toBe(false);
  expect(readFileSync(marks, "utf8")).toBe(`${data}visitor of two\n`);
});

it("one sleeps when nobody asks it anything, and when the money of the month is spent, which also refuses the next push", async () => {
  const rest = async (name: string) => (await previews()).find((each) => each.name === name)?.reason;
  const patient = { timeout: 60_000, interval: 200 };
  const instanceHour = 1_000;
  configure({ sleep: "1s", cost: { instanceHour, perMonth: 1_000 } });
  await forge.apply(plane, product.directory);
  const { name, url } = await live("idle", "feature/idle");
  await expect.poll(() => rest(name), patient).toBe("nobody has asked it anything for 1s");
  // What has run is charged when it has been seen to have ended; how much it was is the machine's.
  const running = async () => (await previews()).find((each) => each.name === name)?.instances;
  await expect.poll(running, patient).toBe(0);
  const { host } = new URL(url!);
  expect((await visit(host)).status).toBe(200);

  configure({ cost: { instanceHour, perMonth: 0.01 } });
  await forge.apply(plane, product.directory);
  await expect.poll(() => rest(name), patient).toMatch(/^previews have cost \d+\.\d\d of 0\.01 in this month$/);
  await expect.poll(() => processesOf(host.split(".")[0]!), patient).toEqual([]);
  const moved = forge.push("feat: costly", { branch: "feature/costly" });
  const { id } = await forge.deliver(forge.pushBody(moved, "feature/costly"));
  expect(await eventEnded(plane, id)).toMatchObject({
    phase: "failed",
    reason: expect.stringMatching(/previews have cost \d+\.\d\d of 0\.01 in this month$/),
  });
  configure();
  await forge.apply(plane, product.directory);
  await deleted("feature/idle");
  await gone(name);
});

it("a control plane that is killed at every boundary of its making and of its removal begins nothing twice and leaves nothing", async () => {
  const crashFile = `${product.directory}.crash-at`;
  writeFileSync(crashFile, "each ^(evt_[0-9a-f]+/data|prv_)");
  let kills = 0;
  /** One that goes on with what was begun may meet the next boundary before it can say that it is there. */
  const restart = async (): Promise<void> => {
    await plane.died;
    plane.client.close();
    for (let started: Plane | null = null; started === null; kills += started === null ? 1 : 0) {
      started = await startPlane(product, { crashFile }).catch(() => null);
      plane = started ?? plane;
    }
  };
  plane.child.kill("SIGKILL");
  await restart();
  /** Asks until it has an answer, whoever dies meanwhile. */
  const survive = async <T>(ask: () => Promise<T>): Promise<T> => {
    for (;;) {
      const answer = await Promise.race([ask().catch(() => null), plane.died.then(() => null)]);
      if (answer !== null) return answer;
      if (plane.child.exitCode === null && plane.child.signalCode === null) continue;
      kills += 1;
      await restart();
    }
  };
  const branch = "feature/dies";
  const moved = forge.push("feat: dies", { branch, files: { "web/server.mjs": server("dies") } });
  const [delivery, last] = [randomUUID(), randomUUID()];
  const { id } = await survive(() => forge.deliver(forge.pushBody(moved, branch), { delivery }));
  const { deployment } = await survive(() => eventEnded(plane, id));
  const detail = await survive(() => ended(plane, deployment!));
  expect(detail).toMatchObject({ phase: "succeeded" });
  const [preview] = await survive(previews);
  const { host } = new URL(preview!.url!);
  const own = host.split(".")[0]!;
  expect((await visit(host)).body).toBe(`made of a template\nseeded for ${own}\nvisitor of dies\n`);
  const made = kills;
  expect(made).toBeGreaterThan(4);

  const deletion = forge.pushBody({ before: moved.after, after: "0".repeat(40) }, branch);
  await survive(() => forge.deliver(deletion, { delivery: last }));
  await survive(async () => ((await previews()).length === 0 ? true : Promise.reject(new Error("it is there"))));
  expect(kills - made).toBeGreaterThan(6);
  writeFileSync(crashFile, "0");
  await survive(() => gone(preview!.name).then(() => true));
  expect(await isServed(host)).toBe(false);
  expect(readFileSync(marks, "utf8").split("visitor of dies").length).toBe(2);
  const { history } = await plane.client.get<{ history: HistoryView[] }>("/v1/history?product=probe&limit=1000");
  const told = history.filter(
    ({ environment, event }) => environment === preview!.name && event.startsWith("preview."),
  );
  expect(told.map(({ event }) => event).toReversed()).toEqual([
    "preview.made",
    "preview.prepared",
    "preview.removing",
    "preview.removed",
  ]);
  for (const file of [crashFile, `${crashFile}.passed`]) rmSync(file);
}, 600_000);
