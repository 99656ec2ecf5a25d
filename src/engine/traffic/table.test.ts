import { describe, expect, it } from "vitest";
import type { Traffic, TrafficTarget } from "../../core/deploy/traffic.ts";
import { environmentName, instanceId, releaseId, revisionId, serviceName } from "../../core/ids.ts";
import type { EdgeInput, ProductInput, ServiceInput } from "../../core/product/input.ts";
import { resolveEnvironment } from "../../core/product/resolve.ts";
import type { EdgeConfig } from "../../ports/edge.ts";
import type { InstanceState, InstanceStatus, RevisionStatus } from "../../ports/target.ts";
import { edgeConfig } from "./listeners.ts";
import { type EnvironmentTraffic, routeTable } from "./table.ts";

const [r1, r2] = [releaseId("rel_1"), releaseId("rel_2")];
const web: ServiceInput = { kind: "web", command: ["web"], instances: 2 };

type Part = {
  readonly services?: ProductInput["services"];
  readonly edge?: EdgeInput;
  readonly name?: string;
  readonly traffic?: Record<string, TrafficTarget[]>;
};

function environment({ services = { web }, edge = {}, name = "production", traffic }: Part = {}): EnvironmentTraffic {
  const spec = resolveEnvironment({ name: "shop", services, environments: { [name]: { edge } } }, name);
  const all = Object.fromEntries(Object.keys(services).map((service) => [service, [target(`${service}-r1`)]]));
  return { spec, kept: null, traffic: { routesOf: r1, services: (traffic ?? all) as Traffic["services"] } };
}

function target(revision: string, more: Partial<TrafficTarget> = {}): TrafficTarget {
  return { revision: revisionId(revision), release: r1, instances: 2, weight: 10_000, fallback: false, ...more };
}

/** A revision with an instance per state, at ports 3000, 3001 … */
function running(revision: string, ...states: (InstanceState | "elsewhere")[]): RevisionStatus {
  const id = revisionId(revision);
  const instances = states.map(
    (state, index): InstanceStatus => ({
      id: instanceId(id, index),
      index,
      host: null,
      state: state === "elsewhere" ? "running" : state,
      address: state === "elsewhere" ? null : `127.0.0.1:${3000 + index}`,
      pid: 1,
      startedAt: 0,
      restarts: 0,
      lastExit: null,
      cpu: null,
      memoryBytes: null,
    }),
  );
  const digest = "sha256:0" as const;
  return {
    id,
    product: "shop",
    environment: environmentName("production"),
    service: serviceName("web"),
    release: r1,
    configDigest: digest,
    wanted: states.length,
    instances,
  };
}

const both = [running("web-r1", "running", "running"), running("web-r2", "running", "running")];

