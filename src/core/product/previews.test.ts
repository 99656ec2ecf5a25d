import { expect, test } from "vitest";
import { environmentName } from "../ids.ts";
import { previewSpec, previewUrl, secretsPlace } from "../previews/spec.ts";
import { resolveEnvironment } from "./resolve.ts";
import { validateProduct } from "./validate.ts";

const web = { kind: "web", command: ["node", "x"], routes: ["shop.example.org"] } as const;
const shop = (preview: object, more: object = {}) => ({
  name: "shop",
  services: { web },
  environments: {
    production: { edge: { listen: ":8080" } },
    preview: { edge: { listen: ":8081" }, previews: { host: "{name}.preview.example.org" }, ...preview },
  },
  ...more,
});
const said = (product: object) => validateProduct(product).problems.map(({ path, message }) => `${path}: ${message}`);

test("a template answers for each of its previews at that one's own host, and nowhere else", () => {
  const { config, problems } = validateProduct(shop({}));
  expect(problems).toEqual([]);
  const product = config!;
  const template = resolveEnvironment(product, "preview");
  const spec = previewSpec(template, environmentName("preview/pr-12"));
  expect(Object.values(spec.services).flatMap(({ routes }) => routes)).toEqual([
    { host: "pr-12.preview.example.org", path: "/", strip: false },
  ]);
  expect(spec).toMatchObject({ environment: "preview/pr-12", promoteFrom: null });
  expect([secretsPlace(spec), secretsPlace(template)]).toEqual(["preview", "preview"]);
  expect(previewUrl(spec, "pr-12.preview.example.org")).toBe("http://pr-12.preview.example.org:8081/");
  expect(secretsPlace(resolveEnvironment(product, "production"))).toBe("production");
});

test("what all previews would share is refused", () => {
  const docker = {
    target: { driver: "docker" },
    accessories: { db: { volumes: ["/srv/db:/data"], hostPorts: ["5432:5432"] } },
  };
  const accessories = { db: { image: "postgres:16", port: 5432 } };
  expect(said(shop(docker, { accessories, target: { driver: "docker" } }))).toEqual([
    "environments.preview.accessories.db.hostPorts: every preview would want port 5432 of the host; leave it out here",
    "environments.preview.accessories.db.volumes: every preview would write to /srv/db; use a volume by name, or :ro",
  ]);
  const api = { ...web, routes: ["api.example.org"] };
  expect(said(shop({}, { services: { web, api } }))).toEqual([
    "services.api.routes: {name}.preview.example.org is already answered by web; give one of them another route",
  ]);
});

test("no branch can be called so that it takes a host or a name that is somebody else's", () => {
  const own = { previews: { host: "{name}.example.org" } };
  expect(said(shop(own))).toEqual([
    "environments.preview.previews.host: shop.example.org of production could be a preview's too; give previews a domain of their own, such as {name}.preview.example.org",
  ]);
  expect(said(shop({ previews: { host: "preview-{name}.example.org" } }))).toEqual([]);
  expect(said(shop({ previews: { host: "www.example.org" } }))[0]).toContain(
    '"www.example.org" is no host of previews',
  );
  const environments = { ...shop({}).environments, "preview/main": { edge: { listen: ":8083" } } };
  expect(said({ ...shop({}), environments })[0]).toContain("preview makes the environments of this name");
});

test("only branches and pull requests have previews, and nothing is promoted to or from one", () => {
  const triggers = {
    branches: { "*": { deploy: "preview" } },
    tags: { "v*": { deploy: "preview" } },
    pullRequests: { deploy: "production" },
    poll: "1m",
  };
  expect(said(shop({ promoteFrom: "production" }, { triggers }))).toEqual([
    "environments.preview.promoteFrom: a preview has what its branch has; nothing is promoted to it",
    'triggers.tags["v*"].deploy: preview is a template of previews; only branches and pull requests have one each',
    "triggers.pullRequests.deploy: production is one place for all; give it previews, or name a template",
    'triggers.branches["*"].deploy: preview takes only what has succeeded in production; deploy there, and promote',
    'triggers.tags["v*"].deploy: preview takes only what has succeeded in production; deploy there, and promote',
  ]);
});
