import { describe, expect, it } from "vitest";
import type { ComposeFiles } from "../compose/assemble.ts";
import { readModel } from "../compose/read.ts";
import type { Raw } from "../compose/tree.ts";
import { environmentName } from "../ids.ts";
import { previewSpec } from "../previews/spec.ts";
import type { ComposeReader } from "./composed.ts";
import type { ProductInput } from "./input.ts";
import { resolveEnvironment } from "./resolve.ts";
import { validateProduct } from "./validate.ts";

const shop: Raw = {
  services: {
    web: {
      build: ".",
      ports: ["80:3000"],
      environment: { LOG: "info", URL: "pg://$PW@db" },
      command: ["serve", "--token", "$PW"],
      depends_on: ["db"],
    },
    worker: { build: ".", restart: "always", working_dir: "/srv" },
    db: { image: "postgres:16", volumes: ["pg:/data"], networks: { default: { aliases: ["database"] } } },
  },
  volumes: { pg: {}, old: { external: true, name: "legacy" } },
};

function readerOf(value: Raw, outside: ReturnType<ComposeReader>["outside"] = []): ComposeReader {
  const files: ComposeFiles = { yaml: () => [{ value, replaced: [] }], text: () => null };
  return ({ project }, product) => ({
    ...readModel(
      {
        paths: ["/shop/compose.yaml"],
        directory: "/shop",
        name: project ?? null,
        fallbackName: product,
        profiles: [],
        variables: { PW: "hunter2" },
        home: null,
      },
      files,
    ),
    file: "compose.yaml",
    root: "/shop",
    outside,
    isPrivate: (text) => text.includes("hunter2"),
    seal: (text) => `sealed ${text.length}`,
  });
}

const product = (more: Partial<ProductInput> = {}): ProductInput => ({
  name: "shop",
  target: { driver: "compose" },
  environments: { production: {} },
  ...more,
});

function specOf(more: Partial<ProductInput> = {}, value: Raw = shop) {
  const { config, problems } = validateProduct(product(more), { readCompose: readerOf(value) });
  expect(problems).toEqual([]);
  return resolveEnvironment(config!, "production");
}

const problemsOf = (more: Partial<ProductInput>, value: Raw = shop) =>
  validateProduct(product(more), { readCompose: readerOf(value) }).problems.map(
    ({ path, message }) => `${path}: ${message}`,
  );

describe("a product whose services come from a Compose file", () => {
  it("needs no more than its name and its target", () => {
    const spec = specOf();
    expect(Object.keys(spec.services)).toEqual(["web", "worker"]);
    expect(spec.target.driver).toBe("docker");
    expect(spec.accessories.db).toMatchObject({
      image: "postgres:16",
      volumes: [{ source: "shop_pg", composed: { key: "pg" }, path: "/data" }],
      composed: { service: "db", aliases: ["db", "database"], networks: [{ name: "shop_default", key: "default" }] },
    });
    expect(spec.compose?.project).toBe("shop");
  });

  it("has what the config says over what the file says, key by key", () => {
    const spec = specOf({
      services: {
        web: { instances: 3, routes: "shop.example.org", env: { LOG: "debug" }, health: { deadline: "9m" } },
      },
      accessories: { db: { memory: "1GB" } },
      environments: { production: { services: { web: { resources: { cpu: 2 } }, worker: null } } },
    });
    expect(spec.services).not.toHaveProperty("worker");
    expect(Object.values(spec.services)[0]).toMatchObject({
      instances: 3,
      routes: [{ host: "shop.example.org" }],
      env: { LOG: "debug", URL: expect.stringContaining("sealed") },
      health: { deadlineMs: 540_000, path: "/" },
      container: { port: 3000 },
      resources: { cpus: 2, memoryBytes: null },
    });
    expect(spec.accessories.db).toMatchObject({ image: "postgres:16", resources: { memoryBytes: 1e9 } });
  });

  it("keeps what is not in git sealed, wherever it was put", () => {
    expect(JSON.stringify(specOf())).not.toContain("hunter2");
    expect(Object.values(specOf().services)[0]!.command).toEqual(["serve", "--token", "sealed 7"]);
  });

  it("may have a service of its own beside those of the file", () => {
    const spec = specOf({ services: { cron: { kind: "worker", image: "cron:1" } } });
    expect(Object.values(spec.services).find(({ name }) => name === "cron")?.composed?.networks).toEqual([
      { name: "shop_default", key: "default", internal: false },
    ]);
  });

  it("tells what is wrong with the file, what cannot be deployed, and what the config says of nothing", () => {
    expect(problemsOf({}, { services: { web: { image: 5 } } })).toEqual([
      expect.stringMatching(/^compose\.yaml services\.web\.image: 5 does not fit here/),
      "compose.yaml services.web: it has neither an image nor a build",
    ]);
    expect(problemsOf({}, { services: { web: { image: "a", ports: ["80:80"], privileged: true } } })).toEqual([
      expect.stringMatching(/^compose\.yaml services\.web\.privileged: cannot be carried out/),
    ]);
    expect(problemsOf({ services: { wbe: { instances: 2 }, db: { instances: 2 } } })).toEqual([
      'services.wbe: the Compose file has no service "wbe"; did you mean "web"?, or give it a kind',
      "services.db: db is an accessory by the Compose file; describe it in accessories, or set its x-slipway.kind there",
    ]);
  });

  it("keeps two environments on one engine apart, and lets none be built otherwise", () => {
    const both = { staging: { edge: { listen: ":81" } }, production: {} } as const;
    expect(problemsOf({ environments: both })).toEqual([
      expect.stringContaining("production and staging are both the Compose project shop on local"),
    ]);
    const apart = { ...both, staging: { ...both.staging, target: { project: "shop-staging" } } };
    expect(problemsOf({ environments: apart })).toEqual([]);
  });

  it("is not read where the target is another one, and its keys are refused there", () => {
    const target = { driver: "docker", file: "compose.yaml" } as const;
    expect(problemsOf({ target, services: { web: {} } })).toEqual([
      "target.file: is for a Compose file; set target.driver to compose, or leave it out",
      "services.web.kind: missing; use one of web, worker, job, static",
    ]);
  });

  it("refuses an accessory that would lose a service with every release", () => {
    const value: Raw = {
      services: { app: { build: ".", expose: [80] }, redis: { image: "redis", depends_on: ["app"] } },
    };
    expect(problemsOf({}, value)).toEqual([
      expect.stringMatching(
        /^compose\.yaml services\.redis\.depends_on\.app: redis is left running through all releases of app/,
      ),
    ]);
  });
});

