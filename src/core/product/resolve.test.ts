import { describe, expect, test } from "vitest";
import { canonicalJson } from "./canonical.ts";
import type { EnvironmentInput, ProductInput, ServiceInput } from "./input.ts";
import { environmentNames, resolveEnvironment } from "./resolve.ts";
import { fullProduct, smallProduct } from "./samples.ts";
import { validateProduct } from "./validate.ts";

const product = (service: Partial<ServiceInput>, here: EnvironmentInput = {}): ProductInput => ({
  name: "shop",
  services: { web: { kind: "web", command: ["x"], ...service } },
  environments: { production: here },
});
/** Only what has been let through may be resolved. */
function resolved(config: ProductInput, name = "production") {
  expect(validateProduct(config).problems).toEqual([]);
  return resolveEnvironment(config, name);
}
const webOf = (config: ProductInput) => Object.values(resolved(config).services)[0]!;

describe("defaults", () => {
  test("make a whole environment, production, out of two lines", () => {
    expect(environmentNames(smallProduct)).toEqual(["production"]);
    expect(resolved(smallProduct)).toEqual({
      product: "shop",
      environment: "production",
      services: {
        web: {
          name: "web",
          kind: "web",
          path: ".",
          build: null,
          image: {
            from: null,
            dockerfile: null,
            stage: null,
            args: {},
            secrets: [],
            platforms: [],
            timeoutMs: 1_200_000,
          },
          container: {
            port: 8080,
            volumes: [],
            hostPorts: [],
            readOnlyRoot: false,
            dropCapabilities: [],
            addCapabilities: [],
            user: null,
            init: true,
            rootUser: "warn",
            logs: { maxBytes: 10_000_000, keep: 3 },
          },
          command: ["node", "server.js"],
          fallbackFile: null,
          health: {
            path: "/",
            status: [200, 204, 301, 302, 303, 307, 308],
            body: null,
            intervalMs: 1000,
            timeoutMs: 5000,
            retries: 3,
            startPeriodMs: 0,
            deadlineMs: 60_000,
          },
          stopGraceMs: 30_000,
          instances: 1,
          env: {},
          needs: [],
          routes: [{ host: null, path: "/", strip: false }],
          resources: { memoryBytes: null, cpus: null },
        },
      },
      accessories: {},
      probes: [],
      metrics: [],
      registry: null,
      rules: {},
      notifiers: {},
      target: { driver: "process" },
      rollout: {
        strategy: "blue-green",
        bakeMs: 300_000,
        batch: 0.25,
        drainMs: 30_000,
        streamLimitMs: 600_000,
        rules: {
          errorRatio: { margin: 0.02, minimum: 10 },
          latency: { factor: 2, floorMs: 25, quantiles: [0.5, 0.95, 0.99], minimum: 50, warmUpMs: 30_000 },
          falseAlarms: 0.01,
          healthLost: true,
        },
        whenBusy: "queue",
      },
      edge: {
        driver: "embedded",
        server: null,
        tls: null,
        listen: { host: "0.0.0.0", port: 8080 },
        trustedProxies: [],
        redirectToHttps: false,
        redirectWww: false,
        headers: {
          "x-content-type-options": "nosniff",
          "x-frame-options": "SAMEORIGIN",
          "referrer-policy": "strict-origin-when-cross-origin",
        },
        cors: null,
        allowLists: [],
        rateLimit: null,
        bodyBytes: 10_000_000,
        sticky: null,
        maintenance: false,
      },
      promoteFrom: null,
      retention: { releases: 3 },
    });
  });

  test("differ by kind: what does not listen has no path, and a job has time", () => {
    const { services } = resolved({
      name: "shop",
      services: {
        mailer: { kind: "worker", command: ["x"] },
        migrate: { kind: "job", command: ["x"] },
        docs: { kind: "static" },
      },
    });
    const health = Object.fromEntries(Object.values(services).map((service) => [service.name, service.health]));
    expect(health.mailer).toMatchObject({ path: null, status: null, startPeriodMs: 5000, deadlineMs: 60_000 });
    expect(health.migrate).toMatchObject({ path: null, status: null, startPeriodMs: 0, deadlineMs: 600_000 });
    expect(health.docs).toMatchObject({ path: "/", startPeriodMs: 0 });
    expect(Object.values(services).map(({ routes }) => routes.length)).toEqual([0, 0, 1]);
  });

  test("a redirect counts as healthy only when no path was named", () => {
    expect(webOf(product({ health: { path: "/" } })).health.status).toBeNull();
    expect(webOf(product({ health: { deadline: "2m" } })).health.status).toContain(302);
    expect(webOf(product({ health: { status: 418 } })).health.status).toEqual([418]);
  });
});

