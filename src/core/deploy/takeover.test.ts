import { describe, expect, it } from "vitest";
import type { EnvironmentSpec, ServiceSpec } from "../product/spec.ts";
import { type Found, takeoverOf, takeoverText } from "./takeover.ts";

const service = (name: string, kind: string, container: Partial<ServiceSpec["container"]> = {}) =>
  ({ name, kind, container: { hostPorts: [], volumes: [], ...container }, composed: { service: name } }) as unknown;

const spec = {
  services: {
    web: service("web", "web"),
    worker: service("worker", "worker"),
    metrics: service("metrics", "web", { hostPorts: [{ host: null, hostPort: 9100, port: 9100 }] }),
  },
  accessories: { db: { name: "db" } },
  edge: { listen: { host: "0.0.0.0", port: 80 }, tls: null, server: null },
  target: { driver: "docker", hosts: [{ name: "local", url: "unix:///var/run/docker.sock" }] },
} as unknown as EnvironmentSpec;

const found = (service: string, more: Partial<Found> = {}): Found => ({
  host: null,
  name: `shop-${service}-1`,
  service,
  running: true,
  hostPorts: [],
  ...more,
});

const names = (all: Found[], of: EnvironmentSpec = spec) =>
  Object.fromEntries(
    Object.entries(takeoverOf(of, all)).flatMap(([key, value]) =>
      value.length === 0 ? [] : [[key, value.map((each) => ("found" in each ? each.found.service : each.service))]],
    ),
  );

describe("what docker compose runs, when a release comes", () => {
  it("is kept, stopped first, handed over or stopped later, each as it has to be", () => {
    const all = [
      found("web", { hostPorts: [80] }),
      found("worker"),
      found("metrics", { hostPorts: [9100] }),
      found("db", { hostPorts: [5432] }),
      found("mailhog"),
      found("web", { running: false }),
    ];
    expect(names(all)).toEqual({
      kept: ["db"],
      stopFirst: ["metrics"],
      handOver: ["web"],
      atSwitch: ["worker"],
      strangers: ["mailhog"],
    });
  });

  it("goes on answering at its own port until the end, where the edge has another, or is another machine", () => {
    expect(names([found("web", { hostPorts: [8080] })])).toEqual({ atEnd: ["web"] });
    const remote = { ...spec, target: { ...spec.target, hosts: [{ name: "vm1", url: "ssh://deploy@vm1" }] } };
    const web = [found("web", { hostPorts: [80] })];
    expect(names(web, remote as EnvironmentSpec)).toEqual({ atEnd: ["web"] });
    const edge = { ...spec.edge, server: "ssh://root@vm1:2222" };
    expect(names(web, { ...remote, edge } as EnvironmentSpec)).toEqual({ handOver: ["web"] });
  });

  it("is told in words before", () => {
    const all = [found("web", { hostPorts: [80] }), found("worker"), found("db")];
    expect(takeoverText("shop", takeoverOf(spec, all))).toEqual({
      steps: [
        "use shop-db-1 of docker compose as it is: not stopped, not changed",
        "at the switch, take port 80 from shop-web-1 of docker compose for the edge, and stop it",
        "after the switch, stop shop-worker-1 of docker compose",
      ],
      warnings: [expect.stringContaining("shop-web-1 of docker compose has port 80, which the edge is to listen on")],
    });
  });
});
