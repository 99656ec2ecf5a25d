import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { request as ask, type IncomingMessage } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FastifyInstance, InjectOptions } from "fastify";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { SlipwayError } from "../core/errors/error.ts";
import { deploymentId, environmentName, type RevisionId, releaseId } from "../core/ids.ts";
import { openSqliteStore } from "../drivers/stores/sqlite/index.ts";
import { Changes } from "../engine/history.ts";
import type { World } from "../engine/world.ts";
import { systemClock } from "../lib/system-clock.ts";
import type { Store } from "../ports/store.ts";
import { Client } from "./client.ts";
import type { ErrorBody } from "./contract.ts";
import { apiServer } from "./server.ts";

const token = "a-token-of-the-test";
const alertToken = "another-token-of-the-test";
const bearer = { authorization: `Bearer ${token}` };
const bearerAt = (url: string) => (url === "/v1/alerts" ? { authorization: `Bearer ${alertToken}` } : bearer);

/** What the routes reach through the world, as far as a test sets it; the store is a real one. */
let renew: () => Promise<void>;
let store: Store;
let world: World;
let directory: string;
let server: FastifyInstance;
let bugs: string[];
let stops: string[];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "slipway-api-"));
  store = await openSqliteStore({ directory });
});

afterAll(async () => {
  await store.close();
  await rm(directory, { recursive: true, force: true });
});

beforeEach(() => {
  bugs = [];
  stops = [];
  renew = async () => {};
  const log = {
    info: () => {},
    warn: () => {},
    error: (event: string, fields: object = {}) => void bugs.push(`${event} ${JSON.stringify(fields)}`),
  };
  const parts = {
    store,
    log,
    edges: { all: () => [], renew: () => renew() },
    clock: systemClock,
    changes: new Changes(),
  };
  world = parts as unknown as World;
  server = apiServer(world, {
    token,
    alertToken,
    version: "1.2.3",
    startedAt: 0,
    stopEverything: async () => {
      stops.push("everything");
      return [{ revision: "rev_shop-production-web-r1" as RevisionId, reason: "host a is away" }];
    },
    onCommand: () => {},
    onTriggers: async () => {},
    onStop: () => void stops.push("control plane"),
  });
});

afterEach(async () => {
  await server.close();
});

async function inject(options: InjectOptions): Promise<{ status: number; error: ErrorBody["error"]; body: string }> {
  const answer = await server.inject({ headers: bearer, ...options });
  const error = answer.statusCode >= 400 ? (answer.json() as ErrorBody).error : ({} as ErrorBody["error"]);
  return { status: answer.statusCode, error, body: answer.body };
}

const post = (url: string, payload: unknown) =>
  inject({
    method: "POST",
    url,
    headers: { ...bearerAt(url), "content-type": "application/json" },
    payload: JSON.stringify(payload),
  });

/** Every route there is, as the server itself lists them: a new one is tested without being named here. */
function routes(): { readonly method: "GET" | "POST"; readonly url: string }[] {
  const path: string[] = [];
  return server
    .printRoutes({ commonPrefix: false })
    .split("\n")
    .flatMap((line) => {
      const [, indent = "", part = "", methods = ""] = /^([│ ]*)[├└]── (\S+)(?: \((.+)\))?$/.exec(line) ?? [];
      path.splice(indent.length / 4, path.length, part.replace(":id", "id_1"));
      return methods === ""
        ? []
        : methods.split(", ").map((method) => ({ method: method as "GET" | "POST", url: path.join("") }));
    })
    .filter(({ url }) => url !== "/v1/alive");
}

/** Those that take a body: all that change something, but one. */
const takesBody = ({ method, url }: { readonly method: string; readonly url: string }): boolean =>
  method === "POST" && url !== "/v1/edge/reload";

