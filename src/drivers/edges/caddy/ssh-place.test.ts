import { once } from "node:events";
import { createReadStream } from "node:fs";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { openSsh, type Ssh } from "../../../lib/ssh/open-ssh.ts";
import type { Edge } from "../../../ports/edge.ts";
import { caddyPart } from "../../../testing/caddy.ts";
import { type Backend, startBackend } from "../../../testing/conformance/edge/backend.ts";
import { ask, startLoad, within } from "../../../testing/conformance/edge/client.ts";
import { countsOf, sampleWith } from "../../../testing/conformance/edge/samples.ts";
import { configOn, openPolicy, route, table, target } from "../../../testing/conformance/edge/tables.ts";
import { startHosts, type TestHost, type TestHosts } from "../../../testing/hosts/hosts.ts";
import { remoteCaddyEdge } from "./index.ts";

const directory = "/var/lib/edge";
const program = "/usr/local/bin/caddy";
const edgePort = 8080;
/** What a service manager would do: Caddy, unless it runs. */
const launch = `kill -0 "$(cat /run/caddy.pid)" 2>/dev/null || {
setsid sh -c 'echo $$ > /run/caddy.pid; exec "$0" run --config "$1"' "$1" "$2" </dev/null >/run/caddy.log 2>&1 & }`;
const launchCommand = ["sh", "-c", launch, "sh", program, `${directory}/caddy.json`];

let hosts: TestHosts;
let host: TestHost;
let ssh: Ssh;
let edge: Edge;
let near: Relay;
let generation = 0;
const services: { readonly backend: Backend; readonly relay: Relay }[] = [];

beforeAll(async () => {
  hosts = await startHosts(1);
  host = hosts.hosts[0] as TestHost;
  ssh = connection();
  await ssh.upload(createReadStream(await caddyPart("caddy")), program, "0755", AbortSignal.timeout(60_000));
  near = await relay("127.0.0.1", { host: host.address, port: edgePort });
});
afterAll(async () => {
  await edge.stop(0);
  await ssh.close();
  await near.close();
  await hosts.down();
});
beforeEach(async () => {
  edge = made(ssh);
  await edge.start(config());
});
afterEach(async () => {
  for (const { backend, relay } of services.splice(0)) {
    await relay.close();
    await backend.close();
  }
});

const connection = (): Ssh =>
  openSsh({
    destination: `root@${host.name}`,
    configFile: host.sshConfig,
    controlDirectory: join(hosts.directory, "c"),
  });
const made = (by: Ssh): Edge => remoteCaddyEdge(by, { directory, program, launch: launchCommand });
const config = (limits = {}) => {
  const base = configOn(edgePort);
  const listeners = [{ name: "web", host: "0.0.0.0", port: edgePort, tls: null }];
  return { ...base, listeners, limits: { ...base.limits, ...limits } };
};
/** A service on this machine, as the host reaches it. */
const service = async (label: string): Promise<Backend> => {
  const backend = await startBackend(label);
  const [, port] = backend.address.split(":");
  const way = await relay(hosts.gateway, { host: "127.0.0.1", port: Number(port) });
  services.push({ backend, relay: way });
  return { ...backend, address: `${hosts.gateway}:${way.port}` };
};
const apply = async (...targets: Parameters<typeof table>[1]): Promise<void> => {
  generation += 1;
  await edge.apply(table(generation, targets));
};

test("switches over SSH fail no request, and another control plane finds the table", async () => {
  const [a, b] = [await service("a"), await service("b")];
  await apply(target(a, 10_000), target(b, 0));
  const load = startLoad(near.port, 8, ["/", "/slow?ms=20"]);
  for (let swap = 0; swap < 10; swap += 1) {
    await load.more(20);
    await apply(...(swap % 2 === 0 ? [target(b, 10_000), target(a, 0)] : [target(a, 10_000), target(b, 0)]));
    expect((await ask(near.port, "/")).body).toBe(swap % 2 === 0 ? "b" : "a");
  }
  const { failures } = await load.stop();
  expect(failures).toEqual([]);
  const other = connection();
  expect((await made(other).current())?.generation).toBe(generation);
  await other.close();
});

