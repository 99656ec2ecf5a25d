import { once } from "node:events";
import { get } from "node:http";
import { expect } from "vitest";
import type { DeploymentDetail, EnvironmentView, ReleaseView, StatusView } from "../../src/api/contract.ts";
import type { ProductInput } from "../../src/core/product/input.ts";
import type { RouteTable } from "../../src/ports/edge.ts";
import type { Reachable } from "../../src/testing/hosts/engine-request.ts";
import { type Lost, Visitors, type VisitorsOptions } from "../fixture/visitors.ts";
import { allImagesOf, containersOf, type FoundContainer, networksOf, volumesOf } from "./engine.fixture.ts";
import type { Behaviour, ContainerProduct } from "./product.fixture.ts";

/** Where a story is told: a product, the engines it runs on, and where its production is reached. */
export type Scene = {
  readonly product: ContainerProduct;
  readonly engines: readonly Reachable[];
  readonly production: { readonly host: string; readonly port: number };
  readonly visits?: Pick<VisitorsOptions, "everyMs" | "path">;
  /** The table that the edge itself has in force. */
  readonly table: () => Promise<RouteTable>;
  /** Images that were there before, as what others are made from. */
  readonly images: ReadonlySet<string>;
  /** Releases whose deployment did not succeed: nothing of them may be left. */
  readonly bad: Set<string>;
};

export type Outcome = { readonly code: number | null; readonly deployment: DeploymentDetail };

/** A commit, released and deployed to production. */
export async function deploy(
  scene: Scene,
  version: string,
  behaviour: Behaviour = "good",
  more: Partial<ProductInput> = {},
): Promise<Outcome> {
  scene.product.commit(version, behaviour, more);
  return deployHead(scene);
}

export async function deployHead({ product, bad }: Scene): Promise<Outcome> {
  const done = outcome(await product.slipway<DeploymentDetail>("deploy", "--env", "production", "--yes"));
  const { phase, release } = done.deployment;
  if (phase === "succeeded") bad.delete(release.id);
  else bad.add(release.id);
  return done;
}

export function outcome({ code, result, text }: Awaited<ReturnType<typeof run>>): Outcome {
  expect(result.phase, text).toBeDefined();
  return { code, deployment: result };
}
const run = (product: ContainerProduct) => product.slipway<DeploymentDetail>();

/** Requests that a fault itself must cost, and why; every other one must be answered. */
export type Toll = { readonly why: string; readonly takes: (lost: Lost) => boolean };

/** Visitors come while the work is done; none of them may go without an answer, but for the toll of a fault. */
export async function underLoad<T>(
  { production: { host, port }, visits }: Pick<Scene, "production" | "visits">,
  work: () => Promise<T>,
  toll: Toll = { why: "nothing is broken", takes: () => false },
): Promise<{ readonly value: T; readonly versions: ReadonlyMap<string, number> }> {
  const visitors = new Visitors(port, { host, ...visits });
  let value: T;
  try {
    value = await work();
  } finally {
    await visitors.leave();
  }
  const unpaid = visitors.lost.filter((each) => !toll.takes(each));
  const words = unpaid.map(({ began, ended, why }) => `${new Date(began).toISOString()} + ${ended - began} ms: ${why}`);
  expect(words, toll.why).toEqual([]);
  expect(visitors.answered).toBeGreaterThan(20);
  return { value, versions: visitors.versions };
}

/** The status and the version of one more visit. */
async function answeredBy({ production, visits }: Scene): Promise<string> {
  const [response] = await once(get({ ...production, path: visits?.path ?? "/", agent: false }), "response");
  response.resume();
  return `${response.statusCode} ${response.headers["x-version"]}`;
}

export async function visit({ production }: Scene, path = "/"): Promise<string> {
  const asked = get({ ...production, path, agent: false });
  const [response] = await once(asked, "response");
  let text = "";
  for await (const chunk of response.setEncoding("utf8")) text += chunk;
  return text;
}

export async function status(
  { product }: { readonly product: Pick<ContainerProduct, "ask"> },
  name = "production",
): Promise<EnvironmentView> {
  const { environments } = await product.ask<StatusView>("/v1/status");
  const found = environments.find((environment) => environment.name === name);
  if (found === undefined) throw new Error(`${name} is not in the status`);
  return found;
}

/** What is cleaned up in its own time, after a deployment has ended or a host is back, is gone by then. */
const settledWithinMs = 60_000;

/**
 * Exactly one release is at 100 %, and store, edge, engines and answers agree which: its instances run, and there is no container,
 * network or image, on no host, that nobody needs.
 */
export async function expectAtRest(scene: Scene, version: string): Promise<void> {
  for (let times = 0; times < 6; times++)
    expect(await answeredBy(scene), scene.product.log().slice(-3_000)).toBe(`200 ${version}`);
  const settled = () => trouble(scene).catch((error: unknown) => [String(error)]);
  await expect.poll(settled, { timeout: settledWithinMs, interval: 250 }).toEqual([]);
}