describe("previews of a Compose file", () => {
  const environments = {
    production: {},
    preview: { edge: { listen: ":8081" }, previews: { host: "{name}.preview.example.org" } },
  } as const;
  const pr12 = environmentName("preview/pr-12");

  it("are projects of their own, with networks and volumes of their own whatever the file calls them", () => {
    const named: Raw = {
      ...shop,
      volumes: { pg: { name: "everybodys" } },
      networks: { default: { name: "everybodys" } },
    };
    for (const value of [shop, named]) {
      const { config, problems } = validateProduct(product({ environments }), { readCompose: readerOf(value) });
      expect(problems).toEqual([]);
      const spec = previewSpec(resolveEnvironment(config!, "preview"), pr12);
      // No project of docker compose can be called that.
      expect(spec.compose?.project).toBe("shop.preview.pr-12");
      expect(spec.accessories.db).toMatchObject({
        volumes: [{ source: "shop.preview.pr-12_pg", composed: { key: "pg" } }],
        composed: { networks: [{ name: "shop.preview.pr-12_default", key: "default" }] },
      });
      expect(Object.values(spec.services).map(({ composed, routes }) => [composed?.networks, routes])).toEqual([
        [
          [{ name: "shop.preview.pr-12_default", key: "default", internal: false }],
          [{ host: "pr-12.preview.example.org", path: "/", strip: false }],
        ],
        [[{ name: "shop.preview.pr-12_default", key: "default", internal: false }], []],
      ]);
    }
  });

  it("have nothing that all would share, and the file may stay as it is", () => {
    const db = { image: "postgres:16", ports: ["5432:5432"], networks: ["lan"] };
    const value: Raw = {
      services: {
        web: { build: ".", ports: ["80:3000"], networks: ["default", "lan"], depends_on: ["db", "files", "config"] },
        db: { ...db, volumes: ["old:/data"] },
        files: { image: "minio", volumes: ["old:/data:ro"] },
        config: { image: "redis", volumes: ["./redis.conf:/data"] },
      },
      volumes: { old: { external: true, name: "legacy" } },
      networks: { lan: { external: true, name: "office" } },
    };
    expect(problemsOf({ environments }, value).map((line) => line.replace(/^compose\.yaml /, ""))).toEqual([
      "environments.preview.accessories.db.hostPorts: every preview would want port 5432 of the host; set it to [] here",
      "environments.preview.accessories.db.volumes: every preview would write to legacy; use a volume that is not external, or :ro",
      "target.file: in office, which is external, db of every preview would be called the same",
      "environments.preview.accessories.config: only docker compose can make config (volumes redis.conf:/data), and nothing of a preview is its; leave it out here",
      "target.file: web of every preview is in office, and reaches who else is in there",
    ]);
    const preview = { ...environments.preview, accessories: { db: { hostPorts: [] }, config: null } };
    const said = problemsOf({ environments: { ...environments, preview } }, value);
    expect(said.filter((line) => line.includes("hostPorts") || line.includes("config"))).toEqual([]);
  });

  it("are told of, where they are given what is not in git and production's", () => {
    const readCompose = readerOf(shop, [{ path: ".env", mark: "" }]);
    const { problems } = validateProduct(product({ environments }), { readCompose });
    expect(problems.map(({ severity, message }) => `${severity}: ${message}`)).toEqual([
      "warning: previews are given what production is given in .env; name another one in environments.preview.target",
    ]);
  });
});