describe("the token", () => {
  it("is asked for on every route, before anything else is looked at", async () => {
    expect(routes()).toContainEqual({ method: "GET", url: "/v1/deployments/id_1/follow" });
    expect(routes().length).toBeGreaterThan(17);
    for (const { method, url } of routes()) {
      const answer = await inject({ method, url, headers: {}, ...(method === "POST" ? { payload: "{" } : {}) });
      expect([answer.status, answer.error.code, answer.error.message], `${method} ${url}`).toEqual([
        401,
        "UNAUTHORIZED",
        "the request carries no token",
      ]);
    }
    expect(stops).toEqual([]);
  });

  it("is asked for also where there is no route, so that nobody learns which there are", async () => {
    for (const [method, url] of [
      ["GET", "/"],
      ["GET", "/v1/nothing"],
      ["DELETE", "/v1/status"],
      ["GET", "/v1/%zz"],
      ["OPTIONS", "/v1/status"],
    ] as const) {
      const answer = await inject({ method, url, headers: {} });
      expect([answer.status, answer.error?.code], `${method} ${url}`).toEqual([401, "UNAUTHORIZED"]);
    }
    expect((await server.inject({ method: "HEAD", url: "/v1/status" })).statusCode).toBe(401);
    // There are none: a HEAD of a stream would never end.
    expect((await server.inject({ method: "HEAD", url: "/v1/logs?follow=true", headers: bearer })).statusCode).toBe(
      404,
    );
  });

  it("must be the whole of it: nothing shorter, longer, in other letters or under another scheme", async () => {
    const wrong = [
      "",
      "Bearer",
      "Bearer ",
      `Bearer ${token.slice(0, -1)}`,
      `Bearer ${token}x`,
      `Bearer ${token.toUpperCase()}`,
      `bearer ${token}`,
      `Basic ${token}`,
      token,
      `Bearer  ${token}`,
    ];
    for (const authorization of wrong) {
      const answer = await inject({ url: "/v1/status", headers: { authorization } });
      expect([answer.status, answer.error.message], authorization).toEqual([401, "the token is not the right one"]);
    }
    expect((await inject({ url: "/v1/status" })).status).toBe(200);
  });

  it("is not needed to see that the control plane is alive, and only for that", async () => {
    expect(JSON.parse((await inject({ url: "/v1/alive", headers: {} })).body)).toEqual({
      version: "1.2.3",
      pid: process.pid,
    });
    expect((await inject({ url: "/v1/alive/../status", headers: {} })).status).toBe(401);
    expect((await inject({ method: "POST", url: "/v1/alive/", headers: {} })).status).toBe(401);
  });

  it("is never in an answer", async () => {
    const answer = await inject({ url: "/v1/nothing", headers: { authorization: "Bearer wrong" } });
    expect(answer.body).not.toContain(token);
    expect(answer.body).not.toContain("wrong");
  });
});

