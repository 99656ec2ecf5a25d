import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import type { DeploymentDetail, ErrorBody } from "../../src/api/contract.ts";
import type { RouteTable } from "../../src/ports/edge.ts";
import { startEngine, type TestEngine } from "../../src/testing/hosts/engine.ts";
import { nodeImage } from "../../src/testing/hosts/node-image.ts";
import { freePorts } from "../../src/testing/ports.ts";
import { imageIdsOf } from "./engine.fixture.ts";
import { ContainerProduct, web } from "./product.fixture.ts";
import { deploy, expectAtRest, type Scene, underLoad } from "./story.fixture.ts";

vi.setConfig({ testTimeout: 600_000, hookTimeout: 600_000 });

const directory = mkdtempSync(join(tmpdir(), "slipway-tcp-"));
const file = (name: string): string => join(directory, name);
const openssl = (...args: string[]): void => void execFileSync("openssl", args, { stdio: "pipe" });
const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];

function authority(name: string): string {
  openssl(
    "req",
    "-x509",
    ...newKey,
    "-days",
    "2",
    "-subj",
    `/CN=${name}`,
    "-keyout",
    file(`${name}.key`),
    "-out",
    file(name),
  );
  return name;
}

/** The three files of one side: what it believes, and what it shows. */
function signed(by: string, name: string) {
  openssl(
    "req",
    "-new",
    ...newKey,
    "-subj",
    `/CN=${name}`,
    "-keyout",
    file(`${name}.key`),
    "-out",
    file(`${name}.csr`),
  );
  writeFileSync(file(`${name}.ext`), "subjectAltName=IP:127.0.0.1\n");
  const signer = ["-CA", file(by), "-CAkey", file(`${by}.key`), "-CAcreateserial", "-extfile", file(`${name}.ext`)];
  openssl("x509", "-req", "-in", file(`${name}.csr`), ...signer, "-days", "2", "-out", file(name));
  return { ca: file(by), cert: file(name), key: file(`${name}.key`) };
}

let engine: TestEngine;
let scene: Scene;
let url: string;
let stranger: ReturnType<typeof signed>;

beforeAll(async () => {
  const [ours, theirs] = [authority("ours"), authority("theirs")];
  const [server, client] = [signed(ours, "server"), signed(ours, "client")];
  stranger = { ...signed(theirs, "stranger"), ca: file(ours) };
  const [port = 0, edge = 0] = await freePorts(2);
  url = `tcp://127.0.0.1:${port}`;
  const hosts = ["unix:///run/docker.sock", url];
  const tls = { tlsverify: true, tlscacert: server.ca, tlscert: server.cert, tlskey: server.key };
  engine = await startEngine({ daemon: { hosts, ...tls } });
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
  rmSync(directory, { recursive: true });
});

it("an engine that listens by tcp with TLS is deployed to under load, and nobody is lost", async () => {
  const first = await deploy(scene, "v1");
  expect(first.deployment.phase, first.deployment.reason).toBe("succeeded");
  const { value, versions } = await underLoad(scene, () => deploy(scene, "v2"));
  expect(value.deployment.phase, value.deployment.reason).toBe("succeeded");
  expect([...versions.keys()].toSorted()).toEqual(["v1", "v2"]);
  await expectAtRest(scene, "v2");
});

it.each([
  [
    "a certificate that it does not believe",
    () => ({ url, tls: stranger }),
    /does not accept our certificate/,
    /tls\.cert/,
  ],
  ["no TLS at all", () => ({ url }), /speaks TLS there/, /tls/],
] as const)("asked with %s, it is denied in words", async (_, host, says, hint) => {
  scene.product.commit("v3", "good", { target: { driver: "docker", hosts: [host()] } });
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
