import { connect } from "node:tls";
import { expect, test } from "vitest";
import { makeAuthority } from "../../../testing/conformance/edge/authority.ts";
import { startBackend } from "../../../testing/conformance/edge/backend.ts";
import { ask, within } from "../../../testing/conformance/edge/client.ts";
import { configOn, table, target } from "../../../testing/conformance/edge/tables.ts";
import { tlsConformance } from "../../../testing/conformance/edge/tls.ts";
import { askHttp2, askSecure, openHttp2 } from "../../../testing/conformance/edge/tls-client.ts";
import { freePort } from "../../../testing/ports.ts";
import { makeEmbeddedEdge } from "./made.fixture.ts";

tlsConformance("embedded", () => makeEmbeddedEdge());

test("a TLS session that began at one worker goes on at any other, also at one that came later", async () => {
  const authority = await makeAuthority();
  const made = await makeEmbeddedEdge({ workers: 3 });
  const port = await freePort();
  const files = await authority.issue("served", ["test.example"]);
  const tls = { certificates: [{ ...files, hosts: ["test.example"] }], acme: null, http2: false };
  const config = configOn(port, { listeners: [{ name: "web", host: "127.0.0.1", port, tls }] });
  const shake = (session?: Buffer): Promise<{ readonly session: Buffer; readonly reused: boolean }> =>
    new Promise((resolve, reject) => {
      const known = session === undefined ? {} : { session };
      const to = {
        port,
        host: "127.0.0.1",
        servername: "test.example",
        ca: authority.ca,
        maxVersion: "TLSv1.2" as const,
      };
      const socket = connect({ ...to, ...known }, () => {
        const begun = socket.getSession();
        const reused = socket.isSessionReused();
        socket.destroy();
        if (begun === undefined) reject(new Error("no session"));
        else resolve({ session: begun, reused });
      });
      socket.once("error", reject);
    });
  try {
    await made.edge.start(config);
    const { session } = await shake();
    for (let turn = 0; turn < 20; turn += 1) expect((await shake(session)).reused).toBe(true);
    await made.edge.start(config, { fresh: true });
    for (let turn = 0; turn < 10; turn += 1) expect((await shake(session)).reused).toBe(true);
  } finally {
    await made.dispose();
    await authority.dispose();
  }
});

test("a listener that changes between plain and TLS speaks as it is told; requests under way are not cut", async () => {
  const authority = await makeAuthority();
  const made = await makeEmbeddedEdge();
  const backend = await startBackend("a");
  const port = await freePort();
  const files = await authority.issue("served", ["test.example"]);
  const tls = { certificates: [{ ...files, hosts: ["test.example"] }], acme: null, http2: true };
  const secure = configOn(port, { listeners: [{ name: "web", host: "127.0.0.1", port, tls }] });
  try {
    await made.edge.start(secure);
    await made.edge.apply(table(1, [target(backend, 10_000)]));
    const session = await openHttp2(port, { ca: authority.ca });
    const slow = askHttp2(session, "/slow?ms=1500");
    await within(30_000, () => (backend.seen.get("GET /slow") === 1 ? true : null), "the request at the service");
    await made.edge.start(configOn(port));
    expect((await ask(port, "/")).body).toBe("a");
    expect((await slow).body).toBe("a");
    await made.edge.start(secure);
    expect((await askSecure(port, "/", { ca: authority.ca })).body).toBe("a");
  } finally {
    await made.dispose();
    await backend.close();
    await authority.dispose();
  }
});
