import { afterAll, beforeAll, expect, test } from "vitest";
import { makeAuthority, type TestAuthority } from "../../../testing/conformance/edge/authority.ts";
import { type Backend, startBackend } from "../../../testing/conformance/edge/backend.ts";
import { ask, within } from "../../../testing/conformance/edge/client.ts";
import { configOn, openPolicy, route, table, target } from "../../../testing/conformance/edge/tables.ts";
import { askSecure } from "../../../testing/conformance/edge/tls-client.ts";
import { freePort } from "../../../testing/ports.ts";
import { type Pebble, startPebble } from "../embedded/acme/pebble.fixture.ts";
import { type CaddyUnderTest, makeCaddyEdge } from "./made.fixture.ts";

let authority: TestAuthority;
let pebble: Pebble;
let made: CaddyUnderTest;
let a: Backend;
let plainPort = 0;
let port = 0;

beforeAll(async () => {
  authority = await makeAuthority();
  [plainPort, port] = [await freePort(), await freePort()];
  pebble = await startPebble(authority, { httpPort: plainPort });
  made = await makeCaddyEdge();
  a = await startBackend("a");
});
afterAll(async () => {
  await made.dispose();
  await pebble.dispose();
  await a.close();
  await authority.dispose();
});

const start = (hosts: readonly string[]): Promise<void> =>
  made.edge.start(
    configOn(plainPort, {
      listeners: [
        { name: "plain", host: "127.0.0.1", port: plainPort, tls: null },
        {
          name: "web",
          host: "127.0.0.1",
          port,
          tls: {
            certificates: [],
            acme: { hosts, email: null, directoryUrl: pebble.directoryUrl, caFile: authority.caFile },
            http2: true,
          },
        },
      ],
    }),
  );

test("a certificate is had from a real ACME server, past the redirect to https, and served", async () => {
  await start(["a.acme.example"]);
  const policy = { ...openPolicy, redirectToHttps: true };
  const routes = [route({ policy }), route({ listener: "plain", policy })];
  await made.edge.apply(table(1, [target(a, 10_000)], { routes }));
  const [status] = await within(
    30_000,
    async () => {
      const seen = await made.edge.certificates();
      return seen[0]?.trouble === null ? seen : null;
    },
    "the certificate",
  );
  expect(status).toMatchObject({ listener: "web", hosts: ["a.acme.example"] });
  expect(status?.issuer).toContain("Pebble");
  expect(status?.notAfter).toBeGreaterThan(Date.now());
  const answer = await askSecure(port, "/", { ca: await pebble.root(), host: "a.acme.example" });
  expect(answer.body).toBe("a");
  expect(answer.headers["alt-svc"]).toContain(`h3=":${port}"`);
  expect((await ask(plainPort, "/", { headers: { Host: "a.acme.example" } })).status).toBe(308);
});

test("a name that leads elsewhere is reported with what the ACME server said, and the others are served", async () => {
  await pebble.move("elsewhere.acme.example", "127.0.0.2");
  await start(["a.acme.example", "elsewhere.acme.example"]);
  const trouble = await within(
    30_000,
    async () => {
      const seen = await made.edge.certificates();
      const said = seen.find(({ hosts }) => hosts[0] === "elsewhere.acme.example");
      return said?.trouble?.includes("127.0.0.2") === true ? said : null;
    },
    "the trouble",
  );
  expect(trouble.notAfter).toBe(0);
  const answer = await askSecure(port, "/", { ca: await pebble.root(), host: "a.acme.example" });
  expect(answer.body).toBe("a");
});
