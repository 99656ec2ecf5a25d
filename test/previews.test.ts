import { get } from "node:http";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { PreviewsView, StatusView } from "../src/api/contract.ts";
import { eventEnded, TestForge } from "./fixture/forge.ts";
import { ended, type Plane, startPlane, tearDown } from "./fixture/plane.ts";
import { makeProduct, type TestProduct } from "./fixture/product.ts";

type Preview = PreviewsView["previews"][number];

let product: TestProduct;
let plane: Plane;
let forge: TestForge;

beforeAll(async () => {
  forge = await TestForge.make();
  product = await makeProduct({ bake: "0s", instances: 1 });
  const listen = `127.0.0.1:${product.port}`;
  const more = {
    environments: {
      production: { edge: { listen }, services: { web: { routes: ["shop.test"] } } },
      preview: { edge: { listen }, previews: { host: "{name}.preview.test" } },
    },
    triggers: {
      branches: { "feature/*": { deploy: "preview" } },
      pullRequests: { deploy: "preview" },
      ...forge.triggers,
    },
  };
  product.commit("v1", "good", { bake: "0s", instances: 1, more });
  forge.join(product);
  plane = await startPlane(product);
  await forge.apply(plane, product.directory);
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

/** Somebody pushes to a branch, and the forge tells of it. Resolves when it is live. */
async function live(message: string, branch: string): Promise<Preview> {
  const { id } = await forge.deliver(forge.pushBody(forge.push(message, { branch }), branch));
  const event = await eventEnded(plane, id);
  expect(event).toMatchObject({ phase: "done" });
  const detail = await ended(plane, event.deployment!);
  expect(detail, detail.reason).toMatchObject({ phase: "succeeded" });
  const found = (await previews()).find(({ name }) => name === detail.environment);
  if (found === undefined) throw new Error(`${detail.environment} is not listed`);
  return found;
}

async function gone(name: string): Promise<void> {
  await expect.poll(async () => (await previews()).some((each) => each.name === name), { timeout: 60_000 }).toBe(false);
  const { environments } = await plane.client.get<StatusView>("/v1/status");
  expect(environments.filter((each) => each.name === name)).toEqual([]);
}

it("a branch has an environment of its own from its first push until it is deleted, and then nothing of it is left", async () => {
  const preview = await live("feat: cart", "feature/cart");
  expect(preview).toMatchObject({ ref: "refs/heads/feature/cart", phase: "awake", madeBy: "ada" });
  const { host } = new URL(preview.url!);
  expect(host).toMatch(/^feature-cart-[0-9a-f]{8}\.preview\.test:\d+$/);
  expect(await visit(host)).toEqual({ status: 200, body: "v1" });
  expect(await live("feat: cart, more", "feature/cart")).toMatchObject({ name: preview.name, madeAt: preview.madeAt });

  const { after } = forge.push("feat: cart, last", { branch: "feature/cart" });
  const { id } = await forge.deliver(forge.pushBody({ before: after, after: "0".repeat(40) }, "feature/cart"));
  expect(await eventEnded(plane, id)).toMatchObject({ phase: "done" });
  await gone(preview.name);
  expect((await visit(host)).status).toBe(404);
});
