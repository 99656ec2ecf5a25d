import { once } from "node:events";
import { readFile, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Backend, startBackend } from "../../../testing/conformance/edge/backend.ts";
import { ask, openLong, startLoad, webSocketHead, within } from "../../../testing/conformance/edge/client.ts";
import { countsOf, sampleWith } from "../../../testing/conformance/edge/samples.ts";
import { configOn, table, target } from "../../../testing/conformance/edge/tables.ts";
import { freePort } from "../../../testing/ports.ts";
import { type EmbeddedUnderTest, makeEmbeddedEdge } from "./made.fixture.ts";

let made: EmbeddedUnderTest;
let a: Backend;
let b: Backend;
let port = 0;

beforeEach(async () => {
  made = await makeEmbeddedEdge();
  a = await startBackend("a");
  b = await startBackend("b");
  port = await freePort();
  await made.edge.start(configOn(port));
  await made.edge.apply(table(1, [target(a, 10_000)]));
});
afterEach(async () => {
  await made.dispose();
  await a.close();
  await b.close();
});

test("a worker that is killed costs only what it had in flight, refuses nobody, and is replaced", async () => {
  const { workers } = await made.status();
  const load = startLoad(port, 12, ["/"]);
  await load.more(100);
  const victim = workers[0]!;
  process.kill(victim, "SIGKILL");
  await load.more(300);
  const { failures } = await load.stop();
  // A kept connection of the dead worker fails once; a new one is never refused.
  expect(failures.filter((failure) => failure.includes("ECONNREFUSED"))).toEqual([]);
  expect(failures.length).toBeLessThanOrEqual(12);
  for (const failure of failures) expect(failure).toMatch(/ECONNRESET|socket hang up|EPIPE/);
  const healed = await within(
    10_000,
    async () => {
      const now = await made.status();
      return now.serving === 2 && !now.workers.includes(victim) ? now : null;
    },
    "two workers again",
  );
  expect(healed.workers).toHaveLength(2);
  // What the dead one counted is still counted, but for its last tenth of a second.
  await sampleWith(made.edge, (sample) => countsOf(sample, "a").requests > 100);
  // The new one routes by the table in force, and hears of the next.
  await made.edge.apply(table(2, [target(b, 10_000)]));
  const answers = await Promise.all(Array.from({ length: 40 }, () => ask(port, "/")));
  expect(new Set(answers.map((answer) => answer.body))).toEqual(new Set(["b"]));
});

test("5 replacements of all workers under load fail no request", async () => {
  const before = await made.status();
  const load = startLoad(port, 12, ["/", "/slow?ms=30", "/x"]);
  for (let round = 0; round < 5; round += 1) {
    await load.more(15);
    await made.edge.start(configOn(port), { fresh: true });
  }
  await load.more(60);
  const { failures } = await load.stop();
  expect(failures).toEqual([]);
  const after = await made.status();
  expect(after.pid).toBe(before.pid);
  expect(after.workers.some((pid) => before.workers.includes(pid))).toBe(false);
}, 120_000);

test("a WebSocket outlives the replacement of its worker, and a drain still sees it", async () => {
  const socket = openLong(port, webSocketHead());
  await socket.receives("101 Switching Protocols");
  await made.edge.start(configOn(port), { fresh: true });
  socket.socket.write("still there");
  await socket.receives("still there");
  await made.edge.apply(table(2, [target(b, 10_000), target(a, 0)]));
  await made.edge.drain(target(a, 0).revision, { timeoutMs: 2000, streamLimitMs: 50 });
  await socket.closed;
});

test("a primary that is killed takes its workers with it, and the next one goes on with the same routes", async () => {
  const before = await made.status();
  process.kill(before.pid, "SIGKILL");
  await within(30_000, () => (before.workers.every((pid) => !alive(pid)) ? true : null), "workers gone");
  await made.relaunch();
  const answer = await within(60_000, () => ask(port, "/").catch(() => null), "served again");
  expect(answer.body).toBe("a");
  // It serves before it takes orders: who can ask it finds the routes in force.
  const current = await within(30_000, () => made.edge.current().catch(() => null), "orders taken again");
  expect(current).toEqual(table(1, [target(a, 10_000)]));
  await expect(made.edge.apply(table(0, [target(b, 10_000)]))).rejects.toMatchObject({ code: "EDGE_REFUSED_TABLE" });
  expect((await made.status()).pid).not.toBe(before.pid);
});

test("a second launch finds the first and ends; nothing changes", async () => {
  const before = await made.status();
  await made.relaunch();
  await made.edge.start(configOn(port));
  expect(await made.status()).toEqual(before);
  expect((await ask(port, "/")).body).toBe("a");
});

