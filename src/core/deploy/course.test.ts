import { describe, expect, it } from "vitest";
import { type DeploymentId, releaseId, serviceName } from "../ids.ts";
import type { ProductInput } from "../product/input.ts";
import { resolveEnvironment } from "../product/resolve.ts";
import { courseOf, type ReleaseView, revisionOf } from "./course.ts";

const id = "dep_1" as DeploymentId;

function view(
  number: number,
  services: ProductInput["services"],
  more: Omit<ProductInput, "name" | "services"> = {},
): ReleaseView {
  const spec = resolveEnvironment({ name: "shop", services, ...more }, "production");
  return { id: releaseId(`rel_${number}`), number, spec };
}

const web = { kind: "web" as const, command: ["web"], instances: 2 };
const worker = { kind: "worker" as const, command: ["worker"] };
const migrate = { kind: "job" as const, command: ["migrate"] };

describe("the course of a deployment", () => {
  it("has both sides of each service, in waves by need", () => {
    const course = courseOf({
      id,
      kind: "deploy",
      release: view(2, { web: { ...web, needs: ["migrate"] }, worker: { ...worker, needs: ["web"] }, migrate }),
      stable: view(1, { web: { ...web, instances: 3 }, worker, migrate }),
    });
    expect(course.waves).toEqual([["migrate"], ["web"], ["worker"]]);
    expect(
      course.rollouts.map(({ service, candidate, candidateInstances, stable, stableInstances, routed }) => [
        service,
        candidate,
        candidateInstances,
        stable,
        stableInstances,
        routed,
      ]),
    ).toEqual([
      ["web", "rev_shop-production-web-r2", 2, "rev_shop-production-web-r1", 3, true],
      ["worker", "rev_shop-production-worker-r2", 1, "rev_shop-production-worker-r1", 1, false],
      ["migrate", "rev_shop-production-migrate-r2", 1, null, 0, false],
    ]);
    expect([course.release, course.stable, course.stages.length]).toEqual(["rel_2", "rel_1", 1]);
  });

  it("has no stable side where nothing is live", () => {
    const course = courseOf({ id, kind: "deploy", release: view(1, { web }), stable: null });
    expect(course.stable).toBeNull();
    expect(course.rollouts.every((rollout) => rollout.stable === null && rollout.stableInstances === 0)).toBe(true);
  });

  it("takes down a service that the release drops, and starts one that is new", () => {
    const course = courseOf({ id, kind: "deploy", release: view(2, { web }), stable: view(1, { worker, migrate }) });
    expect(course.rollouts.map(({ service, candidate, stable }) => [service, candidate, stable])).toEqual([
      ["web", "rev_shop-production-web-r2", null],
      // The dropped job has ended long ago: there is nothing to take down.
      ["worker", null, "rev_shop-production-worker-r1"],
    ]);
    expect(course.waves).toEqual([["web"]]);
  });

  it("ends the service that a job takes the name of, whatever it was; a job that ended is nothing to replace", () => {
    for (const before of [web, worker]) {
      const [turned] = courseOf({
        id,
        kind: "deploy",
        release: view(2, { x: migrate }),
        stable: view(1, { x: before }),
      }).rollouts;
      expect(turned).toMatchObject({ kind: "job", stable: "rev_shop-production-x-r1", stableKind: before.kind });
    }
    const back = courseOf({ id, kind: "deploy", release: view(3, { x: web }), stable: view(2, { x: migrate }) });
    expect(back.rollouts[0]).toMatchObject({ kind: "web", stable: null });
  });

  it("keeps a service routed while either side is", () => {
    const without = view(2, { web: { ...web, routes: [] } });
    expect(courseOf({ id, kind: "deploy", release: without, stable: view(1, { web }) }).rollouts[0]?.routed).toBe(true);
    expect(courseOf({ id, kind: "deploy", release: without, stable: without }).rollouts[0]?.routed).toBe(false);
  });
});

