import { rmSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { HistoryView, ScaledView, ScalesView, ScaleWorkView, StatusView } from "../src/api/contract.ts";
import { deploy, ended, type Plane, release, startPlane, tearDown } from "./fixture/plane.ts";
import { makeProduct, type TestProduct } from "./fixture/product.ts";
import { Visitors } from "./fixture/visitors.ts";

/** More boundaries than a change of a number has: the loop must end by itself before. */
const maxBoundaries = 20;
const at = { product: "probe", environment: "production", service: "web", actor: "ada", reason: "" };

let product: TestProduct;
let plane: Plane;
let visitors: Visitors;
let crashFile: string;

beforeAll(async () => {
  product = await makeProduct({ instances: 1 });
  product.commit("one", "good");
  crashFile = `${product.directory}.crash-at`;
  writeFileSync(crashFile, "0");
  plane = await startPlane(product, { crashFile });
  expect((await ended(plane, await deploy(plane, await release(plane, product)))).phase).toBe("succeeded");
  visitors = new Visitors(product.port);
});

afterAll(async () => {
  await visitors.leave();
  await tearDown(product, plane);
  rmSync(crashFile);
});

async function web(): Promise<{ readonly scale: ScalesView["services"][number]; readonly running: number }> {
  const { services } = await plane.client.get<ScalesView>("/v1/scales");
  const { environments } = await plane.client.get<StatusView>("/v1/status");
  const scale = services.find(({ service }) => service === "web");
  const revisions = environments[0]?.services.find(({ service }) => service === "web")?.revisions ?? [];
  const running = revisions.flatMap(({ instances }) => instances.filter(({ state }) => state === "running")).length;
  if (scale === undefined) throw new Error("web is gone");
  return { scale, running };
}

it("is brought about when the control plane is killed at every boundary, up and down, and nobody notices", async () => {
  let kills = 0;
  for (let crashAt = 1; crashAt < maxBoundaries; crashAt += 1) {
    const to = crashAt % 2 === 1 ? 3 : 1;
    writeFileSync(crashFile, String(crashAt));
    const scaled = await plane.client.post<ScaledView>("/v1/scales", { ...at, instances: to }).catch(() => null);
    const isKilled = await Promise.race([plane.died.then(() => true), atRest(scaled)]);
    writeFileSync(crashFile, "0");
    if (isKilled) {
      plane.client.close();
      plane = await startPlane(product, { crashFile });
    }
    // Killed before it was recorded: whoever got no answer asks again.
    const { scale } = await web();
    if (scale.wanted === null && scale.instances !== to)
      await plane.client.post("/v1/scales", { ...at, instances: to });
    await expect
      .poll(async () => [(await web()).scale.wanted, (await web()).scale.instances, (await web()).running], {
        timeout: 60_000,
        message: `killed at boundary ${crashAt}`,
      })
      .toEqual([null, to, to]);
    if (!isKilled) break;
    kills += 1;
  }
  expect(kills).toBeGreaterThan(2);
  const { history } = await plane.client.get<{ history: HistoryView[] }>("/v1/history?product=probe&limit=1000");
  const events = history.map(({ event }) => event).filter((event) => event.startsWith("service."));
  // Each was decided once, and ended once.
  expect(events.toReversed()).toEqual(
    Array.from({ length: events.length }, (_, index) => (index % 2 === 0 ? "service.scaling" : "service.scaled")),
  );
  expect(visitors.failures).toEqual([]);
}, 600_000);

/** False when it has come to its end; never, when whoever was asked for it died. */
async function atRest(scaled: ScaledView | null): Promise<false> {
  const { client } = plane;
  for (;;) {
    const work =
      scaled === null ? null : await client.get<ScaleWorkView>(`/v1/scales/${scaled.operation}`).catch(() => null);
    if (work === null) return new Promise(() => {});
    if (work.outcome !== null) return false;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
