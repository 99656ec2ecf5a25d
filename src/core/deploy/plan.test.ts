import { describe, expect, it } from "vitest";
import { releaseId } from "../ids.ts";
import type { ProductInput } from "../product/input.ts";
import { resolveEnvironment } from "../product/resolve.ts";
import { parseArtifacts } from "../release/artifacts.ts";
import type { Commit } from "../release/commit.ts";
import { type Plan, type PlanInput, planOf } from "./plan.ts";

type Side = PlanInput["release"];

function side(number: number, product: Omit<ProductInput, "name">): Side {
  const spec = resolveEnvironment({ name: "shop", ...product }, "production");
  return { id: releaseId(`rel_${number}`), number, version: `1.${number}.0`, spec };
}

function plan(release: Side, live: Side | null, more: Partial<PlanInput> = {}): Plan {
  const artifacts = { release: digests({ web: "sha256:2" }), live: digests({ web: "sha256:1" }) };
  return planOf({
    release,
    live,
    artifacts,
    commits: [],
    standing: "untried",
    before: null,
    locked: null,
    open: 0,
    making: null,
    kept: true,
    ...more,
  });
}

function digests(byService: Record<string, string>): PlanInput["artifacts"]["live"] {
  return parseArtifacts(JSON.stringify(byService));
}

const web = { kind: "web" as const, command: ["node", "web.js"] };
const commit = (hash: string, subject: string): Commit => ({ hash, author: "Ada", at: 0, subject, body: "" });

