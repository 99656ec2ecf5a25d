import { describe, expect, it } from "vitest";
import type { ComposeFiles } from "./assemble.ts";
import { differences } from "./differences.ts";
import type { ComposeModel } from "./model.ts";
import { readModel } from "./read.ts";
import { toServices } from "./services.ts";
import type { Raw, RawMap } from "./tree.ts";

function modelOf(services: RawMap, more: RawMap = {}): ComposeModel {
  const value: Raw = { services, ...more };
  const files: ComposeFiles = { yaml: () => [{ value, replaced: [] }], text: () => null };
  const request = {
    paths: ["/shop/compose.yaml"],
    directory: "/shop",
    name: null,
    profiles: [],
    variables: {},
    home: null,
  };
  const { model, problems } = readModel(request, files);
  expect(problems).toEqual([]);
  return model!;
}

const shop: RawMap = {
  web: {
    build: ".",
    ports: ["80:3000"],
    restart: "always",
    depends_on: { db: { condition: "service_healthy" }, migrate: { condition: "service_completed_successfully" } },
    healthcheck: { test: "curl -fsS http://localhost:3000/up || exit 1", start_period: "20s" },
    deploy: { replicas: 2, resources: { limits: { memory: "512m", cpus: "0.5" } } },
  },
  worker: { build: ".", command: "node worker.js", restart: "always", stop_grace_period: "1m" },
  migrate: { build: ".", command: ["node", "migrate.js"], depends_on: ["db"] },
  db: { image: "postgres:16", volumes: ["pg:/var/lib/postgresql/data"] },
};

const kinds = (model: ComposeModel) => {
  const { services, accessories } = toServices(model);
  return Object.fromEntries([...services, ...accessories].map(({ composeName, role }) => [composeName, role.kind]));
};

const told = (model: ComposeModel, options = {}) =>
  differences(model, options).map(({ path, consequence, sentence }) => `${consequence} ${path}: ${sentence}`);

