import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { expect, it, onTestFinished } from "vitest";
import type { HistoryView, RulesView, StatusView } from "../src/api/contract.ts";
import { startPrometheus } from "../src/testing/databases/servers.ts";
import { deploy, ended, type Plane, release, startPlane, tearDown } from "./fixture/plane.ts";
import { makeProduct } from "./fixture/product.ts";

const bin = fileURLToPath(new URL("../bin/slipway.js", import.meta.url));
const patient = { timeout: 60_000, interval: 100 };

/** What it says of `max(shop_errors)`, a Prometheus that scrapes `shop_errors` every second. */
const query = "max(shop_errors)";
type Answer = { readonly status: number; readonly body: string };
/** What comes of the honest answer on its way; null: nothing ever does. */
type Lie = (honest: Answer, ask: (query: string) => Promise<Answer>) => Answer | null | Promise<Answer>;

const dated =
  (seconds: number): Lie =>
  ({ status, body }) => ({
    status,
    body: body.replace(/"value":\[([\d.]+)/, (_, at: string) => `"value":[${Number(at) + seconds}`),
  });
const asking =
  (other: string): Lie =>
  (_, ask) =>
    ask(other);

/** Each would be a firing if it was believed, or a pass; and what a person reads instead. */
const lies: readonly (readonly [Lie, string])[] = [
  [() => null, "no answer within 700 ms"],
  [
    () => ({ status: 200, body: "<html>Log in</html>" }),
    "it answered 200, and not as a Prometheus: <html>Log in</html>",
  ],
  [() => ({ status: 502, body: "bad gateway" }), "it answered 502, and not as a Prometheus: bad gateway"],
  [({ body }) => ({ status: 500, body }), "it answered 500"],
  [asking("0/0"), "the query gives NaN"],
  [asking("1/0"), "the query gives +Inf"],
  [asking("max(no_such_metric)"), "the query gives nothing"],
  [asking("shop_errors[1m]"), "the query gives a matrix; one number is needed"],
  [asking("shop_errors or up"), "the query gives 2 series; one is needed, such as by sum() or max()"],
  [dated(-3_600), "the query gives 9, of 1h ago"],
  [dated(3_600), "the query gives 9, of 1h from now: its clock is wrong, or ours"],
];

async function serving(handle: (request: IncomingMessage, response: ServerResponse) => void): Promise<number> {
  const server: Server = createServer(handle).listen(0, "127.0.0.1");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

async function cli(directory: string, ...args: string[]): Promise<string> {
  const child = spawn(process.execPath, [bin, ...args], {
    cwd: directory,
    env: { ...process.env, NO_COLOR: "1" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let out = "";
  child.stdout.on("data", (chunk: Buffer) => {
    out += chunk.toString();
  });
  await once(child, "close");
  return out;
}

it("a Prometheus that lies or hangs neither fires a rule nor opens a gate, is named with what it said, and is believed again afterwards", async () => {
  let errors = 1;
  let lie: Lie | null = null;
  const shop = await serving((_, response) => response.end(`shop_errors ${errors}\n`));
  const prometheus = await startPrometheus(shop);
  onTestFinished(() => prometheus.down());
  const ask = async (asked: string): Promise<Answer> => {
    const at = `http://127.0.0.1:${prometheus.port}/api/v1/query?query=${encodeURIComponent(asked)}`;
    const answer = await fetch(at);
    return { status: answer.status, body: await answer.text() };
  };
  const between = await serving(async (request, response) => {
    const asked = new URL(request.url ?? "/", "http://between").searchParams.get("query") ?? "";
    const honest = await ask(asked);
    const told = lie === null ? honest : await lie(honest, ask);
    if (told !== null) response.writeHead(told.status).end(told.body);
  });

  const url = `http://127.0.0.1:${between}`;
  const more = {
    metrics: { failures: { prometheus: { url, query }, every: "1s", timeout: "700ms" } },
    rules: { failing: "failures > 5 over 2s for 2s -> rollback" },
  };
  const product = await makeProduct();
  const edge = { listen: `127.0.0.1:${product.port}` };
  const gates = { when: ["failures < 5 over 2s"] };
  const commit = (version: string): void =>
    product.commit(version, "good", {
      instances: 1,
      more: { ...more, environments: { production: { edge, gates } } },
    });
  commit("v1");
  let plane: Plane | null = null;
  try {
    plane = await startPlane(product);
    const { client } = plane;
    const rule = async () => (await client.get<RulesView>("/v1/rules")).rules.find(({ name }) => name === "failing");
    const turns = async (): Promise<string[]> => {
      const { history } = await client.get<{ history: readonly HistoryView[] }>("/v1/history?product=probe&limit=1000");
      return history
        .filter(({ event }) => event.startsWith("rule."))
        .map(({ event, reason }) => `${event} ${reason}`)
        .reverse();
    };
    expect((await ended(plane, await deploy(plane, await release(plane, product)))).phase).toBe("succeeded");
    await expect.poll(rule, patient).toMatchObject({ is: "ok", reason: expect.stringMatching(/^failures is 1 /) });

    // From now on the truth is bad, and nobody can know it.
    lie = lies[0]?.[0] ?? null;
    await expect.poll(rule, patient).toMatchObject({ is: "unknown" });
    errors = 9;
    await expect.poll(() => ask(query), patient).toMatchObject({ body: expect.stringContaining('"9"]') });
    commit("v2");
    const next = await deploy(plane, await release(plane, product));
    const gate = async (): Promise<string | undefined> => {
      const { environments } = await client.get<StatusView>("/v1/status");
      return environments.flatMap(({ gated = [] }) => gated).flatMap(({ gates }) => gates ?? [])[0]?.says;
    };
    for (const [each, said] of lies) {
      lie = each;
      const reason = expect.stringContaining(`failures could not be measured: ${said}`);
      await expect.poll(rule, patient).toMatchObject({ is: "unknown", reason });
    }
    await expect
      .poll(gate, patient)
      .toBe(
        "failures < 5 over 2s: failures could not be measured: the query gives 9, of 1h from now: its clock is wrong, or ours",
      );
    expect(await turns()).toEqual(["rule.unmeasured failures could not be measured: no answer within 700 ms"]);
    const explained = await cli(product.directory, "rules", "failing");
    expect(explained).toMatch(/stands +unknown: failures could not be measured: the query gives 9, of 1h from now/);
    expect(explained).toMatch(/unknown +failures could not be measured: no answer within 700 ms/);
    expect(await cli(product.directory, "metrics")).toMatch(/failures .*unknown: .*the query gives 9, of 1h from now/);

    // The truth is good again, and known: what waited goes on.
    errors = 1;
    await expect.poll(() => ask(query), patient).toMatchObject({ body: expect.stringContaining('"1"]') });
    lie = null;
    expect((await ended(plane, next)).phase).toBe("succeeded");
    expect((await turns()).slice(1)).toEqual([expect.stringMatching(/^rule\.measured failures is 1 /)]);

    // And where it is bad, and known, the release goes.
    errors = 9;
    await expect.poll(turns, patient).toContainEqual(expect.stringMatching(/^rule\.fired failures is 9 /));
    errors = 1;
    const live = async () => (await client.get<StatusView>("/v1/status")).environments[0]?.live?.number;
    await expect.poll(live, patient).toBe(1);
  } finally {
    if (plane !== null) await tearDown(product, plane);
  }
});