describe("the route table", () => {
  it("sends a service's routes to the instances of its revisions, by weight, candidate first", () => {
    const traffic = { web: [target("web-r2", { release: r2, weight: 2_500 }), target("web-r1", { weight: 7_500 })] };
    const table = routeTable(
      [environment({ traffic, edge: { listen: "127.0.0.1:8080", sticky: { cookie: "c" } } })],
      both,
      7,
    );
    expect(table.generation).toBe(7);
    expect(
      table.routes.map(({ listener, host, pathPrefix, service }) => [listener, host, pathPrefix, service]),
    ).toEqual([["127.0.0.1:8080", null, "/", "shop/production/web"]]);
    const at = (revision: string) =>
      [0, 1].map((index) => ({ id: `${revision}.${index}`, address: `127.0.0.1:${3000 + index}` }));
    expect(table.services).toEqual({
      "shop/production/web": {
        sticky: { cookie: "c" },
        mode: "live",
        targets: [
          { revision: "web-r2", release: r2, weight: 2_500, fallback: false, instances: at("web-r2") },
          { revision: "web-r1", release: r1, weight: 7_500, fallback: false, instances: at("web-r1") },
        ],
      },
    });
  });

  it("sends nothing to instances that are being drained, are stopped, have no address, or do not exist", () => {
    const seen = (instances: number, ...revisions: RevisionStatus[]) =>
      routeTable([environment({ traffic: { web: [target("web-r1", { instances })] } })], revisions, 1).services[
        "shop/production/web"
      ]?.targets[0]?.instances.map(({ address }) => address);
    expect(seen(1, running("web-r1", "running", "running"))).toEqual(["127.0.0.1:3000"]);
    expect(seen(3, running("web-r1", "stopped", "running", "elsewhere"))).toEqual(["127.0.0.1:3001"]);
    expect(seen(2, running("another", "running"))).toEqual([]);
    expect(seen(2)).toEqual([]);
  });

  it("keeps the address of an instance that will be back there in a moment", () => {
    const table = routeTable([environment()], [running("web-r1", "backoff", "running")], 1);
    expect(table.services["shop/production/web"]?.targets[0]?.instances).toHaveLength(2);
  });

  it("routes only services that have traffic: one without takes no path away from the others", () => {
    const services = { web, api: { ...web, routes: ["/api"] }, worker: { kind: "worker" as const, command: ["w"] } };
    const table = routeTable([environment({ services, traffic: { web: [target("web-r1")] } })], both, 1);
    expect(table.routes.map((route) => route.pathPrefix)).toEqual(["/"]);
    expect(Object.keys(table.services)).toEqual(["shop/production/web"]);
  });

  it("keeps the routes of the config before as long as it is told to, where the newer one has none for that address", () => {
    const before = environment({
      services: { web: { ...web, routes: ["/", "/old"] }, gone: { ...web, routes: ["/gone"] } },
      edge: { listen: "127.0.0.1:8080" },
    });
    const after = environment({
      services: { web: { ...web, routes: ["/", "/new"] } },
      edge: { listen: "127.0.0.1:8080" },
      traffic: { web: [target("web-r2")], gone: [target("gone-r1")] },
    });
    const paths = (part: EnvironmentTraffic) =>
      routeTable([part], both, 1).routes.map(({ pathPrefix, service }) => `${pathPrefix} ${service}`);
    const own = ["/ shop/production/web", "/new shop/production/web"];
    expect(paths(after)).toEqual(own);
    expect(paths({ ...after, kept: before.spec })).toEqual([
      ...own,
      "/old shop/production/web",
      "/gone shop/production/gone",
    ]);
  });

  it("has all environments, each on its own listener and under its own name", () => {
    const staging = environment({ name: "staging", edge: { listen: "127.0.0.1:8081", maintenance: true } });
    const table = routeTable([environment({ edge: { listen: "127.0.0.1:8080" } }), staging], both, 1);
    expect(table.routes.map(({ listener, service }) => [listener, service])).toEqual([
      ["127.0.0.1:8080", "shop/production/web"],
      ["127.0.0.1:8081", "shop/staging/web"],
    ]);
    expect(table.services["shop/staging/web"]?.mode).toBe("maintenance");
    expect(table.services["shop/production/web"]?.mode).toBe("live");
  });

  it("answers for www as well when that is sent on to the name without it", () => {
    const hosts = (routes: string[], redirectWww: boolean) =>
      routeTable([environment({ services: { web: { ...web, routes } }, edge: { redirectWww } })], both, 1).routes.map(
        ({ host, pathPrefix, policy }) => [host, pathPrefix, policy.redirectHosts],
      );
    const redirect = { "www.example.org": "example.org" };
    expect(hosts(["example.org/shop"], true)).toEqual([
      ["example.org", "/shop", redirect],
      ["www.example.org", "/shop", redirect],
    ]);
    expect(hosts(["example.org"], false)).toEqual([["example.org", "/", {}]]);
    expect(hosts(["/"], true)).toEqual([[null, "/", {}]]);
  });

  it("never has two routes for one host and path, also when www is a route of its own", () => {
    const services = { web: { ...web, routes: ["example.org", "www.example.org", "www.other.org"] } };
    const { routes } = routeTable([environment({ services, edge: { redirectWww: true } })], both, 1);
    const names = routes.map(({ host, pathPrefix }) => `${host}${pathPrefix}`);
    expect(names.toSorted()).toEqual(["example.org/", "www.example.org/", "www.other.org/"]);
  });

  it("carries the environment's policy on every route", () => {
    const edge: EdgeInput = {
      redirectToHttps: true,
      rateLimit: { requests: 5, per: "1s" },
      bodyLimit: "1MB",
      allowLists: [{ path: "/admin", allow: ["10.0.0.0/8"] }],
    };
    const { routes } = routeTable(
      [environment({ services: { web: { ...web, routes: ["/a", "/b"] } }, edge })],
      both,
      1,
    );
    expect(routes).toHaveLength(2);
    for (const { policy } of routes)
      expect(policy).toMatchObject({
        redirectToHttps: true,
        rateLimit: { requests: 5, perMs: 1_000 },
        bodyBytes: 1_000_000,
        allowLists: [{ prefix: "/admin", allow: ["10.0.0.0/8"] }],
      });
  });

  it("sends plain HTTP of hosts with a certificate to https by itself, leaves the address of services alone, and says HSTS where asked", () => {
    const services = { web: { ...web, routes: ["shop.example", "/api"] } };
    const seen = (edge: EdgeInput) =>
      routeTable([environment({ services, edge })], both, 1)
        .routes.filter(({ listener }) => listener.endsWith(":8080"))
        .map(({ host, policy }) => [host, policy.redirectToHttps, policy.headers["strict-transport-security"]]);
    const tls = {};
    expect(seen({ tls, hsts: { maxAge: "1h", includeSubDomains: true } })).toEqual([
      ["shop.example", true, "max-age=3600; includeSubDomains"],
      [null, false, "max-age=3600; includeSubDomains"],
    ]);
    expect(seen({ tls, redirectToHttps: false }).map(([, redirected]) => redirected)).toEqual([false, false]);
    expect(seen({ tls, redirectToHttps: true }).map(([, redirected]) => redirected)).toEqual([true, true]);
    expect(seen({}).map(([, redirected]) => redirected)).toEqual([false, false]);
  });

  it("is the same for the same truth, and empty for none", () => {
    const of = () => routeTable([environment()], both, 3);
    expect(of()).toEqual(of());
    expect(routeTable([], both, 3)).toEqual({ generation: 3, routes: [], services: {} });
  });
});

describe("the edge's config", () => {
  const base = {} as Omit<EdgeConfig, "listeners" | "trustedProxies">;

  it("has every listener once, in an order that does not depend on that of the environments", () => {
    const parts = [
      environment({ name: "b", edge: { listen: "127.0.0.1:8081", trustedProxies: ["10.0.0.0/8"] } }),
      environment({ name: "a", edge: { listen: "127.0.0.1:8080", trustedProxies: ["192.0.2.1", "10.0.0.0/8"] } }),
      environment({ name: "c", edge: { listen: "127.0.0.1:8080" } }),
    ];
    const config = edgeConfig(parts, base);
    expect(config.listeners.map(({ name, host, port }) => [name, host, port])).toEqual([
      ["127.0.0.1:8080", "127.0.0.1", 8080],
      ["127.0.0.1:8081", "127.0.0.1", 8081],
    ]);
    expect(config.trustedProxies).toEqual(["10.0.0.0/8", "192.0.2.1/32"]);
    expect(edgeConfig(parts.toReversed(), base)).toEqual(config);
  });
});