describe("a Compose project as what is deployed", () => {
  it("rolls what is stateless, runs steps once, leaves what keeps data", () => {
    const model = modelOf(shop, { volumes: { pg: null } });
    expect(kinds(model)).toEqual({ web: "web", worker: "worker", migrate: "job", db: "accessory" });
    const { services, accessories } = toServices(model);
    expect(services[0]).toMatchObject({
      stopFirst: null,
      spec: {
        kind: "web",
        path: ".",
        image: { from: null },
        container: { port: 3000, hostPorts: [], volumes: [] },
        health: { path: "/up", startPeriodMs: 20_000, deadlineMs: 80_000 },
        instances: 2,
        needs: ["migrate"],
        routes: [{ host: null, path: "/", strip: false }],
        resources: { memoryBytes: 536_870_912, cpus: 0.5 },
      },
    });
    expect(services[1]!.spec).toMatchObject({
      kind: "worker",
      command: ["node", "worker.js"],
      stopGraceMs: 60_000,
      routes: [],
    });
    expect(accessories[0]!.spec).toMatchObject({
      image: "postgres:16",
      volumes: [{ source: "shop_pg", path: "/var/lib/postgresql/data", readOnly: false }],
    });
  });

  it("says what is otherwise", () => {
    expect(told(modelOf(shop, { volumes: { pg: null } }))).toEqual([
      "different services.web.ports[0]: requests come through Slipway's edge at /, no more by port 80",
      "different services.web.healthcheck: is asked GET /up from outside the container, the path that its healthcheck asks",
      "different services.migrate: runs once in each deployment, since web waits until it has ended well; when it fails, nothing is switched",
      "different services.db: is left running, since it is postgres, which keeps data; a change of it here is made only when you ask for it",
    ]);
  });

  it.each<[string, RawMap, string]>([
    ["a known database", { image: "bitnami/postgresql:16" }, "accessory"],
    ["a client of one", { image: "minio/mc", restart: "always" }, "worker"],
    ["an exporter of one", { image: "prom/postgres-exporter", ports: ["9187:9187"] }, "web"],
    ["what writes a volume", { image: "app", volumes: ["/data"] }, "accessory"],
    ["what only reads one", { image: "app", volumes: ["/srv/a:/a:ro"], expose: [80] }, "web"],
    [
      "what has a file laid in",
      { image: "nginx", volumes: ["/srv/nginx.conf:/etc/nginx/nginx.conf"], ports: ["80:80"] },
      "web",
    ],
    ["what is built and writes a volume", { build: ".", volumes: ["/data"], expose: [80] }, "web"],
    ["what x-slipway says", { image: "postgres", "x-slipway": { kind: "worker" } }, "worker"],
  ])("takes %s for what it is", (_, service, kind) => expect(kinds(modelOf({ one: service }))).toEqual({ one: kind }));

  it("stops first what cannot stand beside itself", () => {
    const reasons = (service: RawMap) => toServices(modelOf({ one: service })).services[0]!.stopFirst;
    expect(reasons({ build: ".", volumes: ["/srv/up:/up"], expose: [80] })).toBe("two at once would write to /srv/up");
    expect(reasons({ build: ".", ports: ["80:80", "9229:9229"] })).toBe("port 9229 of the host has room for one");
    expect(
      reasons({ build: ".", volumes: ["/srv/up:/up"], expose: [80], "x-slipway": { stopFirst: false } }),
    ).toBeNull();
  });

  it("routes by x-slipway, by 80 and 443, or where only one publishes; else ports stay", () => {
    const routes = (services: RawMap) =>
      toServices(modelOf(services)).services.map(({ spec }) => [
        spec.name,
        spec.routes.map(({ host, path }) => `${host ?? ""}${path}`).join(),
        spec.container.hostPorts.map(({ hostPort }) => hostPort).join(),
      ]);
    const [a, b] = [
      { image: "a", ports: ["3000:3000"] },
      { image: "b", ports: ["4000:4000"] },
    ];
    expect(routes({ a })).toEqual([["a", "/", ""]]);
    expect(routes({ a, b })).toEqual([
      ["a", "", "3000"],
      ["b", "", "4000"],
    ]);
    expect(routes({ a, b, c: { image: "c", ports: ["80:8080", "443:8443"] } })).toEqual([
      ["a", "", "3000"],
      ["b", "", "4000"],
      ["c", "/", ""],
    ]);
    expect(
      routes({
        a: { ...a, "x-slipway": { route: ["a.org", "a.org/api"] } },
        b: { ...b, "x-slipway": { route: "/b" } },
      }),
    ).toEqual([
      ["a", "a.org/,a.org/api", ""],
      ["b", "/b", ""],
    ]);
  });

  it("refuses a web service without a port, and a route to what does not listen", () => {
    const model = modelOf({
      a: { build: ".", restart: "always", "x-slipway": { kind: "web", health: "/up" } },
      b: { build: ".", restart: "always", "x-slipway": { route: "/b" } },
    });
    expect(told(model).filter((line) => line.startsWith("refused"))).toEqual([
      "refused services.a: no port is published or exposed for requests to go to; set x-slipway.port",
      "refused services.b.x-slipway.route: a route leads to a web service, and this is a worker; set x-slipway.kind",
    ]);
  });

  it("refuses what a target cannot carry out, unless it says it can; an accessory stays as it was made", () => {
    const model = modelOf({
      app: { image: "a", restart: "always", entrypoint: "/e", privileged: true, container_name: "app" },
      db: { image: "mysql", shm_size: "1g" },
    });
    const refused = (options = {}) => told(model, options).filter((line) => line.startsWith("refused"));
    expect(refused()).toEqual([
      "refused services.app.entrypoint: cannot be carried out; set it in the Dockerfile, or put it into command for an image without one",
      "refused services.app.privileged: cannot be carried out; a release may not have the whole host; name the capabilities in cap_add",
    ]);
    expect(refused({ carried: ["entrypoint", "privileged"] })).toEqual([]);
    expect(told(model)).toContain(
      "different services.db.shm_size: is left as docker compose has made it, since Slipway could not make it so",
    );
    expect(toServices(model).accessories[0]!.uncarried).toEqual(["shm_size"]);
  });
});