test("the one who gives orders may vanish in the middle of a call; traffic goes on", async () => {
  const { controlSocket } = await import("./launch.ts");
  const { connect } = await import("node:net");
  const half = connect(controlSocket(made.directory));
  half.write("POST /table HTTP/1.1\r\nHost: edge\r\nContent-Length: 100000\r\n\r\n{");
  await new Promise((resolve) => half.once("connect", resolve));
  const gate = ask(port, "/gate");
  await within(30_000, () => (a.waiting() === 1 ? true : null), "at the gate");
  const stop = new AbortController();
  const drain = made.edge.drain(target(a, 0).revision, { timeoutMs: 60_000, streamLimitMs: 60_000 });
  drain.catch(() => undefined);
  half.destroy();
  stop.abort();
  a.open();
  expect((await gate).body).toBe("a");
  expect((await ask(port, "/")).body).toBe("a");
});

test("a port that was taken can be had at once when it is free again, by every worker", async () => {
  const squatter = createServer().listen(0, "127.0.0.1");
  await once(squatter, "listening");
  const { port: wanted } = squatter.address() as AddressInfo;
  const config = configOn(port);
  const more = [...config.listeners, { name: "more", host: "127.0.0.1", port: wanted, tls: null }];
  for (const _ of [1, 2])
    await expect(made.edge.start({ ...config, listeners: more })).rejects.toMatchObject({ code: "PORT_TAKEN" });
  await new Promise((resolve) => squatter.close(resolve));
  await made.edge.start({ ...config, listeners: more });
  // The new listener has no route yet, and says so.
  expect((await ask(wanted, "/")).status).toBe(404);
});

test("a port that is taken is named, and what was served before is served on", async () => {
  const taken = Number(new URL(`http://${b.address}`).port);
  const config = configOn(port);
  const more = [...config.listeners, { name: "more", host: "127.0.0.1", port: taken, tls: null }];
  await expect(made.edge.start({ ...config, listeners: more })).rejects.toMatchObject({
    code: "PORT_TAKEN",
    message: expect.stringContaining(String(taken)),
  });
  expect((await ask(port, "/")).body).toBe("a");
  const free = await freePort();
  const listeners = [...config.listeners, { name: "more", host: "127.0.0.1", port: free, tls: null }];
  await made.edge.start({ ...config, listeners });
  // The new listener has no route yet, and says so; the first one is as it was.
  expect((await ask(free, "/")).status).toBe(404);
  expect((await ask(port, "/")).body).toBe("a");
  await made.edge.start(config);
  await within(
    30_000,
    () =>
      ask(free, "/").then(
        () => null,
        () => true,
      ),
    "the second listener closed",
  );
});

test("a state file that cannot be read is set aside, and the edge starts empty", async () => {
  const before = await made.status();
  process.kill(before.pid, "SIGKILL");
  await within(30_000, () => (before.workers.every((pid) => !alive(pid)) ? true : null), "workers gone");
  await writeFile(join(made.directory, "edge.json"), "{ broken");
  await made.edge.start(configOn(port));
  expect((await ask(port, "/")).status).toBe(503);
  await made.edge.apply(table(1, [target(b, 10_000)]));
  expect((await ask(port, "/")).body).toBe("b");
  expect(await readFile(join(made.directory, "edge.json.unreadable"), "utf8")).toContain("broken");
});

test("a control socket that somebody has removed is made again", async () => {
  const { controlSocket } = await import("./launch.ts");
  const before = await made.status();
  await rm(controlSocket(made.directory));
  const after = await within(30_000, () => made.status().catch(() => null), "orders taken again");
  expect(after).toEqual(before);
  expect((await ask(port, "/")).body).toBe("a");
});

test("a port that is taken when the edge comes back is taken over as soon as it is free", async () => {
  const before = await made.status();
  process.kill(before.pid, "SIGKILL");
  await within(30_000, () => (before.workers.every((pid) => !alive(pid)) ? true : null), "workers gone");
  const squatter = createServer().listen(port, "127.0.0.1");
  await made.relaunch();
  await within(60_000, () => made.status().catch(() => null), "orders taken");
  await expect(made.edge.start(configOn(port))).rejects.toMatchObject({ code: "PORT_TAKEN" });
  squatter.close();
  const answer = await within(60_000, () => ask(port, "/").catch(() => null), "served again");
  expect(answer.body).toBe("a");
});

test("stopping lets a request in flight end, and leaves no process", async () => {
  const { pid, workers } = await made.status();
  const asked = ask(port, "/slow?ms=300");
  await within(30_000, () => (a.seen.get("GET /slow") === 1 ? true : null), "the request at the service");
  await made.edge.stop(5000);
  expect((await asked).body).toBe("a");
  await within(30_000, () => ([pid, ...workers].every((one) => !alive(one)) ? true : null), "all gone");
  await expect(ask(port, "/")).rejects.toThrow("ECONNREFUSED");
});

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