describe("a service that cannot run beside its successor", () => {
  const docker = { environments: { production: { target: { driver: "docker" as const } } } };
  const plain = { kind: "web" as const, image: "api:1" };
  const writer = { ...plain, volumes: ["data:/data"] };
  const why = (before: ProductInput["services"], after: ProductInput["services"], more = docker) =>
    courseOf({ id, kind: "deploy", release: view(2, after, more), stable: view(1, before, more) }).rollouts.map(
      ({ stopFirst }) => stopFirst ?? null,
    );

  it("is stopped first, when either side writes a volume or has a port of the host; only a container does", () => {
    expect(why({ x: writer }, { x: writer })).toEqual(["volumes"]);
    expect(why({ x: writer }, { x: plain })).toEqual(["volumes"]);
    expect(why({ x: plain }, { x: { ...plain, hostPorts: ["53:5353"] } })).toEqual(["hostPorts"]);
    expect(why({ x: plain }, { x: { ...plain, volumes: ["data:/data:ro"] } })).toEqual([null]);
    expect(
      why({ x: { kind: "worker", image: "x:1", volumes: ["data:/d"] } }, { x: { kind: "job", image: "x:1" } }),
    ).toEqual(["volumes"]);
    const process = { environments: { production: {} } } as unknown as typeof docker;
    const local = { ...web, volumes: ["data:/data"] };
    expect(why({ x: local }, { x: local }, process)).toEqual([null]);
  });

  it("needs no stop where nothing is live, nothing comes, or a job did not live on", () => {
    const first = courseOf({ id, kind: "deploy", release: view(1, { x: writer }, docker), stable: null });
    expect(first.rollouts[0]).not.toHaveProperty("stopFirst");
    expect(why({ x: plain, y: writer }, { x: plain })).toEqual([null, null]);
    const job = { kind: "job" as const, image: "x:1", volumes: ["data:/d"] };
    expect(why({ x: job }, { x: job })).toEqual([null]);
    const back = courseOf({
      id,
      kind: "rollback",
      release: view(1, { w: plain, x: job }, docker),
      stable: view(2, { w: plain, x: { ...job, kind: "worker" } }, docker),
    });
    expect(back.rollouts[1]).not.toHaveProperty("stopFirst");
  });
});

describe("the course of a rollback", () => {
  const release = view(
    1,
    { web: { ...web, needs: ["migrate"] }, worker, migrate },
    { rollout: { bake: "5m", strategy: "rolling" } },
  );
  const course = courseOf({ id, kind: "rollback", release, stable: view(2, { web, worker, migrate }) });

  it("does no job again, and has no bake: its release has passed here before", () => {
    expect(course.rollouts.map((rollout) => rollout.service)).toEqual(["web", "worker"]);
    expect(course.waves).toEqual([["web", "worker"]]);
    expect(course.bakeMs).toBe(0);
    expect(course.proven).toBe(true);
  });

  it("to where a service was a job ends the service, and does not do the job again", () => {
    const back = courseOf({
      id,
      kind: "rollback",
      release: view(1, { web, x: migrate }),
      stable: view(2, { web, x: worker }),
    });
    expect(back.rollouts.map(({ service, kind, candidate, stable }) => [service, kind, candidate, stable])).toEqual([
      ["web", "web", "rev_shop-production-web-r1", "rev_shop-production-web-r2"],
      ["x", "worker", null, "rev_shop-production-x-r2"],
    ]);
    expect(back.stages.at(-1)?.[serviceName("x")]).toEqual({ candidate: 0, stable: 0, weight: 10_000 });
  });

  it("takes all traffic in one step, whatever the strategy", () => {
    expect(course.stages[0]?.[serviceName("web")]).toEqual({ candidate: 2, stable: 2, weight: 10_000 });
  });
});

it("a revision is named after product, environment, service and release, and only letters that a path takes", () => {
  const release = view(7, { web });
  expect(revisionOf(release, serviceName("web"))).toBe("rev_shop-production-web-r7");
  const preview = {
    ...release,
    spec: { ...release.spec, environment: "preview/fix-1" as typeof release.spec.environment },
  };
  expect(revisionOf(preview, serviceName("web"))).toBe("rev_shop-preview_fix-1-web-r7");
});