describe("a plan", () => {
  it("of a first deployment says what starts, in order, and that there is no way back", () => {
    const first = side(1, {
      services: {
        web: { ...web, instances: 2, needs: ["migrate"] },
        migrate: { kind: "job", command: ["migrate"] },
        mailer: { kind: "worker", command: ["mailer"] },
      },
      rollout: { bake: "5m", drain: "30s" },
    });
    expect(plan(first, null, { commits: [commit("abcdef0123", "feat: begin")] })).toMatchInlineSnapshot(`
      {
        "blocked": [],
        "changeLog": [
          {
            "lines": [
              "begin (abcdef0)",
            ],
            "title": "Features",
          },
        ],
        "environment": "production",
        "live": null,
        "release": {
          "id": "rel_1",
          "number": 1,
          "version": "1.1.0",
        },
        "rollback": "nothing is live before this one, so there is nothing to go back to",
        "services": [
          {
            "change": "new",
            "config": [],
            "instances": "2",
            "kind": "web",
            "name": "web",
          },
          {
            "change": "new",
            "config": [],
            "instances": "1",
            "kind": "job",
            "name": "migrate",
          },
          {
            "change": "new",
            "config": [],
            "instances": "1",
            "kind": "worker",
            "name": "mailer",
          },
        ],
        "steps": [
          "run migrate to its end, start mailer x1; wait until healthy",
          "start web x2; wait until healthy",
          "switch traffic: web 100 %",
          "watch for 5m: health, error ratio, latency",
        ],
        "strategy": "blue-green",
        "warnings": [],
      }
    `);
  });

  it("of a change says what is new, changed, the same and dropped, without a value of an environment variable", () => {
    const before = side(1, {
      services: {
        web: { ...web, instances: 2, env: { SECRET: "old", GONE: "x" }, health: { path: "/up" } },
        docs: { kind: "static", path: "docs", routes: ["/docs"] },
        mailer: { kind: "worker", command: ["mailer"] },
      },
    });
    const after = side(2, {
      services: {
        web: { ...web, instances: 3, env: { SECRET: "fresh", ADDED: "y" }, health: { path: "/healthz" } },
        docs: { kind: "static", path: "docs", routes: ["/docs"] },
        api: { kind: "web", command: ["api"], routes: ["/api"] },
      },
      rollout: { bake: "90s", drain: "10s", rules: { errorRatio: false } },
    });
    const seen = plan(after, before, {
      artifacts: {
        release: digests({ web: "sha256:2", docs: "sha256:d", api: "sha256:a" }),
        live: digests({ web: "sha256:1", docs: "sha256:d", mailer: "sha256:m" }),
      },
      commits: [commit("1111111aaaa", "feat(api): begin"), commit("2222222bbbb", "fix!: another health path")],
    });
    expect(seen).toMatchInlineSnapshot(`
      {
        "blocked": [],
        "changeLog": [
          {
            "lines": [
              "another health path (2222222)",
            ],
            "title": "Breaking changes",
          },
          {
            "lines": [
              "api: begin (1111111)",
            ],
            "title": "Features",
          },
        ],
        "environment": "production",
        "live": {
          "number": 1,
          "version": "1.1.0",
        },
        "release": {
          "id": "rel_2",
          "number": 2,
          "version": "1.2.0",
        },
        "rollback": "the old release stays warm: going back is one change of weights",
        "services": [
          {
            "change": "changed",
            "config": [
              "health.path: "/up" -> "/healthz"",
              "instances: 2 -> 3",
              "env.SECRET changed",
              "env.GONE removed",
              "env.ADDED added",
            ],
            "instances": "2 -> 3",
            "kind": "web",
            "name": "web",
          },
          {
            "change": "same",
            "config": [],
            "instances": "1 -> 1",
            "kind": "static",
            "name": "docs",
          },
          {
            "change": "new",
            "config": [],
            "instances": "1",
            "kind": "web",
            "name": "api",
          },
          {
            "change": "dropped",
            "config": [],
            "instances": "1 -> 0",
            "kind": "worker",
            "name": "mailer",
          },
        ],
        "steps": [
          "start web x3, start docs x1, start api x1; wait until healthy",
          "switch traffic: web 100 %, docs 100 %, api 100 %",
          "drain the old release, up to 10s",
          "stop what the release no longer runs: mailer",
          "watch for 1m30s: health, latency",
        ],
        "strategy": "blue-green",
        "warnings": [],
      }
    `);
    expect(JSON.stringify(seen)).not.toMatch(/old"|fresh|"y"/);
  });

  it("of a rolling deployment shows every step of the traffic in whole hundredths of a percent", () => {
    const rolling = (number: number) =>
      side(number, {
        services: { web: { ...web, instances: 7 } },
        rollout: { strategy: "rolling", batch: "15%", bake: "1m", drain: "5s" },
      });
    expect(plan(rolling(2), rolling(1)).steps).toMatchInlineSnapshot(`
      [
        "start web x1; wait until healthy",
        "switch traffic: web 14.29 %",
        "start web x2; wait until healthy",
        "switch traffic: web 28.57 %",
        "start web x3; wait until healthy",
        "switch traffic: web 42.86 %",
        "start web x4; wait until healthy",
        "switch traffic: web 57.14 %",
        "start web x5; wait until healthy",
        "switch traffic: web 71.43 %",
        "start web x6; wait until healthy",
        "switch traffic: web 85.71 %",
        "start web x7; wait until healthy",
        "switch traffic: web 100 %",
        "drain the old release, up to 5s",
        "watch for 1m: health, error ratio, latency",
      ]
    `);
    expect(plan(rolling(2), rolling(1)).rollback).toBe(
      "the old release's instances are started again, then traffic goes back",
    );
  });

  it("writes a weight as people write it, not as binary fractions come out", () => {
    const hundred = (number: number) =>
      side(number, { services: { web: { ...web, instances: 100 } }, rollout: { strategy: "rolling", batch: "7%" } });
    for (const step of plan(hundred(2), hundred(1)).steps) expect(step).not.toMatch(/\.\d{3}/);
  });

  it("says which service is stopped first and why, and who notices", () => {
    const data = { ...web, image: "api:1", health: { deadline: "45s" as const } };
    const product = (edge: Omit<ProductInput, "name">["edge"] = {}): Omit<ProductInput, "name"> => ({
      services: {
        web: { kind: "web", image: "web:1", routes: ["/site"], instances: 2, needs: ["api"] },
        api: { ...data, volumes: ["data:/data", "/srv/files:/files", "templates:/templates:ro"] },
        dns: { kind: "worker", image: "dns:1", hostPorts: ["53:5353"] },
        migrate: { kind: "job", image: "api:1", volumes: ["data:/data"] },
      },
      environments: { production: { target: { driver: "docker" }, edge } },
      rollout: { bake: "1m", drain: "5s", strategy: "rolling", batch: "50%" },
    });
    const first = plan(side(1, product()), null);
    expect(first.steps.filter((step) => step.startsWith("stop"))).toEqual([]);
    const next = plan(side(2, product()), side(1, product()));
    expect(next.steps).toEqual([
      "stop api first: it writes the volumes data, /srv/files",
      "stop dns first: it has port 53 of its host",
      "start api x1, start dns x1, run migrate to its end; wait until healthy",
      "start web x1; wait until healthy",
      "switch traffic: web 50 %, api 100 %",
      "start web x2; wait until healthy",
      "switch traffic: web 100 %, api 100 %",
      "drain the old release, up to 5s",
      "watch for 1m: health, error ratio, latency",
    ]);
    expect(next.warnings).toEqual([
      "requests to api wait up to 1m15s while it is replaced",
      "dns does not run while it is replaced",
    ]);
    const far = product({ driver: "caddy", server: "ssh://deploy@edge.example" });
    expect(plan(side(2, far), side(1, far)).warnings[0]).toBe(
      "requests to api get 503 while it is replaced: a Caddy on another machine cannot make them wait",
    );
    const whole = (number: number) => side(number, { ...product(), rollout: { bake: "1m" } });
    expect(plan(whole(2), whole(1)).rollback).toBe(
      "the old release stays warm but for api, dns: stopped here, started again there, then traffic goes back",
    );
  });

  it("says where it goes on by itself, and nothing of that for a release that is older", () => {
    const environments = { production: {}, asia: { promoteFrom: "production", promotion: "automatic" as const } };
    const of = (number: number) => side(number, { services: { web }, environments });
    expect(plan(of(2), of(1)).steps.at(-1)).toBe("ask for it in asia then, by itself and through its gates");
    expect(plan(of(1), of(2)).steps.at(-1)).toMatch(/^watch for/);
  });

  it("of the release that is live says that there is nothing to do", () => {
    const live = side(1, { services: { web } });
    expect(plan(live, live).steps).toEqual(["nothing: this release is live already"]);
  });

  it("says what would refuse it now, and what a person should know before saying yes", () => {
    const product = (whenBusy: "queue" | "refuse"): Omit<ProductInput, "name"> => ({
      services: { web },
      rollout: { bake: "0s", whenBusy },
      environments: { staging: {}, production: { promoteFrom: "staging" } },
    });
    const seen = plan(side(3, product("queue")), side(2, product("queue")), {
      locked: { by: "ada", reason: "the audit" },
      before: "bad",
      standing: "bad",
      open: 2,
      kept: false,
    });
    expect(seen.blocked).toEqual([
      "the artifacts of r3 were pruned; make it again from its commit",
      "locked by ada: the audit",
      "r3 has not succeeded in staging yet",
    ]);
    expect(seen.warnings).toEqual([
      "r3 failed here the last time",
      "2 deployments are under way or waiting: queue",
      "there is no bake: nobody watches after the switch",
    ]);
    const refused = plan(side(3, product("refuse")), side(2, product("refuse")), { before: "good", open: 1 });
    expect(refused.blocked).toEqual(["a deployment is under way, and the config says to refuse others meanwhile"]);
  });
});

it("says who runs as root, and is blocked where the config refuses that", () => {
  const digest = `sha256:${"a".repeat(64)}` as const;
  const at = (rootUser: "warn" | "refuse") =>
    side(2, { services: { web: { kind: "web", container: { rootUser } } }, target: { driver: "docker" } });
  const artifacts = {
    release: { web: { directory: null, image: { digest, id: digest, from: null, user: "" } } },
    live: {},
  };
  const warned = plan(at("warn"), null, { artifacts });
  expect(warned.blocked).toEqual([]);
  expect(warned.warnings).toContainEqual(
    expect.stringMatching(/^web runs as root: .*rootUser: "refuse" would refuse it/),
  );
  const refused = plan(at("refuse"), null, { artifacts });
  expect(refused.blocked).toEqual([
    expect.stringMatching(/^web would run as root, and its container.rootUser refuses that/),
  ]);
  expect(refused.warnings.join()).not.toContain("root");
});

it("of a release that is not made yet says what it would be made of, and what is not known before that", () => {
  const live = side(1, { services: { web: { ...web, build: { command: ["make"] } }, api: web } });
  const next = side(2, { services: { web: { ...web, build: { command: ["make"] } }, api: { ...web, instances: 3 } } });
  const commit = "c0ffee0000000000000000000000000000000000";
  const made = plan(next, live, { making: { commit, dirtyPaths: 0, wantsDirty: false } });
  expect(made.release).toMatchObject({ id: null, number: 2 });
  expect(made.steps[0]).toBe("make r2 from c0ffee0; build web");
  expect(made.services.map(({ name, change }) => [name, change])).toEqual([
    ["web", "rebuilt"],
    ["api", "changed"],
  ]);
  const pipeline = ["install", "unit"];
  const passed = plan(next, live, { making: { commit, dirtyPaths: 0, wantsDirty: false, pipeline } });
  expect(passed.steps.slice(0, 2)).toEqual([
    "take c0ffee0 through the pipeline: install, unit",
    "make r2 from c0ffee0; build web",
  ]);
  const dirty = plan(next, live, { making: { commit, dirtyPaths: 2, wantsDirty: true } });
  expect(dirty.steps[0]).toBe("make r2 from the working tree; build web");
  expect(dirty.warnings).toContain("the working tree differs from HEAD in 2 paths: commit, or deploy with --dirty");
});

it("names the accessories that start first, and not those that what is live has already", () => {
  const redis = { image: "redis:7" };
  const product = { services: { web: { ...web, image: {} } }, target: { driver: "docker" as const } };
  const first = side(1, { ...product, accessories: { cache: redis } });
  const next = side(2, { ...product, accessories: { cache: redis, db: { image: "postgres:16" } } });
  expect(plan(first, null).steps[0]).toBe("start cache; wait until it is well");
  expect(plan(next, first).steps[0]).toBe("start db; wait until it is well");
  expect(plan(next, next).steps.join()).not.toContain("well");
});
