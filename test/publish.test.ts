import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Plane, startPlane, tearDown } from "./fixture/plane.ts";
import { logOf, makeRepository, phasesOf, type Repository, runToEnd, stepOf } from "./fixture/repository.ts";

type Packument = { name: string; "dist-tags": Record<string, string>; versions: Record<string, unknown> };

const token = "npm_s3cr3t-of-the-registry";
/** Package → what the registry has of it, as npm has put it there. */
const published = new Map<string, Packument>();
let registry: Server;
let repository: Repository;
let plane: Plane;

beforeAll(async () => {
  registry = createServer((request, response) => {
    const parts: Buffer[] = [];
    const name = decodeURIComponent((request.url ?? "").slice(1).split("?")[0] ?? "");
    const answer = (status: number, body: unknown): void => {
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    };
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      const known = published.get(name);
      if (request.method === "GET") return known === undefined ? answer(404, {}) : answer(200, known);
      if (request.headers.authorization !== `Bearer ${token}`) return answer(401, { error: "who are you?" });
      const put = JSON.parse(Buffer.concat(parts).toString()) as Packument;
      const [version = ""] = Object.keys(put.versions);
      if (Object.hasOwn(known?.versions ?? {}, version)) return answer(403, { error: "that is published" });
      published.set(name, {
        ...put,
        "dist-tags": { ...known?.["dist-tags"], ...put["dist-tags"] },
        versions: { ...known?.versions, ...put.versions },
      });
      return answer(201, {});
    });
  });
  await new Promise<void>((resolve) => registry.listen(0, "127.0.0.1", resolve));
  repository = await makeRepository();
  plane = await startPlane(repository);
  const body = {
    product: "probe",
    environment: "pipeline",
    name: "NPM_TOKEN",
    value: token,
    actor: "test",
    reason: "",
  };
  await plane.client.post("/v1/secrets", body);
});
afterAll(async () => {
  registry.close();
  await tearDown(repository, plane);
});

it("npm publishes each version once, on the branch that is named, and nothing that is not committed", async () => {
  const { port } = registry.address() as AddressInfo;
  const publish = {
    path: "cart",
    needs: ["unit"],
    when: { branch: ["main"] },
    secrets: ["NPM_TOKEN"],
    env: { npm_config_registry: `http://127.0.0.1:${port}/`, npm_config_fetch_retries: "0" },
  };
  const at = (version: string) =>
    repository.write(
      { steps: { unit: { shell: "true" }, publish } },
      {
        "cart/package.json": JSON.stringify({ name: "@acme/cart", version, license: "MIT" }),
        "cart/.npmrc": `//127.0.0.1:${port}/:_authToken=\${NPM_TOKEN}\n`,
      },
    );
  at("1.0.0");
  const elsewhere = await runToEnd(plane, repository, { branch: "feature/cart" });
  expect(stepOf(elsewhere, "publish")).toMatchObject({
    phase: "skipped",
    reason: "only on main; this is feature/cart",
  });
  expect(published.size).toBe(0);

  const first = await runToEnd(plane, repository);
  expect(phasesOf(first)).toEqual({ unit: "passed", publish: "passed" });
  const again = await runToEnd(plane, repository);
  expect(phasesOf(again)).toEqual({ unit: "passed", publish: "passed" });
  expect(await logOf(plane, again.id, "publish")).toBe("@acme/cart@1.0.0 is there already\n");

  at("1.1.0-beta.1");
  expect((await runToEnd(plane, repository)).phase).toBe("succeeded");
  const there = published.get("@acme/cart");
  expect(there?.["dist-tags"]).toEqual({ latest: "1.0.0", beta: "1.1.0-beta.1" });
  expect(Object.keys(there?.versions ?? {})).toEqual(["1.0.0", "1.1.0-beta.1"]);

  const dirty = await runToEnd(plane, repository, {}, { dirty: true });
  expect(stepOf(dirty, "publish")).toMatchObject({
    phase: "skipped",
    reason: "what is not committed is not published",
  });
});
