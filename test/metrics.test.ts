import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { MetricsView, UptimeView } from "../src/api/contract.ts";
import { readToken, stateDirectory } from "../src/cli/state-directory.ts";
import { deploy, ended, type Plane, release, startPlane, tearDown } from "./fixture/plane.ts";
import { makeProduct } from "./fixture/product.ts";

const often = { every: "1s", timeout: "1s" };

/** What is declared besides the product of the fixture. */
const declared = (port: number) => ({
  probes: {
    front: { http: { url: `http://127.0.0.1:${port}/`, body: "v1" }, service: "web", ...often },
    nowhere: { tcp: "127.0.0.1:1", uptime: false, ...often },
    database: { postgres: { urlFrom: "SLIPWAY_TEST_IS_NOT_SET" }, uptime: false, ...often },
  },
  metrics: { answer: { command: ["node", "-p", "42"], ...often } },
});

const look = (plane: Plane): Promise<MetricsView> => plane.client.get<MetricsView>("/v1/metrics?windowS=30");
const patient = { timeout: 40_000, interval: 200 };

test("a product is measured from its first release on, probes and uptime too, and the past survives the control plane", async () => {
  const product = await makeProduct();
  product.commit("v1", "good", { instances: 1, more: declared(product.port) });
  let plane = await startPlane(product);
  try {
    const deployed = await ended(plane, await deploy(plane, await release(plane, product)));
    expect(deployed.phase).toBe("succeeded");
    const measured = async (metric: string): Promise<number | null> => {
      const asked = await fetch(`http://127.0.0.1:${product.port}/`);
      expect(asked.status).toBe(200);
      const { metrics } = await look(plane);
      const { now } = metrics.find((each) => each.metric === metric && each.service === "web") ?? {};
      return now?.is === "known" ? now.value : null;
    };
    await expect.poll(() => measured("requests"), patient).toBeGreaterThan(0);
    await expect.poll(() => measured("latency p95"), patient).toBeGreaterThan(0);
    await expect.poll(() => measured("memory"), patient).toBeGreaterThan(1e6);
    await expect.poll(() => measured("uptime"), patient).toBe(1);
    expect(await measured("error ratio")).toBe(0);
    expect(await measured("health")).toBe(1);
    const probeIs = async (name: string) => (await look(plane)).probes.find((probe) => probe.name === name)?.last;
    await expect.poll(() => probeIs("front"), patient).toMatchObject({ is: "pass" });
    await expect.poll(() => probeIs("nowhere"), patient).toMatchObject({ is: "fail", saw: "connection refused" });
    await expect
      .poll(() => probeIs("database"), patient)
      .toMatchObject({ is: "unknown", saw: "SLIPWAY_TEST_IS_NOT_SET is not set here" });
    const answer = async () => (await look(plane)).metrics.find(({ metric }) => metric === "answer")?.now;
    await expect.poll(answer, patient).toMatchObject({ is: "known", value: 42 });

    // As Prometheus wants it, by its own judge.
    const { port } = JSON.parse(readFileSync(join(product.directory, ".slipway/control-plane.json"), "utf8")) as {
      port: number;
    };
    const token = readToken(stateDirectory(join(product.directory, ".slipway")));
    const scraped = await fetch(`http://127.0.0.1:${port}/metrics`, { headers: { authorization: `Bearer ${token}` } });
    const text = await scraped.text();
    expect(text).toMatch(/^slipway_requests_total\{environment="production",service="web",.*\} [1-9]\d*$/m);
    expect(execFileSync("promtool", ["check", "metrics"], { input: text, encoding: "utf8" })).toBe("");

    const uptime = async (): Promise<UptimeView["uptime"][number] | undefined> =>
      (await plane.client.get<UptimeView>("/v1/uptime?service=web")).uptime[0];
    await expect.poll(async () => (await uptime())?.known ?? 0, patient).toBeGreaterThan(0);
    await plane.client.post("/v1/stop", { everything: false });
    await plane.died;
    plane.client.close();
    plane = await startPlane(product);
    expect(await uptime()).toMatchObject({ environment: "production", service: "web" });
    expect((await uptime())?.known).toBeGreaterThan(0);
  } finally {
    await tearDown(product, plane);
  }
});
