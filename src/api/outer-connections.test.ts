import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { request } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FastifyInstance } from "fastify";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openSqliteStore } from "../drivers/stores/sqlite/index.ts";
import { fileVault } from "../drivers/vaults/file/index.ts";
import { AgentDesk } from "../engine/agents/desk.ts";
import { makeAgentToken } from "../engine/agents/token.ts";
import type { World } from "../engine/world.ts";
import { systemClock } from "../lib/system-clock.ts";
import type { Store } from "../ports/store.ts";
import { hookServer } from "./hook-server.ts";
import { connectionBudgets } from "./outer-connections.ts";

let directory: string;
let store: Store;
let server: FastifyInstance;
let port: number;
let token: string;
let sockets: Socket[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "slipway-outer-"));
  store = await openSqliteStore({ directory });
  const log = { info: () => {}, warn: () => {}, error: () => {} };
  const newId = () => randomBytes(6).toString("hex");
  const world = {
    store,
    clock: systemClock,
    vault: fileVault(join(directory, "secrets.key")),
    newId,
    log,
  } as Partial<World> as World;
  const agents = new AgentDesk({ clock: systemClock, log, newId });
  server = hookServer(world, "shop", { alertToken: "a-token-of-the-test", agents });
  await server.listen({ host: "127.0.0.1", port: 0 });
  port = (server.server.address() as AddressInfo).port;
  const until = systemClock.now() + 60_000;
  token = await makeAgentToken(world, { product: "shop", agent: "one", labels: ["linux"], until });
  sockets = [];
});
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await server.close();
  await store.close();
  await rm(directory, { recursive: true, force: true });
});

async function open(text: string): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  sockets.push(socket);
  await once(socket, "connect");
  socket.write(text);
  return socket;
}

/** Of a job whose body never comes whole. */
const slowJob =
  "POST /v1/sessions HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\ncontent-type: application/json\r\n\r\n{";
const polling = (given: string) =>
  `POST /agent/leases HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${given}\r\ncontent-type: application/json\r\ncontent-length: 20\r\n\r\n{"labels":["linux"]}`;

/** What a connection of its own is answered. */
async function ask(path: string, headers: Readonly<Record<string, string>> = {}): Promise<number> {
  const asked = request({ port, host: "127.0.0.1", path, method: "POST", headers, agent: false });
  asked.end("{}");
  const [answer] = await once(asked, "response");
  answer.resume();
  await once(answer, "close");
  return answer.statusCode;
}

const anew = () => ask("/agent/anew", { authorization: `Bearer ${token}`, "content-type": "application/json" });
const hook = () => ask("/hooks/github", { "content-type": "application/json" });

/** Until the listener has read so many requests. */
async function inUse(use: "agents" | "others"): Promise<void> {
  for (;;) {
    const status = await (use === "agents" ? anew() : hook());
    if (status === 503) return;
  }
}

describe("the connections of the outer listener", () => {
  it("let agents in when strangers have taken all that there are for webhooks", async () => {
    for (let i = 0; i < connectionBudgets.others; i++) await open(slowJob);
    await inUse("others");
    expect(await anew()).toBe(200);
    // A way of agents without their token is a stranger's.
    expect(await ask("/agent/leases", { authorization: "Bearer x.y" })).toBe(503);
    sockets[0]?.destroy();
    while ((await hook()) === 503) await new Promise((resolve) => setTimeout(resolve, 20));
    expect(await hook()).toBe(404);
  });

  it("let webhooks in when agents have taken all that there are for them", async () => {
    for (let i = 0; i < connectionBudgets.agents; i++) await open(polling(token));
    await inUse("agents");
    expect(await hook()).toBe(404);
  });

  it("are not held by who only holds them: the oldest without a request is closed for a newcomer", async () => {
    const oldest = await open("");
    const closed = once(oldest, "close");
    for (let i = 0; i < connectionBudgets.idle; i++) await open("POST /hooks/github HTTP/1.1\r\n");
    await closed;
    expect(await hook()).toBe(404);
    expect(await anew()).toBe(200);
  });
});
