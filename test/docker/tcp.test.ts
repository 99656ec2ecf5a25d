import { readFileSync } from "node:fs";
import { copyFile } from "node:fs/promises";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import type { DeploymentDetail, ErrorBody } from "../../src/api/contract.ts";
import type { RouteTable } from "../../src/ports/edge.ts";
import { makeAuthority, type TestAuthority } from "../../src/testing/conformance/edge/authority.ts";
import { startEngine, type TestEngine } from "../../src/testing/hosts/engine.ts";
import { nodeImage } from "../../src/testing/hosts/node-image.ts";
import { freePorts } from "../../src/testing/ports.ts";
import { imageIdsOf } from "./engine.fixture.ts";
import { ContainerProduct, web } from "./product.fixture.ts";
import { deploy, expectAtRest, type Scene, underLoad } from "./story.fixture.ts";

vi.setConfig({ testTimeout: 600_000, hookTimeout: 600_000 });

/** The three files of one side: what it believes, and what it shows. */
type Files = { readonly ca: string; readonly cert: string; readonly key: string };

async function signed(authority: TestAuthority, name: string): Promise<Files> {
  const { certFile, keyFile } = await authority.issue(name, ["127.0.0.1"]);
  return { ca: authority.caFile, cert: certFile, key: keyFile };
}

const both = async (authority: TestAuthority) => ({
  server: await signed(authority, "server"),
  client: await signed(authority, "client"),
});

let authorities: readonly TestAuthority[] = [];
let engine: TestEngine;
let scene: Scene;
let url: string;
let stranger: Files;
/** What the engine and we are given, and what takes their places. */
let given: { readonly server: Files; readonly client: Files };
let renewed: typeof given;

beforeAll(async () => {
  const [ours, theirs, next] = [
    await makeAuthority("ours"),
    await makeAuthority("theirs"),
    await makeAuthority("next"),
  ];
  authorities = [ours, theirs, next];
  given = await both(ours);
  renewed = await both(next);
  const { server, client } = given;
  stranger = { ...(await signed(theirs, "stranger")), ca: ours.caFile };
  const [port = 0, edge = 0] = await freePorts(2);
  url = `tcp://127.0.0.1:${port}`;
  const hosts = ["unix:///run/docker.sock", url];
  const tls = { tlsverify: true, tlscacert: server.ca, tlscert: server.cert, tlskey: server.key };
  engine = await startEngine({ liveRestore: true, daemon: { hosts, ...tls } });
  await nodeImage(engine);
  const product = new ContainerProduct({
    services: { web },
    target: { driver: "docker", hosts: [{ url, tls: client }] },
    rollout: { bake: "500ms", drain: "2s" },
    environments: { production: { edge: { listen: `127.0.0.1:${edge}` } } },
  });
  scene = {
    product,
    engines: [engine],
    production: { host: "127.0.0.1", port: edge },
    visits: { path: "/hello" },
    table: async () =>
      (JSON.parse(readFileSync(product.state("edge", "edge.json"), "utf8")) as { table: RouteTable }).table,
    images: new Set(await imageIdsOf(engine)),
    bad: new Set(),
  };
});

afterAll(async () => {
  await scene?.product.slipway("down", "--all");
  scene?.product.remove();
  await engine?.down();
  for (const authority of authorities) await authority.dispose();
});

it("an engine that listens by tcp with TLS is deployed to under load, and nobody is lost", async () => {
  const first = await deploy(scene, "v1");
  expect(first.deployment.phase, first.deployment.reason).toBe("succeeded");
  const { value, versions } = await underLoad(scene, () => deploy(scene, "v2"));
  expect(value.deployment.phase, value.deployment.reason).toBe("succeeded");
  expect([...versions.keys()].toSorted()).toEqual(["v1", "v2"]);
  await expectAtRest(scene, "v2");
});

it("when the files of both sides are replaced, by those of another authority, the control plane that runs finds the engine", async () => {
  const before = scene.product.controlPlane();
  for (const side of ["server", "client"] as const)
    for (const name of ["ca", "cert", "key"] as const) await copyFile(renewed[side][name], given[side][name]);
  // An engine reads its own at its start.
  await engine.restartEngine();
  const third = await deploy(scene, "v3");
  expect(third.deployment.phase, third.deployment.reason).toBe("succeeded");
  expect(scene.product.controlPlane()).toBe(before);
  const { result } = await scene.product.slipway<{ checks: readonly { name: string; ok: boolean }[] }>("doctor");
  expect(result.checks).toContainEqual(expect.objectContaining({ name: "host 127.0.0.1", ok: true }));
  await expectAtRest(scene, "v3");
});

it.each([
  [
    "a certificate that it does not believe",
    () => ({ url, tls: stranger }),
    /does not accept our certificate/,
    /tls\.cert/,
  ],
  [
    "no certificate",
    () => ({ url, tls: { ca: given.client.ca } }),
    /wants a certificate of ours|does not accept our certificate/,
    /tls\.cert/,
  ],
  ["no TLS at all", () => ({ url }), /speaks TLS there/, /tls/],
] as const)("asked with %s, it is denied in words", async (_, host, says, hint) => {
  scene.product.commit("v4", "good", { target: { driver: "docker", hosts: [host()] } });
  const { code, result, text } = await scene.product.slipway<DeploymentDetail & ErrorBody>(
    "deploy",
    "--env",
    "production",
    "--yes",
  );
  expect(code, text).not.toBe(0);
  const failure = result.failure ?? result.error;
  expect([failure?.code, failure?.message, failure?.hint], text).toEqual([
    "HOST_DENIED",
    expect.stringMatching(says),
    expect.stringMatching(hint),
  ]);
});
