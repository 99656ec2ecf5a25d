import type { AddressInfo } from "node:net";
import type { FastifyInstance } from "fastify";
import { afterAll, beforeAll, expect, it } from "vitest";
import { apiServer } from "../../src/api/server.ts";
import { environmentName } from "../../src/core/ids.ts";
import type { ProductInput } from "../../src/core/product/input.ts";
import { ruleReadings } from "../../src/engine/judge/standings.ts";
import type { Database } from "../../src/testing/databases/database.ts";
import { startAlertmanager } from "../../src/testing/databases/servers.ts";
import { Plane } from "./plane.fixture.ts";

const alertToken = "only-for-alerts";
const environment = environmentName("production");

let plane: Plane;
let server: FastifyInstance;
let alertmanager: Database;

beforeAll(async () => {
  plane = await Plane.start({ environments: { production: {} } });
  server = apiServer(plane.world, {
    token: "for-everything-else",
    alertToken,
    version: "0",
    startedAt: 0,
    stopEverything: async () => [],
    onCommand: () => {},
    onTriggers: async () => {},
    onStop: () => {},
  });
  await server.listen({ host: "127.0.0.1", port: 0 });
  const { port } = server.server.address() as AddressInfo;
  alertmanager = await startAlertmanager(`http://127.0.0.1:${port}/v1/alerts`, alertToken);
});

afterAll(async () => {
  await alertmanager?.down();
  await server?.close();
  await plane?.close();
});

/** As Prometheus tells Alertmanager. */
async function raise(labels: Record<string, string>, endsAt?: Date): Promise<void> {
  const alerts = [{ labels, annotations: { summary: "a test" }, ...(endsAt && { endsAt: endsAt.toISOString() }) }];
  const answer = await fetch(`http://127.0.0.1:${alertmanager.port}/api/v2/alerts`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(alerts),
  });
  expect(answer.status).toBe(200);
}

function history(event: string) {
  return plane.world.store.db.selectFrom("history").selectAll().where("event", "=", event).orderBy("id").execute();
}

const patient = { timeout: 60_000, interval: 100 };

it("a rule about an alert fires when the real Alertmanager says so, acts, and ends with it; nothing is taken in twice", async () => {
  const web = plane.product.web();
  const services: ProductInput["services"] = { web: { ...web, health: { ...web.health, deadline: "20s" } } };
  const rollout = { bake: "150ms", rules: { errorRatio: false, latency: false } } as const;
  const one = await plane.version("v1", { services, rollout });
  const two = await plane.version("v2", {
    services,
    rollout,
    rules: {
      slow: 'alert Slow{severity="critical"} of web firing -> rollback',
      known: "alert Slow firing -> warning",
    },
  });
  for (const release of [one, two]) expect((await plane.deploy("production", release)).phase).toBe("succeeded");
  const reading = async (name: string) =>
    (await ruleReadings(plane.world, { environment })).find((rule) => rule.name === name);
  await expect.poll(async () => (await reading("slow"))?.is, patient).toBe("unknown");

  const labels = { alertname: "Slow", service: "web", severity: "warning", environment: "production" };
  await raise(labels);
  await expect.poll(async () => (await reading("known"))?.is, patient).toBe("firing");
  expect((await reading("slow"))?.is).toBe("unknown");
  await raise(labels, new Date(Date.now() - 1));
  await expect.poll(async () => (await reading("known"))?.is, patient).toBe("ok");
  await expect.poll(async () => (await history("rule.resolved")).length, patient).toBe(1);

  await raise({ ...labels, severity: "critical" });
  const wentBack = async () => {
    const row = await plane.environment("production");
    return row.live_release_id === one;
  };
  await expect.poll(wentBack, patient).toBe(true);
  const [fired] = (await history("rule.fired")).filter(({ actor }) => actor === "rule slow");
  expect(fired?.reason).toBe('alert Slow{service="web",severity="critical"} is 1 (at or above 1), of 1');

  const events = [...(await history("alert.firing")), ...(await history("alert.resolved"))];
  expect(events.map(({ event, reason, actor }) => [event, reason, actor])).toEqual([
    ["alert.firing", "Slow of web fires", "alertmanager"],
    ["alert.firing", "Slow of web fires", "alertmanager"],
    ["alert.resolved", "Slow of web is resolved", "alertmanager"],
  ]);
  // Another control plane knows what this one was told, and the same message is no news there either.
  await plane.restart();
  const told = JSON.parse(new Map(JSON.parse(events[1]?.evidence ?? "[]") as [string, string][]).get("alert") ?? "");
  expect(await plane.world.alerts.receive([told])).toBe(0);
});

it("what is no message of Alertmanager, or comes without its token, is refused", async () => {
  const body = { version: "4", alerts: [] as unknown[] };
  const post = async (payload: unknown, token = alertToken) => {
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
    const { statusCode } = await server.inject({
      method: "POST",
      url: "/v1/alerts",
      headers,
      payload: JSON.stringify(payload),
    });
    return statusCode;
  };
  const alert = {
    status: "firing",
    labels: { alertname: "A" },
    startsAt: "2026-11-26T10:00:00.000Z",
    endsAt: "0001-01-01T00:00:00Z",
    fingerprint: "0123456789abcdef",
  };
  expect(await post(body)).toBe(200);
  expect(await post(body, "for-everything-else")).toBe(401);
  expect(await post({ ...body, version: "3" })).toBe(400);
  for (const wrong of [
    { ...alert, status: "burning" },
    { ...alert, labels: {} },
    { ...alert, startsAt: "yesterday" },
    { ...alert, labels: { alertname: "A", long: "x".repeat(5_000) } },
    null,
  ])
    expect(await post({ ...body, alerts: [wrong] }), JSON.stringify(wrong)).toBe(400);
  expect(await post({ ...body, alerts: Array.from({ length: 1_001 }, () => alert) })).toBe(400);
  expect(await post({ ...body, more: "x".repeat(5 * 1024 ** 2) })).toBe(413);
});
