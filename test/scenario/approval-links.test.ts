import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { FastifyInstance } from "fastify";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hookServer } from "../../src/api/hook-server.ts";
import type { DeploymentId, ReleaseId } from "../../src/core/ids.ts";
import { makeApprovalLink } from "../../src/engine/approvals/links.ts";
import { applyTriggers } from "../../src/engine/triggers/settings.ts";
import { Plane } from "./plane.fixture.ts";

let plane: Plane;
let outside: FastifyInstance;
let one: ReleaseId;
const received: string[] = [];
const receiver = createServer(async (request, response) => {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  received.push(Buffer.concat(chunks).toString("utf8"));
  response.end();
});

beforeAll(async () => {
  await new Promise<void>((resolve) => receiver.listen(0, "127.0.0.1", resolve));
  process.env.SLIPWAY_TEST_TEAM_HOOK = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`;
  const approval = { people: ["grace"], notify: ["team"] };
  plane = await Plane.start({ environments: { production: { gates: { approval } } } });
  const notifiers = { team: { urlFrom: "SLIPWAY_TEST_TEAM_HOOK" } };
  plane.product.commit("v1 <script>", { notifiers, triggers: { url: "https://slipway.example/" } });
  one = await plane.release();
  const { name: product, repository } = plane.product;
  await applyTriggers(plane.world, { product, repository, actor: "ada" });
  outside = hookServer(plane.world, product, { alertToken: "unused" });
});
afterAll(async () => {
  delete process.env.SLIPWAY_TEST_TEAM_HOOK;
  await outside.close();
  await plane.close();
  receiver.close();
});

async function link(deployment: DeploymentId, person = "grace", forMs = 60_000): Promise<string> {
  const { url } = await makeApprovalLink(plane.world, { deployment, person, actor: "ada", forMs });
  expect(url).toMatch(/^https:\/\/slipway\.example\/approvals\/[\w.-]+$/);
  return new URL(url).pathname;
}

const look = (path: string) => outside.inject({ method: "GET", url: path });
const say = (path: string, verdict: string, more: Record<string, string> = {}) =>
  outside.inject({
    method: "POST",
    url: path,
    headers: { "content-type": "application/x-www-form-urlencoded" },
    payload: new URLSearchParams({ verdict, live: "", ...more }).toString(),
  });

describe("a link for an approval", () => {
  it("shows the evidence to whoever looks and changes nothing; one word by POST begins the deployment, and no second one", async () => {
    const id = await plane.start("production", one);
    const path = await link(id);
    for (let scan = 0; scan < 3; scan += 1) {
      const page = await look(path);
      expect(page.statusCode).toBe(200);
      expect(page.body).toContain("&lt;script&gt;");
      expect(page.body).not.toContain("<script");
      expect(page.headers).toMatchObject({ "cache-control": "no-store", "referrer-policy": "no-referrer" });
      expect(page.headers["content-security-policy"]).toContain("frame-ancestors 'none'");
    }
    for (const method of ["HEAD", "OPTIONS", "PUT"] as const)
      expect((await outside.inject({ method, url: path })).statusCode).toBe(404);
    expect((await plane.row(id)).phase).toBe("gated");
    const yes = await say(path, "approved", { reason: "looks good" });
    expect([yes.statusCode, yes.body.includes("Approved")]).toEqual([200, true]);
    expect((await plane.ended(id)).phase).toBe("succeeded");
    const approved = (await plane.history(id)).find(({ event }) => event.endsWith("approved"));
    expect(approved).toMatchObject({ actor: "grace", reason: "approved by grace: looks good (by a link from ada)" });
    for (const again of [await look(path), await say(path, "rejected", { reason: "no" })]) {
      expect(again.statusCode).toBe(410);
      expect(again.body).toContain("this link was used");
    }
  });

  it("is good for nobody else's yes, for no longer than it says, and not when it was changed", async () => {
    plane.product.commit("v2", { notifiers: { team: { urlFrom: "SLIPWAY_TEST_TEAM_HOOK" } } });
    const id = await plane.start("production", await plane.release());
    const mallory = await link(id, "mallory");
    const live = one;
    expect((await say(mallory, "approved", { live })).statusCode).toBe(403);
    // What was refused has used nothing up, and what was shown is what is agreed to.
    const grace = await link(id);
    expect((await say(grace, "approved", { live: "rel_other" })).statusCode).toBeGreaterThanOrEqual(400);
    const short = await link(id, "grace", 1);
    expect((await look(short)).body).toContain("this link was good until");
    const [, name = "", proof = ""] = /\/approvals\/([^.]+)\.(.+)$/.exec(grace) ?? [];
    const other = Buffer.from(JSON.stringify({ n: "f".repeat(24) })).toString("base64url");
    for (const forged of [`${other}.${proof}`, name, `${name}.`, `${name}.${proof}x`, "x.y", "%2e%2e"])
      expect((await look(`/approvals/${forged}`)).statusCode).toBeGreaterThanOrEqual(404);
    expect((await say(grace, "rejected")).statusCode).toBe(400);
    expect((await plane.row(id)).phase).toBe("gated");
    expect((await say(grace, "rejected", { reason: "not today" })).statusCode).toBe(200);
    expect((await plane.ended(id)).failure?.code).toBe("APPROVAL_REFUSED");
  });
});

it("those whom the gate names are told once that a deployment waits, with what to type", async () => {
  plane.product.commit("v3", { notifiers: { team: { urlFrom: "SLIPWAY_TEST_TEAM_HOOK" } } });
  const id = await plane.start("production", await plane.release());
  const about = () => received.filter((body) => body.includes(id));
  const told = async () => (await plane.history(id)).filter(({ event }) => event === "approval.asked");
  while ((await told()).length === 0) await plane.world.clock.sleep(20);
  expect(about()).toHaveLength(1);
  expect(about()[0]).toContain(`slipway approve ${id}`);
  expect(about()[0]).toContain("waits for 1 approval from grace");
  await plane.restart();
  plane.world.changes.announce();
  await plane.world.clock.sleep(1_500);
  expect([(await told()).length, about().length]).toEqual([1, 1]);
  await plane.ask(id, "cancel");
});