/** What is not as it should be at rest, in words. */
async function trouble(scene: Scene): Promise<readonly string[]> {
  const { live, services, deployment } = await status(scene);
  const found: string[] = deployment === null ? [] : [`${deployment.id} is ${deployment.phase}`];
  const say = (isSo: boolean, what: string): void => void (isSo && found.push(what));
  const addresses = new Set<string | null>();
  for (const { service, revisions } of services) {
    const full = revisions.filter(({ weight }) => weight === 10_000).map(({ release }) => release);
    say(JSON.stringify(full) !== JSON.stringify(service === "web" ? [live?.id] : []), `${service}: ${full} at 100 %`);
    const stable = revisions.filter(({ role }) => role === "stable");
    say(stable.length !== 1 || stable[0]?.release !== live?.id, `${service}: ${stable.length} are stable`);
    const instances = stable.flatMap((each) => each.instances);
    say(instances.length === 0, `${service}: no instance`);
    for (const { id, state } of instances) say(state !== "running", `${id} is ${state}`);
    say(
      revisions.some(({ role }) => role === "candidate"),
      `${service}: there is a candidate`,
    );
    if (service === "web") for (const { address } of instances) addresses.add(address);
  }
  const routed = (await scene.table()).services["shop/production/web"]?.targets ?? [];
  const weighted = routed.filter(({ weight }) => weight > 0);
  say(weighted.length !== 1 || weighted[0]?.release !== live?.id, `the edge has ${weighted.length} with a share`);
  const taken = weighted.flatMap(({ instances }) => instances.map(({ address }) => address));
  say(
    taken.length !== addresses.size || taken.some((each) => !addresses.has(each)),
    `the edge sends to ${taken}, and ${[...addresses]} run`,
  );
  return [...found, ...(await leftOvers(scene))];
}

/** What is on the engines and nobody needs, in words. */
export async function leftOvers(scene: Scene): Promise<readonly string[]> {
  const needs = await needed(scene);
  const all = await Promise.all(scene.engines.map((engine, index) => strangers(scene, engine, index, needs)));
  return all.flat();
}

/** The name of the product of every scene. */
const shop = "shop";

/** What the product says that it needs, of all its environments. */
type Needs = {
  readonly environments: readonly EnvironmentView[];
  /** Releases that may be gone back to, or are live. */
  readonly kept: ReadonlySet<string>;
};

async function needed({ product }: Scene): Promise<Needs> {
  const { environments } = await product.ask<StatusView>("/v1/status");
  const { releases } = await product.ask<{ releases: readonly ReleaseView[] }>(`/v1/releases?product=${shop}`);
  return { environments, kept: new Set(releases.filter(({ pruned }) => !pruned).map(({ id }) => id)) };
}

/** The builder keeps the newest image of each service, for the cache of the next build. */
const isNewestBuild = (name: string): boolean => /^slipway-build\/.*:newest$/.test(name);

/** Everything on an engine that nobody needs: whoever made it, running or not. */
async function strangers(scene: Scene, engine: Reachable, index: number, needs: Needs): Promise<readonly string[]> {
  const [containers, networks, volumes, images] = await Promise.all([
    containersOf(engine),
    networksOf(engine),
    volumesOf(engine),
    allImagesOf(engine),
  ]);
  const wanted = containers.filter((container) => isNeeded(scene, container, needs));
  const used = new Set(wanted.map(({ imageId }) => imageId));
  const joined = new Set(wanted.map(({ labels }) => `${shop}-${labels["slipway.environment"]}`));
  const mounted = new Set(wanted.flatMap((each) => each.volumes));
  return [
    ...containers.filter((each) => !wanted.includes(each)).map(({ name, state }) => `container ${name}, ${state}`),
    ...networks.filter((name) => !joined.has(name)).map((name) => `network ${name}`),
    ...volumes.filter((name) => !mounted.has(name)).map((name) => `volume ${name}`),
    ...images
      .filter(({ id, names }) => !used.has(id) && !scene.images.has(id) && !names.some(isNewestBuild))
      .map(({ id, names }) => `image ${id} ${names}`),
  ].map((each) => `engine ${index + 1}: ${each}`);
}

/** What runs has a part in its environment; what has ended is of a release that may be gone back to there. */
function isNeeded(scene: Scene, { labels, state }: FoundContainer, { environments, kept }: Needs): boolean {
  const read = (name: string): string => labels[`slipway.${name}`] ?? "";
  const environment = environments.find(({ name }) => name === read("environment"));
  if (environment === undefined || read("product") !== shop) return false;
  if (read("mode") === "accessory")
    return state === "running" && environment.accessories.some(({ name }) => name === read("service"));
  const isBad = environment.name === "production" && scene.bad.has(read("release"));
  if (isBad || !kept.has(read("release"))) return false;
  if (state === "exited") return true;
  const known = environment.services.flatMap(({ revisions }) => revisions.map(({ revision }) => revision as string));
  return state === "running" && read("mode") === "service" && known.includes(read("revision"));
}

/** Resolves when production's deployment is in one of the phases. */
export async function untilPhase(scene: Scene, phases: readonly string[]): Promise<void> {
  let last: string | null = null;
  for (;;) {
    const { deployment } = await status(scene);
    if (deployment !== null && phases.includes(deployment.phase)) return;
    if (deployment === null && last !== null) throw new Error(`it ended after it was ${last}`);
    last = deployment?.phase ?? last;
    await new Promise((resolve) => setTimeout(resolve, 20));
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

  const erring = await underLoad(scene, () => deploy(scene, "v4", "errors"));
  expect(erring.value.code).toBe(3);
  expect(erring.value.deployment.phase, erring.value.deployment.reason).toBe("rolled-back");
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