describe("an environment", () => {
  test("changes what it names and keeps the rest", () => {
    const staging = resolved(fullProduct, "staging");
    const web = Object.values(staging.services).find(({ name }) => name === "web")!;
    expect(Object.keys(staging.services)).toEqual(["migrate", "web", "mailer", "api"]);
    expect(web).toMatchObject({
      command: ["node", "--inspect", "server.js"],
      env: { LOG_LEVEL: "debug" },
      instances: 1,
      stopGraceMs: 5000,
      routes: [{ host: "staging.example.org", path: "/", strip: false }],
      resources: { memoryBytes: null, cpus: null },
      health: { path: "/", body: "ok", status: [200, 204], intervalMs: 250, deadlineMs: 7_200_000 },
      build: { command: ["npm", "run", "build"], output: "dist", timeoutMs: 1_200_000 },
    });
    expect(web.env).toEqual({ LOG_LEVEL: "debug" });
    expect(staging.rollout).toMatchObject({
      strategy: "rolling",
      bakeMs: 30_000,
      batch: 0.5,
      drainMs: 60_000,
      rules: { errorRatio: { margin: 0.025, minimum: 5 }, healthLost: true },
    });
    expect(staging.rollout).not.toHaveProperty("canary");
    expect(staging.edge).toMatchObject({
      listen: { host: "0.0.0.0", port: 8081 },
      sticky: { header: "x-user" },
      cors: null,
      rateLimit: { requests: 1000, perMs: 60_000 },
      trustedProxies: ["10.0.0.0/8", "2001:db8::1/128"],
    });
    expect(staging.edge.sticky).toEqual({ header: "x-user" });
    expect(staging.edge.headers).toMatchObject({ "x-frame-options": "SAMEORIGIN", "x-robots-tag": "noindex" });
    expect(staging.retention.releases).toBe(2);
  });

  test("keeps the product's own values where it says nothing", () => {
    const production = resolved(fullProduct);
    const web = Object.values(production.services).find(({ name }) => name === "web")!;
    expect(production.promoteFrom).toBe("staging");
    expect(production.rollout.rules.errorRatio).toBeNull();
    expect(production.rollout.canary).toEqual({
      steps: [
        { weight: 0.01, bakeMs: 60_000, promotion: "automatic" },
        {
          weight: 0.125,
          bakeMs: 600_000,
          promotion: "manual",
          gates: {
            approval: {
              from: "ops, ada",
              people: ["ada", "grace@example.com"],
              otherNames: { "ada lovelace": "ada", "lovelace@example.com": "ada" },
              count: 1,
              authorMayApprove: false,
              expiresMs: 43_200_000,
            },
            windows: [{ cron: "0 9 * * *", durationMs: 28_800_000, timeZone: "UTC" }],
            freezes: [{ cron: "0 0 * * sat", durationMs: 172_800_000, timeZone: "Europe/Berlin", reason: "weekend" }],
            waitMs: 1_800_000,
            conditions: ["error ratio < 1% over 5m"],
          },
        },
      ],
      minimum: 20,
      limitMs: 3_600_000,
      instances: "all",
      synthetic: { path: "/up", perSecond: 2 },
    });
    expect(web.instances).toBe(4);
    expect(web.resources).toEqual({ memoryBytes: 536_870_912, cpus: 0.5 });
    expect(web.routes).toEqual([
      { host: null, path: "/", strip: false },
      { host: "example.org", path: "/shop", strip: false },
      { host: "api.example.org", path: "/v1", strip: true },
    ]);
    expect(production.edge.headers["x-frame-options"]).toBeUndefined();
    expect(production.edge.allowLists).toEqual([{ prefix: "/admin", allow: ["10.0.0.0/8", "192.0.2.7/32"] }]);
    expect(production.target).toEqual({
      driver: "docker",
      hosts: [
        { name: "vm1", url: "ssh://deploy@vm1", tls: null, address: "vm1" },
        { name: "second", url: "ssh://deploy@vm2:2222", tls: null, address: "10.0.0.5" },
      ],
      builder: "ssh://build@builder1",
      registry: {
        repository: "ghcr.io/acme/shop",
        user: "AWS",
        passwordFrom: null,
        passwordCommand: ["aws", "ecr", "get-login-password"],
      },
      whenAway: "wait",
      waitAtMostMs: 3_600_000,
      lost: { act: "replace", afterMs: 300_000 },
    });
    expect(production.accessories.redis).toMatchObject({
      env: {},
      resources: { memoryBytes: 1_000_000_000, cpus: 0.5 },
    });
    expect(production.registry).toMatchObject({ repository: "ghcr.io/acme/shop", user: "AWS" });
    expect(production.edge.tls).toMatchObject({
      listen: { host: "0.0.0.0", port: 443 },
      acme: { email: "web@example.org", directory: "https://ca.example.org/directory" },
    });
    const api = Object.values(production.services).find(({ name }) => name === "api")!;
    expect(api.container).toMatchObject({ user: null, rootUser: "refuse", logs: { maxBytes: 50_000_000, keep: 9 } });
    expect(production.edge.cors).toMatchObject({ headers: ["x-id"], maxAgeS: 3600 });
  });

  test("turns on again what the product turned off, and off what it turned on", () => {
    const config: ProductInput = {
      ...smallProduct,
      rollout: { rules: { errorRatio: false } },
      environments: {
        staging: { edge: { listen: 0 } },
        production: { rollout: { rules: { errorRatio: { minimum: 7 } } }, edge: { cors: { origins: ["*"] } } },
      },
    };
    expect(resolved(config, "staging").rollout.rules.errorRatio).toBeNull();
    expect(resolved(config).rollout.rules.errorRatio).toEqual({ margin: 0.02, minimum: 7 });
    expect(resolved(config).edge.cors?.origins).toEqual(["*"]);
  });

  test("that is not there is named with a guess", () => {
    expect(() => resolveEnvironment(fullProduct, "prodution")).toThrow(
      expect.objectContaining({ code: "UNKNOWN_ENVIRONMENT", hint: 'did you mean "production"?' }),
    );
    expect(() => resolveEnvironment(fullProduct, "constructor")).toThrow(
      expect.objectContaining({ code: "UNKNOWN_ENVIRONMENT" }),
    );
  });
});

