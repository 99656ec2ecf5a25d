import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, it } from "vitest";
import { environmentView } from "../../src/api/views.ts";
import { statusLines } from "../../src/cli/commands/status.ts";
import { environmentName } from "../../src/core/ids.ts";
import { CertificateWatch } from "../../src/engine/certificates/watch.ts";
import {
  type CertificateFiles,
  makeAuthority,
  type TestAuthority,
} from "../../src/testing/conformance/edge/authority.ts";
import { freePorts } from "../../src/testing/ports.ts";
import { Plane } from "./plane.fixture.ts";

const production = environmentName("production");
const shop = "shop.example";
const patient = { timeout: 60_000, interval: 50 };

let plane: Plane;
let pager: Server;
let authority: TestAuthority;
let files: CertificateFiles;
const told: string[] = [];
/** What the pager answers with. */
let answer = 200;

beforeAll(async () => {
  authority = await makeAuthority();
  files = await authority.issue("shop", [shop], { days: 90 });
  pager = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => {
      body += chunk.toString();
    });
    request.on("end", () => {
      if (answer === 200) told.push((JSON.parse(body) as { text: string }).text);
      response.writeHead(answer).end();
    });
  }).listen(0, "127.0.0.1");
  await once(pager, "listening");
  process.env.SLIPWAY_TEST_PAGER = `http://127.0.0.1:${(pager.address() as AddressInfo).port}/`;
  const [port] = await freePorts(1);
  const tls = {
    listen: `127.0.0.1:${port}`,
    acme: false as const,
    certificates: [{ cert: files.certFile, key: files.keyFile, hosts: [shop] }],
  };
  plane = await Plane.start({ environments: { production: { edge: { tls } }, plain: {} } });
  const release = await plane.version("v1", { notifiers: { pager: { urlFrom: "SLIPWAY_TEST_PAGER" } } });
  for (const environment of ["production", "plain"])
    expect((await plane.deploy(environment, release)).phase).toBe("succeeded");
});

afterAll(async () => {
  await plane?.close();
  pager?.close();
  await authority?.dispose();
});

/** The edge shows what the files say now. */
async function shows(which: { readonly days: number } | "nothing"): Promise<void> {
  if (which === "nothing") await writeFile(files.certFile, "broken");
  else await authority.issue("shop", [shop], which);
  const { edge } = plane.world.edges.all().find(({ place }) => place.driver === "embedded") ?? {};
  const days = async (): Promise<number | "nothing"> => {
    const [seen] = (await edge?.certificates()) ?? [];
    if (seen === undefined || /PEM|belong/.test(seen.trouble ?? "")) return "nothing";
    return Math.round((seen.notAfter - seen.notBefore) / 86_400_000);
  };
  await expect.poll(days, patient).toBe(which === "nothing" ? which : which.days);
}

const look = (): Promise<void> => new CertificateWatch(plane.world).look();

async function history(): Promise<string[]> {
  const rows = await plane.world.store.db
    .selectFrom("history")
    .selectAll()
    .where("event", "like", "certificate.%")
    .orderBy("id")
    .execute();
  for (const { environment } of rows) expect(environment).toBe("production");
  return rows.map(({ event, reason }) => `${event.slice("certificate.".length)}: ${reason}`);
}

async function status(environment = production): Promise<string[]> {
  const view = await environmentView(plane.world, { product: plane.product.name, name: environment }, []);
  return statusLines(view).filter((line) => line.includes("certificate"));
}

it("the end of a certificate is in the history before it comes, each turn once, in status, and with the notifiers", async () => {
  await look();
  expect([await history(), await status(), told]).toEqual([[], [], []]);

  await shows({ days: -1 });
  await look();
  const ended = expect.stringMatching(/^ended: shop\.example: ended 1 day ago .*expired.*; renew the files/);
  expect(await history()).toEqual([ended, expect.stringMatching(/^told: told pager: shop\.example: ended/)]);
  expect(await status()).toEqual([expect.stringContaining("certificate of shop.example: ended 1 day ago")]);
  expect(await status(environmentName("plain"))).toEqual([]);
  expect(told).toEqual([expect.stringMatching(/production: certificate of shop\.example fired[\s\S]*ended 1 day ago/)]);

  // The same again is not news, to another control plane either.
  await look();
  await plane.restart();
  await look();
  expect([(await history()).length, told.length]).toEqual([2, 1]);

  await shows({ days: 90 });
  await look();
  expect((await history()).slice(2)).toEqual([
    "well: shop.example: ends in 89 days; it is well again",
    expect.stringMatching(/^told: told pager: /),
  ]);
  expect(told.slice(1)).toEqual([expect.stringMatching(/certificate of shop\.example resolved/)]);
  expect(await status()).toEqual([]);
});

it("one that cannot be renewed is told when a second look sees it so, and again when who was to be told answers", async () => {
  const before = { lines: (await history()).length, told: told.length };
  const news = async () => (await history()).slice(before.lines);
  await shows("nothing");
  await look();
  expect(await status()).toEqual([expect.stringMatching(/shop\.example: ends in 89 days \(.*PEM/)]);
  expect(await news()).toEqual([]);
  answer = 400;
  await look();
  const failing = expect.stringMatching(/^failing: shop\.example: ends in 89 days \(.*PEM.*; renew the files/);
  expect([await news(), told.length]).toEqual([[failing], before.told]);
  answer = 200;
  await look();
  expect(await news()).toEqual([failing, expect.stringMatching(/^told: told pager: /)]);
  expect(told.slice(before.told)).toEqual([expect.stringContaining("certificate of shop.example fired")]);
});

it("with its time each turn for the worse is told, though nothing else has changed", async () => {
  const before = (await history()).length;
  const inDays = async (days: number): Promise<void> => {
    const clock = { ...plane.world.clock, now: () => Date.now() + days * 86_400_000 };
    await new CertificateWatch({ ...plane.world, clock }).look();
  };
  await inDays(74);
  expect(await history()).toHaveLength(before);
  await inDays(80);
  await inDays(91);
  expect((await history()).slice(before).filter((line) => !line.startsWith("told"))).toEqual([
    expect.stringMatching(/^ending: shop\.example: ends in 9 days/),
    expect.stringMatching(/^ended: shop\.example: ended 1 day ago/),
  ]);
  expect(told.slice(-2)).toEqual([expect.stringContaining("\u26a0 *"), expect.stringContaining("\u{1f534} *")]);
});