test("requests are counted by revision from the log that is followed", async () => {
  const a = await service("a");
  await apply(target(a, 10_000));
  // The follower begins with the edge; what was logged before it is not its.
  await within(
    10_000,
    async () => {
      await ask(near.port, "/");
      const sample = await sampleWith(edge, () => true);
      return countsOf(sample, "a").requests > 0 ? true : null;
    },
    "a first count",
  );
  const before = countsOf(await settled(edge), "a").requests;
  await Promise.all(Array.from({ length: 30 }, () => ask(near.port, "/")));
  await sampleWith(edge, (one) => countsOf(one, "a").requests === before + 30, 60_000);
  expect(edge.can.hold).toBe(false);
});

test("routes and policies change over SSH, maintenance too", async () => {
  const a = await service("a");
  await apply(target(a, 10_000));
  generation += 1;
  const routes = [route({ policy: { ...openPolicy, headers: { "X-New": "yes" } } })];
  await edge.apply(table(generation, [target(a, 10_000)], { routes }));
  expect((await ask(near.port, "/")).headers["x-new"]).toBe("yes");
  generation += 1;
  await edge.apply(table(generation, [target(a, 10_000)], { routes, mode: "maintenance" }));
  expect((await ask(near.port, "/")).status).toBe(503);
  await edge.start(config({ bodyBytes: 5 }));
  expect((await ask(near.port, "/")).status).toBe(503);
});

test("a drain sees what is under way on the host", async () => {
  const [a, b] = [await service("a"), await service("b")];
  await apply(target(a, 10_000));
  const asked = ask(near.port, "/gate");
  await within(30_000, () => (a.waiting() === 1 ? true : null), "the request at the gate");
  await apply(target(b, 10_000));
  const left = target(a, 0).revision;
  expect(await edge.drain(left, { timeoutMs: 50, streamLimitMs: 60_000 })).toEqual({ inflight: 1 });
  a.open();
  expect(await edge.drain(left, { timeoutMs: 20_000, streamLimitMs: 60_000 })).toEqual({ inflight: 0 });
  await asked;
});

test("a Caddy that is killed on its host is started again on its table", async () => {
  const a = await service("a");
  await apply(target(a, 10_000));
  await host.run(["sh", "-c", 'kill -9 "$(cat /run/caddy.pid)"']);
  await within(60_000, async () => ((await ask(near.port, "/").catch(() => null)) === null ? true : null), "its end");
  await made(ssh).start(config());
  expect((await ask(near.port, "/")).body).toBe("a");
});

test("a host that is cut off is named, and takes the table when it is back", { timeout: 120_000 }, async () => {
  const [a, b] = [await service("a"), await service("b")];
  await apply(target(a, 10_000));
  await host.cut();
  generation += 1;
  const next = table(generation, [target(b, 10_000)]);
  await expect(edge.apply(next)).rejects.toMatchObject({ code: "HOST_AWAY", message: expect.stringContaining("h1") });
  await host.mend();
  await within(
    60_000,
    () =>
      edge.apply(next).then(
        () => true,
        () => null,
      ),
    "the table, when the host is back",
  );
  expect((await ask(near.port, "/")).body).toBe("b");
});

/** The first sample that says the same as the ten before it: nothing of what was asked is still on its way. */
async function settled(of: Edge) {
  let before = "";
  let same = 0;
  return sampleWith(
    of,
    (sample) => {
      const now = JSON.stringify(sample.revisions);
      same = now === before ? same + 1 : 0;
      before = now;
      return same === 10;
    },
    20_000,
  );
}

type Relay = { readonly port: number; close(): Promise<void> };

async function relay(address: string, to: { readonly host: string; readonly port: number }): Promise<Relay> {
  const open = new Set<Socket>();
  const server: Server = createServer((one) => {
    const other = connect(to);
    for (const [from, into] of [
      [one, other],
      [other, one],
    ] as const) {
      open.add(from);
      from.on("error", () => into.destroy()).on("close", () => open.delete(from) && into.destroy());
    }
    one.pipe(other).pipe(one);
  });
  server.listen(0, address);
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
