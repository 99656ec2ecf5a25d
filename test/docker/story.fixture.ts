import { once } from "node:events";
import { get } from "node:http";
import { expect } from "vitest";
import type { DeploymentDetail, EnvironmentView, StatusView } from "../../src/api/contract.ts";
import type { Reachable } from "../../src/testing/hosts/engine-request.ts";
import { Visitors } from "../fixture/visitors.ts";
import { containersOf } from "./engine.fixture.ts";
import type { Behaviour, ContainerProduct } from "./product.fixture.ts";

/** Where a story is told: a product, the engines it runs on, and where its production is reached. */
export type Scene = {
  readonly product: ContainerProduct;
  readonly engines: readonly Reachable[];
  readonly production: { readonly host: string; readonly port: number };
};

export type Outcome = { readonly code: number | null; readonly deployment: DeploymentDetail };

/** A commit, released and deployed to production. */
export async function deploy(scene: Scene, version: string, behaviour: Behaviour = "good"): Promise<Outcome> {
  scene.product.commit(version, behaviour);
  return outcome(await scene.product.slipway<DeploymentDetail>("deploy", "--env", "production", "--yes"));
}

export function outcome({ code, result, text }: Awaited<ReturnType<typeof run>>): Outcome {
  expect(result.phase, text).toBeDefined();
  return { code, deployment: result };
}
const run = (product: ContainerProduct) => product.slipway<DeploymentDetail>();

/** Visitors come while the work is done; none of them may go without an answer. */
export async function underLoad<T>(
  { production: { host, port } }: Scene,
  work: () => Promise<T>,
): Promise<{ readonly value: T; readonly versions: ReadonlyMap<string, number> }> {
  const visitors = new Visitors(port, 10, host);
  let value: T;
  try {
    value = await work();
  } finally {
    await visitors.leave();
  }
  expect(visitors.failures).toEqual([]);
  expect(visitors.answered).toBeGreaterThan(20);
  return { value, versions: visitors.versions };
}

export async function visit({ production }: Scene, path = "/"): Promise<string> {
  const asked = get({ ...production, path, agent: false });
  const [response] = await once(asked, "response");
  let text = "";
  for await (const chunk of response.setEncoding("utf8")) text += chunk;
  return text;
}

export async function status({ product }: Pick<Scene, "product">, name = "production"): Promise<EnvironmentView> {
  const { result } = await product.slipway<StatusView>("status");
  const found = result.environments.find((environment) => environment.name === name);
  if (found === undefined) throw new Error(`${name} is not in the status`);
  return found;
}

/** Exactly one release is at 100 %, its instances run, and no container is there that nobody knows of. */
export async function expectAtRest(scene: Scene, version: string): Promise<void> {
  expect(await visit(scene), scene.product.log()).toMatch(new RegExp(`^${version} \\d+$`));
  const { live, services } = await status(scene);
  for (const { service, revisions } of services) {
    const full = revisions.filter(({ weight }) => weight === 10_000).map(({ release }) => release);
    expect(full, service).toEqual(service === "web" ? [live?.id] : []);
    const stable = revisions.find(({ role }) => role === "stable");
    expect(stable?.release, service).toBe(live?.id);
    expect(
      stable?.instances.every(({ state }) => state === "running"),
      service,
    ).toBe(true);
    expect(revisions.map(({ role }) => role)).not.toContain("candidate");
  }
  const known = services.flatMap(({ revisions }) => revisions.map(({ revision }) => revision as string));
  const found = (await Promise.all(scene.engines.map(containersOf))).flat();
  const strangers = found.filter(
    ({ labels, state }) =>
      labels["slipway.environment"] === "production" &&
      labels["slipway.mode"] === "service" &&
      state === "running" &&
      !known.includes(labels["slipway.revision"] ?? ""),
  );
  expect(strangers).toEqual([]);
}

/** Resolves when production's deployment is in one of the phases. */
export async function untilPhase(scene: Scene, phases: readonly string[]): Promise<void> {
  for (;;) {
    const { deployment } = await status(scene);
    if (deployment !== null && phases.includes(deployment.phase)) return;
    if (deployment?.ended === true) throw new Error(`it ended ${deployment.phase}: ${deployment.reason}`);
  }
}

/** Good, never healthy, bad under traffic, killed in the middle, and back: what every place must bear. */
export async function tellStory(scene: Scene): Promise<void> {
  const { product } = scene;
  const second = await underLoad(scene, () => deploy(scene, "v2"));
  expect(second.value.deployment.phase, second.value.deployment.reason).toBe("succeeded");
  expect([...second.versions.keys()].toSorted()).toEqual(["v1", "v2"]);
  await expectAtRest(scene, "v2");

  const sick = await underLoad(scene, () => deploy(scene, "v3", "unhealthy"));
  expect(sick.value.code).toBe(1);
  expect(sick.value.deployment.phase).toBe("failed");
  expect(sick.value.deployment.failure?.evidence.map((line) => line.join(" "))).toEqual(
    expect.arrayContaining([
      expect.stringMatching(/GET http:\/\/.*\/up -> 503/),
      expect.stringContaining("the database is migrating"),
    ]),
  );
  expect([...sick.versions.keys()]).toEqual(["v2"]);
  await expectAtRest(scene, "v2");

  const bad = await underLoad(scene, () => deploy(scene, "v4", "errors"));
  expect(bad.value.code).toBe(3);
  expect(bad.value.deployment.phase, bad.value.deployment.reason).toBe("rolled-back");
  await expectAtRest(scene, "v2");

  const killed = await underLoad(scene, async () => {
    const deploying = deploy(scene, "v5");
    await untilPhase(scene, ["starting", "verifying"]);
    product.killControlPlane();
    expect((await product.slipway("up")).code).toBe(0);
    return deploying;
  });
  expect(killed.value.deployment.phase, killed.value.deployment.reason).toBe("succeeded");
  await expectAtRest(scene, "v5");

  const back = await underLoad(scene, async () =>
    outcome(await product.slipway<DeploymentDetail>("rollback", "production")),
  );
  expect(back.value.deployment.phase, back.value.deployment.reason).toBe("succeeded");
  await expectAtRest(scene, "v2");
}