describe("a request that is not what a route takes", () => {
  it("is answered with what is wrong, by name", async () => {
    const { status, error } = await post("/v1/deployments", {
      environment: "",
      release: "rel_1",
      kind: "sideways",
      actor: "ada",
      extra: 1,
    });
    expect([status, error.code]).toEqual([400, "USAGE"]);
    const problems = Object.fromEntries(error.evidence);
    expect(Object.keys(problems).sort()).toEqual(["body", "environment", "kind", "reason"]);
    expect(problems.body).toContain("extra");
    expect(bugs).toEqual([]);
  });

  it("is refused on every route that takes a body, with evidence", async () => {
    for (const { url } of routes().filter(takesBody)) {
      for (const payload of [{}, [], null, "text", 1, { everything: "yes" }]) {
        const { status, error } = await post(url, payload);
        expect([status, error.code], `${url} ${JSON.stringify(payload)}`).toEqual([400, "USAGE"]);
      }
      const empty = await inject({ method: "POST", url, headers: bearerAt(url) });
      expect([empty.status, empty.error.code, empty.error.evidence.length], url).toEqual([400, "USAGE", 1]);
    }
    expect([bugs, stops]).toEqual([[], []]);
  });

  it("may be no JSON, another type, or JSON that wants to be a prototype", async () => {
    const send = (payload: string, type = "application/json") =>
      inject({ method: "POST", url: "/v1/plans", headers: { ...bearer, "content-type": type }, payload });
    for (const bad of [
      '{"environment":',
      "environment=production",
      '{"__proto__":{"environment":"x"},"release":"r"}',
    ]) {
      const { status, error } = await send(bad);
      expect([status, error.code], bad).toEqual([400, "USAGE"]);
    }
    expect((await send("environment=production", "application/x-www-form-urlencoded")).error.code).toBe("USAGE");
    expect((await send("<plan/>", "text/xml")).error.code).toBe("USAGE");
    expect(bugs).toEqual([]);
  });

  it("may be larger than any body is", async () => {
    const { status, error } = await post("/v1/plans", { environment: "x".repeat(300_000), release: "r" });
    expect([status, error.code]).toEqual([413, "BODY_TOO_LARGE"]);
  });

  it("may ask for what does not exist: each has its own words", async () => {
    expect((await inject({ url: "/v1/nothing" })).error).toMatchObject({
      code: "NOT_FOUND",
      message: "GET /v1/nothing is not part of the API",
    });
    expect((await inject({ method: "PUT", url: "/v1/status" })).error.code).toBe("NOT_FOUND");
    expect((await inject({ url: "/v1/%zz" })).error.code).toMatch(/USAGE|NOT_FOUND/);
    expect((await inject({ url: "/v1/deployments/dep_none" })).error.code).toBe("UNKNOWN_DEPLOYMENT");
    expect((await post("/v1/plans", { environment: "production", release: "rel_none" })).error.code).toBe(
      "UNKNOWN_RELEASE",
    );
    expect(
      (await post("/v1/deployments/dep_none/requests", { kind: "cancel", actor: "ada", reason: "x" })).error.code,
    ).toBe("UNKNOWN_DEPLOYMENT");
    expect(bugs).toEqual([]);
  });

  it("may have a query that is twice there, no number, or less than nothing; too many are fewer", async () => {
    const bad = {
      limit: ["limit=x", "limit=-1", "limit=1.5", "limit=1e99", "limit=", "limit=1&limit=2"],
      environment: ["environment=a&environment=b", "environment="],
      product: ["product=a"],
    };
    for (const path of ["/v1/deployments", "/v1/history"]) {
      for (const [name, queries] of Object.entries(bad)) {
        for (const query of queries) {
          const { status, error } = await inject({ url: `${path}?product=shop&${query}` });
          expect([status, error.code, error.evidence[0]?.[0]], `${path}?${query}`).toEqual([400, "USAGE", name]);
        }
      }
      expect((await inject({ url: path })).error.code).toBe("USAGE");
      expect((await inject({ url: `${path}?product=shop&limit=1000000` })).status).toBe(200);
    }
    expect((await inject({ url: "/v1/releases" })).error.code).toBe("USAGE");
    expect((await inject({ url: "/v1/logs?tail=some" })).error.code).toBe("USAGE");
    expect(bugs).toEqual([]);
  });

  it("may want a backup in a place that only the control plane would know", async () => {
    expect((await post("/v1/state/backup", { file: "relative.db" })).error).toMatchObject({
      code: "USAGE",
      message: "relative.db is not an absolute path",
    });
  });
});

describe("an error of a route", () => {
  it("keeps its code, status, words, evidence and hint on the way to the client", async () => {
    const known = new SlipwayError("SUPERVISOR_UNREACHABLE", {
      message: "it is away",
      evidence: [["socket", "/x"]],
      hint: "look",
    });
    renew = () => Promise.reject(known);
    const answer = await post("/v1/edge/reload", {});
    expect([answer.status, answer.error]).toEqual([
      503,
      { code: "SUPERVISOR_UNREACHABLE", message: "it is away", evidence: [["socket", "/x"]], hint: "look" },
    ]);
    expect(bugs).toEqual([]);
  });

  it("that is a bug is logged with its stack, told without it, and ends only that request", async () => {
    renew = () => Promise.reject(new TypeError("x is not a function"));
    const { status, error, body } = await post("/v1/edge/reload", {});
    expect([status, error.code, error.message]).toEqual([500, "INTERNAL", "x is not a function"]);
    expect(body).not.toContain("server.test.ts");
    expect(bugs.join()).toContain("server.test.ts");
    expect((await inject({ url: "/v1/alive" })).status).toBe(200);
  });
});

