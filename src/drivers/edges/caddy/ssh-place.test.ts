import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import type { Ssh } from "../../../lib/ssh/open-ssh.ts";
import type { Edge } from "../../../ports/edge.ts";
import { type Backend, startBackend } from "../../../testing/conformance/edge/backend.ts";
import { ask, startLoad, within } from "../../../testing/conformance/edge/client.ts";
import { countsOf, sampleWith } from "../../../testing/conformance/edge/samples.ts";
import { configOn, openPolicy, route, table, target } from "../../../testing/conformance/edge/tables.ts";
import type { TestHost } from "../../../testing/hosts/hosts.ts";
import { remoteCaddyEdge } from "./index.ts";
import { type CaddyHost, launchIn, remoteProgram, startCaddyHost } from "./made-ssh.fixture.ts";

const directory = "/var/lib/edge";

let there: CaddyHost;
let host: TestHost;
let edge: Edge;
let door: { readonly host: string; readonly port: number };
let generation = 0;
const services: Backend[] = [];

beforeAll(async () => {
  there = await startCaddyHost();
  host = there.host;
  door = { host: host.address, port: 8080 };
  edge = made(there.ssh);
});
afterAll(async () => {
  await edge.stop(0);
  await there.down();
});
beforeEach(() => edge.start(config()));
afterEach(async () => {
  for (const backend of services.splice(0)) await backend.close();
});

const made = (by: Ssh): Edge => remoteCaddyEdge(by, { directory, program: remoteProgram, launch: launchIn(directory) });
const config = (limits = {}) => {
  const base = configOn(door);
  return { ...base, limits: { ...base.limits, ...limits } };
};
/** A service on this machine, as the host reaches it. */
const service = async (label: string): Promise<Backend> => {
  const backend = await startBackend(label, there.hosts.gateway);
  services.push(backend);
  return backend;
};
const apply = async (...targets: Parameters<typeof table>[1]): Promise<void> => {
  generation += 1;
  await edge.apply(table(generation, targets));
};

test("switches over SSH fail no request, and another control plane finds the table", async () => {
  const [a, b] = [await service("a"), await service("b")];
  await apply(target(a, 10_000), target(b, 0));
  const load = startLoad(door, 8, ["/", "/slow?ms=20"]);
  for (let swap = 0; swap < 10; swap += 1) {
    await load.more(20);
    await apply(...(swap % 2 === 0 ? [target(b, 10_000), target(a, 0)] : [target(a, 10_000), target(b, 0)]));
    expect((await ask(door, "/")).body).toBe(swap % 2 === 0 ? "b" : "a");
  }
  const { failures } = await load.stop();
  expect(failures).toEqual([]);
  const other = there.connection();
  expect((await made(other).current())?.generation).toBe(generation);
});

test("requests are counted by revision from the log that is followed", async () => {
  const a = await service("counted");
  await apply(target(a, 10_000));
  await Promise.all(Array.from({ length: 30 }, () => ask(door, "/")));
  await sampleWith(edge, (one) => countsOf(one, "counted").requests === 30, 60_000);
  expect(edge.can.hold).toBe(false);
});

test("what is answered while the connection is away is counted once, when it is back", async () => {
  const a = await service("dropped");
  await apply(target(a, 10_000));
  const load = startLoad(door, 4);
  for (let drop = 0; drop < 3; drop += 1) {
    await load.more(50);
    await host.run(["pkill", "-KILL", "-x", "-f", "sshd: root.*"]);
    await load.more(50);
    await within(30_000, () => edge.current().then(isHad, () => null), "another connection");
  }
  const { answers, failures } = await load.stop();
  expect(failures).toEqual([]);
  await sampleWith(edge, (one) => countsOf(one, "dropped").requests >= (answers.get("dropped") ?? 0), 60_000);
  expect(countsOf(await settled(edge), "dropped").requests).toBe(answers.get("dropped"));
});

test("routes and policies change over SSH, maintenance too", async () => {
  const a = await service("a");
  await apply(target(a, 10_000));
  generation += 1;
  const routes = [route({ policy: { ...openPolicy, headers: { "X-New": "yes" } } })];
  await edge.apply(table(generation, [target(a, 10_000)], { routes }));
  expect((await ask(door, "/")).headers["x-new"]).toBe("yes");
  generation += 1;
  await edge.apply(table(generation, [target(a, 10_000)], { routes, mode: "maintenance" }));
  expect((await ask(door, "/")).status).toBe(503);
  await edge.start(config({ bodyBytes: 5 }));
  expect((await ask(door, "/")).status).toBe(503);
});

test("a drain sees what is under way on the host", async () => {
  const [a, b] = [await service("a"), await service("b")];
  await apply(target(a, 10_000));
  const asked = ask(door, "/gate");
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
  await host.run(["sh", "-c", 'kill -9 "$(cat /var/lib/edge/caddy.pid)"']);
  await within(60_000, async () => ((await ask(door, "/").catch(() => null)) === null ? true : null), "its end");
  await made(there.ssh).start(config());
  expect((await ask(door, "/")).body).toBe("a");
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
  expect((await ask(door, "/")).body).toBe("b");
});

const isHad = (): true => true;

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