test("resolving is pure: the config stays as it was, and the result is the same again, as JSON too", () => {
  const before = canonicalJson(JSON.parse(JSON.stringify(fullProduct)));
  const once = resolveEnvironment(fullProduct, "staging");
  expect(resolveEnvironment(fullProduct, "staging")).toEqual(once);
  expect(canonicalJson(JSON.parse(JSON.stringify(fullProduct)))).toBe(before);
  expect(JSON.parse(JSON.stringify(once))).toEqual(once);
});

test.each([
  [{ path: "./apps/web/" }, { path: "apps/web" }],
  [{ path: "./" }, { path: "." }],
  [{ routes: "/api/" }, { routes: [{ host: null, path: "/api", strip: false }] }],
  [{ routes: [] }, { routes: [] }],
] as const)("%j means %j", (input, spec) => {
  expect(webOf(product(input as Partial<ServiceInput>))).toMatchObject(spec);
});

test("an environment has rules, notifiers and flags of its own: others of the same name, more, or without one", () => {
  const rules = { errors: "error ratio > 10% -> rollback", slow: "latency p95 > 1s -> notify team" };
  const config = {
    ...smallProduct,
    rules,
    notifiers: { team: { urlFrom: "SLACK" } },
    flags: { checkout: { percentage: "10%" as const }, gone: {} },
    environments: {
      staging: {
        rules: { errors: null, slow: "latency p95 > 2s -> notify team" },
        notifiers: { team: { urlFrom: "SLACK_STAGING" } },
        flags: { checkout: { percentage: "100%" as const }, gone: null },
      },
      production: {},
    },
  };
  const [staging, production] = ["staging", "production"].map((name) => resolveEnvironment(config, name));
  expect(Object.keys(production?.rules ?? {})).toEqual(["errors", "slow"]);
  expect(staging?.rules).toMatchObject({ slow: { when: "latency p95 > 2s -> notify team" } });
  expect(Object.keys(staging?.rules ?? {})).toEqual(["slow"]);
  expect([staging?.notifiers?.team?.urlFrom, production?.notifiers?.team?.urlFrom]).toEqual(["SLACK_STAGING", "SLACK"]);
  expect([staging?.flags, production?.flags?.checkout?.ratio]).toMatchObject([{ checkout: { ratio: 1 } }, 0.1]);
  expect(Object.keys(staging?.flags ?? {})).toEqual(["checkout"]);
});