describe("stopping", () => {
  it("of the control plane alone begins after the answer has been sent, once", async () => {
    const { status, body } = await post("/v1/stop", { everything: false });
    expect([status, JSON.parse(body)]).toEqual([200, { pid: process.pid, left: [] }]);
    expect(stops).toEqual(["control plane"]);
  });

  it("of everything is done when it is answered, and the answer says what still runs", async () => {
    const { status, body } = await post("/v1/stop", { everything: true });
    const left = [{ revision: "rev_shop-production-web-r1", reason: "host a is away" }];
    expect([status, JSON.parse(body)]).toEqual([200, { pid: process.pid, left }]);
    expect(stops).toEqual(["everything", "control plane"]);
  });
});

describe("over a real connection", () => {
  let port: number;

  beforeEach(async () => {
    await server.listen({ host: "127.0.0.1", port: 0 });
    port = (server.server.address() as AddressInfo).port;
  });

  it("a body that says it is larger than any is refused before it is sent", async () => {
    const asked = ask({
      host: "127.0.0.1",
      port,
      method: "POST",
      path: "/v1/plans",
      headers: { ...bearer, "content-type": "application/json", "content-length": 1024 ** 3 },
    });
    asked.on("error", () => {});
    asked.flushHeaders();
    const [response] = (await once(asked, "response")) as [IncomingMessage];
    expect(response.statusCode).toBe(413);
    asked.destroy();
  });

  it("what is not HTTP is refused, and others are still answered", async () => {
    const socket = connect(port, "127.0.0.1");
    socket.write("hello\r\n\r\n");
    const [data] = (await once(socket, "data")) as [Buffer];
    expect(data.toString()).toMatch(/^HTTP\/1\.1 400 /);
    socket.destroy();
    const client = new Client({ port, token });
    expect(await client.get("/v1/alive")).toMatchObject({ version: "1.2.3" });
    client.close();
  });

  it("a deployment that does not exist ends its stream with the error, not with silence", async () => {
    const client = new Client({ port, token });
    const stream = client.stream(`/v1/deployments/${deploymentId("dep_none")}/follow`);
    await expect(stream.next()).rejects.toMatchObject({ code: "UNKNOWN_DEPLOYMENT" });
    await expect(client.stream("/v1/runs/run_none/follow").next()).rejects.toMatchObject({ code: "UNKNOWN_RUN" });
    await expect(client.stream("/v1/nothing").next()).rejects.toMatchObject({ code: "NOT_FOUND" });
    client.close();
  });
});

describe("locking", () => {
  it("is refused for an environment that no release has: a lock with a typing error would hold nobody", async () => {
    const spec = { [environmentName("production")]: {} };
    await store.db
      .insertInto("release")
      .values({
        id: releaseId("rel_locks"),
        product: "shop",
        number: 1,
        version: "0.1.0",
        commit_hash: "c0ffee",
        dirty: 0,
        subject: "s",
        author: "a",
        branch: null,
        config_digest: "sha256:0",
        config: JSON.stringify({ product: "shop", environments: spec }),
        artifacts: "{}",
        commits: "[]",
        created_at: 0,
        created_by: "a",
        pinned: 0,
        pruned_at: null,
      })
      .execute();
    const lock = (environment: string, locked = true) =>
      post("/v1/locks", { product: "shop", environment, actor: "ada", reason: "audit", locked });
    expect((await lock("prodution")).error.code).toBe("UNKNOWN_ENVIRONMENT");
    expect((await lock("production")).status).toBe(200);
    expect((await lock("production")).error.code).toBe("ENVIRONMENT_LOCKED");
    expect((await lock("production", false)).status).toBe(200);
    expect((await lock("production", false)).status).toBe(200);
  });
});
