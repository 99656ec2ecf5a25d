import { afterAll, beforeAll, expect, it } from "vitest";
import type { ReleaseId } from "../../src/core/ids.ts";
import { Secret } from "../../src/core/secret.ts";
import { setSecret } from "../../src/engine/secrets/secrets.ts";
import { applyTriggers, triggersPlace } from "../../src/engine/triggers/settings.ts";
import { GithubStandIn } from "../../src/testing/forges/github.ts";
import { freePort } from "../../src/testing/ports.ts";
import { Plane } from "./plane.fixture.ts";

let plane: Plane;
let github: GithubStandIn;
const here = "production";

beforeAll(async () => {
  github = await GithubStandIn.start(await freePort());
  plane = await Plane.start({ environments: { [here]: { gates: { checks: ["ci/build"] } } } });
});
afterAll(async () => {
  await plane.close();
  await github.close();
});

const triggers = () => ({
  repository: "octocat/shop",
  report: { forge: "github" as const, api: github.url, comment: false, deployments: false },
});

async function version(text: string): Promise<{ readonly release: ReleaseId; readonly commit: string }> {
  const commit = plane.product.commit(text, { triggers: triggers() });
  return { commit, release: await plane.release() };
}

/** What it waits for is looked at until it says so. */
async function waitsFor(id: Parameters<Plane["row"]>[0], reason: string): Promise<void> {
  while ((await plane.row(id)).reason !== reason) await plane.world.clock.sleep(20);
}

it("a deployment waits for the checks of its commit at the forge, begins when they succeed, and ends when one fails", async () => {
  const first = await version("v1");
  const { name: product, repository } = plane.product;
  await applyTriggers(plane.world, { product, repository, actor: "ada" });
  const at = { product, environment: triggersPlace, name: "FORGE_TOKEN", actor: "ada", reason: "" };
  await setSecret(plane.world, at, new Secret("token-of-the-test"));

  const waits = await plane.start(here, first.release);
  await waitsFor(waits, "waits for ci/build (not there yet)");
  github.say(first.commit, "ci/build", "pending");
  plane.world.seenChecks.hint();
  await waitsFor(waits, "waits for ci/build (pending)");
  github.say(first.commit, "ci/build", "success");
  plane.world.seenChecks.hint();
  expect((await plane.ended(waits)).phase).toBe("succeeded");
  const queued = (await plane.history(waits)).find(({ event }) => event === "deployment.queued");
  expect(queued?.evidence).toContain("ci/build succeeded");

  const second = await version("v2");
  github.say(second.commit, "ci/build", "failure");
  const { phase, failure } = await plane.deploy(here, second.release);
  expect([phase, failure?.code]).toEqual(["cancelled", "CHECKS_FAILED"]);
  expect(failure?.message).toBe("failed at the forge: ci/build (failure)");
  expect(await plane.visit(here)).toBe("200 v1");
  expect(github.faults).toEqual([]);
});
