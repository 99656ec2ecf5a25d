import { copyFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { connect } from "node:tls";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { EdgeConfig, EdgeTarget, TlsConfig } from "../../../ports/edge.ts";
import { freePort } from "../../ports.ts";
import type { EdgeUnderTest } from "../edge.ts";
import { type CertificateFiles, makeAuthority, type TestAuthority } from "./authority.ts";
import { type Backend, startBackend } from "./backend.ts";
import { ask, startLoad, webSocketHead, within } from "./client.ts";
import { configOn, openPolicy, route, table, target } from "./tables.ts";
import { askHttp2, askSecure, handshake, openHttp2, startHttp2Load } from "./tls-client.ts";

/** What every edge that speaks TLS must do: `tlsConformance("caddy", makeEdge)`. */
export function tlsConformance(name: string, makeEdge: () => Promise<EdgeUnderTest>): void {
  describe(`TLS at an edge: ${name}`, () => {
    let authority: TestAuthority;
    let made: EdgeUnderTest;
    let a: Backend;
    let b: Backend;
    let door = { host: "127.0.0.1", port: 0 };
    let plainDoor = door;
    let generation = 0;

    beforeAll(async () => {
      authority = await makeAuthority();
    });
    afterAll(() => authority.dispose());
    beforeEach(async () => {
      made = await makeEdge();
      a = await startBackend("a", made.elsewhere?.services);
      b = await startBackend("b", made.elsewhere?.services);
      const host = made.elsewhere?.address ?? "127.0.0.1";
      door = { host, port: await freePort() };
      plainDoor = { host, port: await freePort() };
      generation = 0;
    });
    afterEach(async () => {
      await made.dispose();
      await a.close();
      await b.close();
    });

    const secure = (certificates: TlsConfig["certificates"], changes: Partial<TlsConfig> = {}): EdgeConfig =>
      configOn(plainDoor, {
        listeners: [
          { name: "plain", ...plainDoor, tls: null },
          { name: "web", ...door, tls: { certificates, acme: null, http2: true, ...changes } },
        ],
      });
    const apply = async (targets: readonly EdgeTarget[], policy = openPolicy): Promise<void> => {
      generation += 1;
      const routes = [route({ policy }), route({ listener: "plain", policy })];
      await made.edge.apply(table(generation, targets, { routes }));
    };
    const carry = async (...files: string[]): Promise<void> => {
      for (const file of files) await made.elsewhere?.carry(file);
    };
    const issue: TestAuthority["issue"] = async (...words) => {
      const files = await authority.issue(...words);
      await carry(files.certFile, files.keyFile);
      return files;
    };
    const pair = (files: CertificateFiles, ...hosts: string[]) => ({ ...files, hosts });
    const serveTest = async (changes: Partial<TlsConfig> = {}): Promise<CertificateFiles> => {
      const files = await issue("served", ["test.example"]);
      await made.edge.start(secure([pair(files, "test.example")], changes));
      await apply([target(a, 10_000)]);
      return files;
    };

    test("the certificate is the host's own, else its wildcard's, else the first", async () => {
      await made.edge.start(
        secure([
          pair(await issue("first", ["first.example"]), "first.example"),
          pair(await issue("wild", ["*.wild.example"]), "*.wild.example"),
          pair(await issue("own", ["own.wild.example"]), "own.wild.example"),
        ]),
      );
      const namesFor = async (host?: string): Promise<string> =>
        (await handshake(door, host === undefined ? {} : { host })).names;
      expect(await namesFor("first.example")).toBe("DNS:first.example");
      expect(await namesFor("own.wild.example")).toBe("DNS:own.wild.example");
      expect(await namesFor("OWN.wild.example")).toBe("DNS:own.wild.example");
      expect(await namesFor("other.wild.example")).toBe("DNS:*.wild.example");
      expect(await namesFor("two.deep.wild.example")).toBe("DNS:first.example");
      expect(await namesFor("unknown.example")).toBe("DNS:first.example");
      expect(await namesFor()).toBe("DNS:first.example");
    });

    test("HTTP/1.1 and HTTP/2 are served side by side, and what is older than TLS 1.2 is not", async () => {
      await serveTest();
      const { ca } = authority;
      expect((await askSecure(door, "/x", { ca })).body).toBe("a");
      const session = await openHttp2(door, { ca });
      const answer = await askHttp2(session, "/y?z=1", { method: "POST", body: "hello", headers: { "x-a": "b" } });
      session.close();
      expect([answer.status, answer.body, answer.headers["x-backend"]]).toEqual([200, "a", "a"]);
      expect(a.heads.at(-1)).toMatchObject({
        url: "/y?z=1",
        headers: { host: "test.example", "x-a": "b", "x-forwarded-proto": "https", "x-forwarded-host": "test.example" },
      });
      const agreed = async (...protocols: string[]): Promise<string | null> =>
        (await handshake(door, { protocols })).alpn;
      expect(await agreed("h2", "http/1.1")).toBe("h2");
      expect(await agreed("http/1.1")).toBe("http/1.1");
      expect((await handshake(door, {})).alpn).toBeNull();
      expect((await handshake(door, { maxVersion: "TLSv1.2" })).protocol).toBe("TLSv1.2");
      await expect(handshake(door, { maxVersion: "TLSv1.1" })).rejects.toThrow();
    });

    test("without HTTP/2 a client that prefers it is served in HTTP/1.1", async () => {
      await serveTest({ http2: false });
      expect((await handshake(door, { protocols: ["h2", "http/1.1"] })).alpn).toBe("http/1.1");
      expect((await askSecure(door, "/", { ca: authority.ca })).body).toBe("a");
    });

    test("a WebSocket runs over TLS", async () => {
      await serveTest();
      const socket = connect({ ...door, ca: authority.ca, servername: "test.example" });
      let received = "";
      socket.setEncoding("latin1").on("data", (text) => {
        received += text;
      });
      socket.write(webSocketHead());
      await within(30_000, () => (received.includes("101 Switching Protocols") ? true : null), "the handshake");
      socket.write("over TLS");
      await within(30_000, () => (received.endsWith("over TLS") ? true : null), "the echo");
      socket.destroy();
    });

    test("20 switches under load in HTTP/2 fail no request", async () => {
      await serveTest();
      const load = startHttp2Load(door, { ca: authority.ca }, 4, ["/", "/slow?ms=20", "/x", "/y"]);
      for (let swap = 0; swap < 20; swap += 1) {
        await load.more(40);
        await apply(swap % 2 === 0 ? [target(b, 10_000), target(a, 0)] : [target(a, 10_000), target(b, 0)]);
      }
      await load.more(40);
      const { answers, failures } = await load.stop();
      expect(failures).toEqual([]);
      expect(answers.get("a")).toBeGreaterThan(100);
      expect(answers.get("b")).toBeGreaterThan(100);
    });

    test("a renewed file is served to new connections, and no connection is dropped", async () => {
      await serveTest();
      const { ca } = authority;
      const resets = made.edge.can.resetsOnReconfigure === true;
      const before = await handshake(door, { host: "test.example" });
      const kept = await openHttp2(door, { ca });
      const load = startHttp2Load(door, { ca }, 2, ["/", "/slow?ms=5"]);
      await load.more(20);
      await issue("served", ["test.example"]);
      await within(
        10_000,
        async () => {
          const seen = await handshake(door, { host: "test.example" }).catch((error: unknown) => {
            if (resets) return before;
            throw error;
          });
          return seen.serial === before.serial ? null : true;
        },
        "the new certificate",
      );
      await load.more(20);
      const { failures } = await load.stop();
      expect(failures.filter((failure) => !(resets && /socket hang up|ECONNRESET/.test(failure)))).toEqual([]);
      if (!resets) expect((await askHttp2(kept, "/")).body).toBe("a");
      kept.close();
      await within(
        10_000,
        async () => ((await made.edge.certificates()).every(({ trouble }) => trouble === null) ? true : null),
        "no trouble",
      );
    });

    test("files that cannot be served leave the certificate that was read before in use, and are reported", async () => {
      const { certFile } = await serveTest();
      const good = await handshake(door, { host: "test.example" });
      await copyFile(certFile, `${certFile}.good`);
      await writeFile(certFile, "-----BEGIN CERTIFICATE-----\nbroken\n-----END CERTIFICATE-----\n");
      await carry(certFile);
      const [status] = await within(
        10_000,
        async () => {
          const seen = await made.edge.certificates();
          return seen[0]?.trouble == null ? null : seen;
        },
        "the trouble",
      );
      expect(status?.notAfter).toBeGreaterThan(Date.now());
      expect((await handshake(door, { host: "test.example" })).serial).toBe(good.serial);
      await rm(certFile);
      await carry(certFile);
      await copyFile(`${certFile}.good`, certFile);
      await carry(certFile);
      await within(
        10_000,
        async () => ((await made.edge.certificates())[0]?.trouble === null ? true : null),
        "no trouble any more",
      );
    });

    test("certificates say who signed them and when they end; one that has ended and one that is missing say so", async () => {
      const ended = await issue("ended", ["ended.example"], { days: -1 });
      const missing = join(authority.directory, "missing.pem");
      await made.edge.start(
        secure([
          pair(await issue("good", ["good.example"]), "good.example"),
          pair(ended, "ended.example"),
          { hosts: ["missing.example"], certFile: missing, keyFile: missing },
          pair(await issue("other", ["other.example"]), "unnamed.example"),
        ]),
      );
      const [good, old, absent, unnamed] = await made.edge.certificates();
      expect(good).toMatchObject({
        listener: "web",
        hosts: ["good.example"],
        issuer: "Slipway Test CA",
        trouble: null,
      });
      expect(good?.notAfter).toBeGreaterThan(Date.now() + 3_600_000);
      expect((good?.notAfter ?? 0) - (good?.notBefore ?? 0)).toBe(86_400_000);
      expect(old?.notAfter).toBeLessThan(Date.now());
      expect(old?.trouble).toMatch(/expired/);
      expect(absent).toMatchObject({ hosts: ["missing.example"], notBefore: 0, notAfter: 0, issuer: "" });
      expect(absent?.trouble).toContain("missing.pem");
      expect(unnamed?.trouble).toContain("unnamed.example");
    });

    test("plain HTTP is sent to the listener with TLS, and only there HSTS is said", async () => {
      const files = await issue("served", ["test.example"]);
      await made.edge.start(secure([pair(files, "test.example")]));
      const headers = { "Strict-Transport-Security": "max-age=31536000", "X-Frame-Options": "DENY" };
      await apply([target(a, 10_000)], { ...openPolicy, headers });
      const plain = await ask(plainDoor, "/");
      expect(plain.headers["strict-transport-security"]).toBeUndefined();
      expect(plain.headers["x-frame-options"]).toBe("DENY");
      expect(a.heads.at(-1)?.headers["x-forwarded-proto"]).toBe("http");
      const over = await askSecure(door, "/", { ca: authority.ca });
      expect(over.headers["strict-transport-security"]).toBe("max-age=31536000");
      const session = await openHttp2(door, { ca: authority.ca });
      expect((await askHttp2(session, "/")).headers["strict-transport-security"]).toBe("max-age=31536000");
      session.close();

      await apply([target(a, 10_000)], { ...openPolicy, headers, redirectToHttps: true });
      const redirected = await ask(plainDoor, "/a?b=c", { headers: { Host: `test.example:${plainDoor.port}` } });
      expect([redirected.status, redirected.headers.location]).toEqual([
        308,
        `https://test.example:${door.port}/a?b=c`,
      ]);
      expect(redirected.headers["strict-transport-security"]).toBeUndefined();
      // Through a mapping of ports that the edge does not know, it is the usual one.
      expect((await ask(plainDoor, "/", { headers: { Host: "test.example" } })).headers.location).toBe(
        "https://test.example/",
      );
      expect((await askSecure(door, "/", { ca: authority.ca })).status).toBe(200);
    });

    test("of two routes one is sent to https and the other is served in clear, as each policy says", async () => {
      const files = await issue("served", ["test.example"]);
      await made.edge.start(secure([pair(files, "test.example")]));
      const headers = { "strict-transport-security": "max-age=31536000; includeSubDomains; preload" };
      const redirecting = { ...openPolicy, headers, redirectToHttps: true };
      const routes = ["plain", "web"].flatMap((listener) => [
        route({ listener, host: "test.example", policy: redirecting }),
        route({ listener, policy: { ...openPolicy, headers } }),
      ]);
      await made.edge.apply(table(1, [target(a, 10_000)], { routes }));
      const named = await ask(plainDoor, "/x", { headers: { Host: "test.example" } });
      expect([named.status, named.headers.location]).toEqual([308, "https://test.example/x"]);
      // As the product's own services call each other.
      const byAddress = await ask(plainDoor, "/x", { headers: { Host: `127.0.0.1:${plainDoor.port}` } });
      expect([byAddress.status, byAddress.body, byAddress.headers["strict-transport-security"]]).toEqual([
        200,
        "a",
        undefined,
      ]);
      const over = await askSecure(door, "/", { ca: authority.ca });
      expect([over.status, over.headers["strict-transport-security"]]).toEqual([
        200,
        headers["strict-transport-security"],
      ]);
    });

    test("a listener with TLS comes and goes beside one that is under load", async () => {
      const files = await issue("served", ["test.example"]);
      const withTls = secure([pair(files, "test.example")]);
      const without = { ...withTls, listeners: withTls.listeners.slice(0, 1) };
      await made.edge.start(without);
      await made.edge.apply(table(1, [target(a, 10_000)], { routes: [route({ listener: "plain" })] }));
      const load = startLoad(plainDoor, 4);
      await load.more(20);
      await made.edge.start(withTls);
      await made.edge.apply(
        table(2, [target(a, 10_000)], { routes: [route({ listener: "plain" }), route({ listener: "web" })] }),
      );
      expect((await askSecure(door, "/", { ca: authority.ca })).body).toBe("a");
      await made.edge.apply(table(3, [target(a, 10_000)], { routes: [route({ listener: "plain" })] }));
      await made.edge.start(without);
      await load.more(20);
      const { failures } = await load.stop();
      const reset = made.edge.can.resetsOnReconfigure === true ? /socket hang up|ECONNRESET/ : null;
      expect(failures.filter((failure) => reset?.test(failure) !== true)).toEqual([]);
      await expect(handshake(door, {})).rejects.toThrow();
    });
  });
}
