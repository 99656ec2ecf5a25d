import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { DeploymentDetail, HistoryView, MetricsView, ScalesView } from "../../src/api/contract.ts";
import type { RolloutInput, ServiceOverride } from "../../src/core/product/input.ts";
import { startEngine, type TestEngine } from "../../src/testing/hosts/engine.ts";
import { nodeImage } from "../../src/testing/hosts/node-image.ts";
import { freePorts } from "../../src/testing/ports.ts";
import { Visitors } from "../fixture/visitors.ts";
import { ContainerProduct, web } from "./product.fixture.ts";
import { outcome, status } from "./story.fixture.ts";

const name = "elastic";
/** Some looks at what instances use, which are 5 s apart, and the start of a container, where everybody else has much to do as well. */
const patient = { timeout: 120_000, interval: 250 };

const upAfterMs = 2_000;
/** More than a quarter of a processor answers at once, but not more than it ever will. */
const visits = { everyMs: 50, atOnce: 10 };

/** One instance, whatever it uses. */
const rigid = { ...web, instances: 1, resources: { memory: "400MB", cpu: 0.25 } } satisfies ServiceOverride;
const elastic = {
  ...rigid,
  scale: { min: 1, max: 2, cpu: "70%", memory: "80%", upAfter: `${upAfterMs}ms`, downAfter: "5s" },
} satisfies ServiceOverride;
/** Stands still in the middle until a person goes on. */
const byHand = {
  strategy: "canary",
  steps: [{ weight: "50%", promotion: "manual" }],
  stepBake: "100ms",
  stepMinimum: 1,
  bake: "200ms",
  drain: "5s",
  rules: { latency: false },
} satisfies RolloutInput;

vi.setConfig({ testTimeout: 600_000, hookTimeout: 600_000 });

describe("a service of containers that scales by what they use", () => {
  let engine: TestEngine;
  let product: ContainerProduct;
  let port = 0;

  beforeAll(async () => {
    engine = await startEngine();
    await nodeImage(engine);
    [port = 0] = await freePorts(1);
    product = new ContainerProduct({
      name,
      services: { web: rigid },
      target: { driver: "docker", hosts: [engine.url] },
      // Who has a quarter of a processor answers slowly under load, which is what is wanted here.
      rollout: { bake: "200ms", drain: "5s", rules: { latency: false } },
      edge: { listen: `127.0.0.1:${port}` },
      environments: { production: {} },
    });
    product.commit("v1");
    expect((await deployed()).phase, product.log()).toBe("succeeded");
  });

  afterAll(async () => {
    await product?.slipway("down", "--all");
    product?.remove();
    await engine?.down();
  });

  async function deployed(): Promise<DeploymentDetail> {
    return outcome(await product.slipway<DeploymentDetail>("deploy", "--env", "production", "--yes")).deployment;
  }

  async function history(): Promise<readonly HistoryView[]> {
    const { history } = await product.ask<{ history: readonly HistoryView[] }>(
      `/v1/history?product=${name}&environment=production&limit=1000`,
    );
    return history.toReversed();
  }

  /** Every change of the number until now, in words. */
  const changes = async (): Promise<readonly string[]> =>
    (await history()).filter(({ event }) => event.startsWith("service.scal")).map(({ reason }) => reason);

  /** How many of what has the traffic run, and how many there are to be. */
  async function counts(): Promise<readonly [running: number, wanted: number | null | undefined]> {
    const { services } = await status({ product });
    const stable = services.find(({ service }) => service === "web")?.revisions.find(({ role }) => role === "stable");
    const running = stable?.instances.filter(({ state }) => state === "running") ?? [];
    return [running.length, (await product.ask<ScalesView>("/v1/scales")).services[0]?.wanted];
  }

  /** By the control plane's own clock, when so much of the limit is used; null when it is not. */
  async function isFullAt(): Promise<number | null> {
    const { at, metrics } = await product.ask<MetricsView>("/v1/metrics?environment=production&service=web");
    const now = metrics.find(({ metric }) => metric === "memory share")?.now;
    return now?.is === "known" && now.value > 0.8 ? at : null;
  }

  /** One more while visitors ask for this, and one less when they have gone; every one of them is answered. */
  async function goesUpAndDown(path: string, why: RegExp, visitors = new Visitors(port, { ...visits, path })) {
    const before = (await changes()).length;
    try {
      await expect.poll(counts, patient).toEqual([2, null]);
    } finally {
      await visitors.leave();
    }
    expect(visitors.failures).toEqual([]);
    await expect.poll(counts, patient).toEqual([1, null]);
    expect((await changes()).slice(before)).toEqual([
      expect.stringMatching(why),
      "web 1 → 2: healthy",
      expect.stringMatching(/^web 2 → 1: (?:cpu|memory share) is /),
      "web 2 → 1: drained",
    ]);
  }

  it("has no more of them in the middle of a rollout, however full they are, and one more by memory when it is over", async () => {
    product.commit("v2", "good", { services: { web: elastic } });
    expect((await deployed()).phase, product.log()).toBe("succeeded");
    product.commit("v3", "good", { services: { web: elastic }, rollout: byHand });
    const visitors = new Visitors(port, { ...visits, path: "/hold/300" });
    try {
      const { code, text } = await product.slipway("deploy", "--env", "production", "--yes");
      expect(code, text).toBe(5);
      await expect.poll(isFullAt, patient).not.toBeNull();
      const since = (await isFullAt()) ?? 0;
      // Long enough for several changes, if it were not for the deployment.
      const fullMs = async () => ((await isFullAt()) ?? since) - since;
      await expect.poll(fullMs, patient).toBeGreaterThan(5 * upAfterMs);
      expect(await changes()).toEqual([]);
      const [scale] = (await product.ask<ScalesView>("/v1/scales")).services;
      expect(scale?.decision).toMatch(/^dep_\w+ is under way$/);
      const { deployment } = outcome(await product.slipway<DeploymentDetail>("promote-step", "production"));
      expect(deployment.phase, deployment.reason).toBe("succeeded");
    } catch (error) {
      await visitors.leave();
      throw error;
    }
    await goesUpAndDown("/hold/300", /^web 1 → 2: (?:cpu .*)?memory share is 8\d.* \(above 80 %\)/, visitors);
  });

  it("has one more by processor time, and one less when there is less to do", () =>
    goesUpAndDown("/burn/30", /^web 1 → 2: cpu is .* \(above 70 %\)/));

  it("is full where the kernel ends its processes for want of memory, however little is left when somebody looks", async () => {
    const scale = { ...elastic.scale, cpu: undefined };
    product.commit("v4", "good", { services: { web: { ...elastic, scale } } });
    expect((await deployed()).phase, product.log()).toBe("succeeded");
    await goesUpAndDown("/hold/600", /^web 1 → 2: memory share is 100 % \(above 80 %\)/);
  });
});
