import { once } from "node:events";
import { readdir, truncate } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { caddyPart } from "../../../testing/caddy.ts";
import { type Backend, startBackend } from "../../../testing/conformance/edge/backend.ts";
import { ask, openLong, startLoad, webSocketHead, within } from "../../../testing/conformance/edge/client.ts";
import { countsOf, sampleWith } from "../../../testing/conformance/edge/samples.ts";
import { configOn, openPolicy, route, table, target } from "../../../testing/conformance/edge/tables.ts";
import { freePort } from "../../../testing/ports.ts";
import { type CaddyUnderTest, makeCaddyEdge } from "./made.fixture.ts";
import { startSteadyLoad } from "./steady-load.fixture.ts";

let made: CaddyUnderTest;
let a: Backend;
let b: Backend;
let port = 0;

beforeEach(async () => {
  made = await makeCaddyEdge();
  a = await startBackend("a");
  b = await startBackend("b");
  port = await freePort();
  await made.edge.start(configOn(port));
});
afterEach(async () => {
  await made.dispose();
  await Promise.all([a.close(), b.close()]);
});

test("50 changes of weights at 500 requests a second fail none and reset none", async () => {
  await made.edge.apply(table(1, [target(b, 0), target(a, 10_000)]));
  const load = startSteadyLoad(port, 500);
  const weights = [100, 2500, 5000, 10_000, 0];
  for (let flip = 0; flip < 50; flip += 1) {
    const weight = weights[flip % weights.length] ?? 0;
    await made.edge.apply(table(flip + 2, [target(b, weight), target(a, 10_000 - weight)]));
    await load.more(100);
  }
  const { answered, failures } = await load.stop();
  expect(failures).toEqual([]);
  expect(answered).toBeGreaterThanOrEqual(5_000);
});

test("a Caddy that is killed under load comes back with its config and its table", async () => {
  await made.edge.apply(table(1, [target(a, 10_000)]));
  await made.edge.apply(table(2, [target(b, 10_000)]));
  const load = startLoad(port, 8);
  await load.more(200);
  const caddy = made.process("caddy");
  caddy.kill("SIGKILL");
  await once(caddy, "exit");
  await made.relaunch("caddy");
  await within(
    15_000,
    async () => ((await ask(port, "/").catch(() => null))?.status === 200 ? true : null),
    "served again",
  );
  await load.more(200);
  const { answers } = await load.stop();
  expect(answers.has("a")).toBe(false);
  expect((await made.edge.current())?.generation).toBe(2);
  // Nobody had to tell it anything, and it takes the next one.
  await made.edge.apply(table(3, [target(a, 10_000)]));
  expect((await ask(port, "/")).body).toBe("a");
});

test("a control plane that finds Caddy gone has it started on the table in force", async () => {
  await made.edge.apply(table(1, [target(a, 10_000)]));
  const caddy = made.process("caddy");
  caddy.kill("SIGKILL");
  await once(caddy, "exit");
  await expect(made.edge.apply(table(2, [target(b, 10_000)]))).rejects.toMatchObject({ code: "EDGE_UNREACHABLE" });
  await made.again().start(configOn(port));
  expect((await ask(port, "/")).body).toBe("a");
  await made.edge.apply(table(2, [target(b, 10_000)]));
  expect((await ask(port, "/")).body).toBe("b");
});

test("slots that a power loss has torn are written anew before Caddy is started on them", async () => {
  await made.edge.apply(table(1, [target(a, 10_000)]));
  const caddy = made.process("caddy");
  caddy.kill("SIGKILL");
  await once(caddy, "exit");
  const current = join(made.directory, "edge", "slots", "current");
  const [folder = ""] = (await readdir(current)).filter((name) => /^s-[0-9a-f]+$/.test(name));
  await truncate(join(current, folder, "0"));
  await made.again().start(configOn(port));
  expect((await ask(port, "/")).body).toBe("a");
  // The table itself is torn: nobody knows what was in force, and the next one is taken.
  await truncate(join(current, "table"));
  expect(await made.edge.current()).toBeNull();
  await made.edge.apply(table(1, [target(b, 10_000)]));
  expect((await ask(port, "/")).body).toBe("b");
});

test("the control plane may go: counts go on; the companion may go: requests go on, and counts begin anew", async () => {
  await made.edge.apply(table(1, [target(a, 10_000)]));
  await ask(port, "/");
  await ask(port, "/");
  await sampleWith(made.again(), (one) => countsOf(one, "a").requests === 2);
  const companion = made.process("companion");
  companion.kill("SIGKILL");
  await once(companion, "exit");
  expect((await ask(port, "/")).body).toBe("a");
  await made.relaunch("companion");
  await sampleWith(made.edge, (one) => one.generation === 1 && countsOf(one, "a").requests === 0, 60_000);
  await ask(port, "/");
  await sampleWith(made.edge, (one) => countsOf(one, "a").requests === 1);
});

test("a reader of the log that has stopped slows nothing", async () => {
  await made.edge.apply(table(1, [target(a, 10_000)]));
  const companion = made.process("companion");
  companion.kill("SIGSTOP");
  const load = startLoad(port, 16);
  await load.more(5_000);
  const { failures } = await load.stop();
  companion.kill("SIGCONT");
  expect(failures).toEqual([]);
  // What did not fit is lost, and the rest is counted.
  await sampleWith(made.edge, (one) => countsOf(one, "a").requests > 0, 60_000);
});

test("WebSockets live on when routes change, and the new ones are in force", async () => {
  await made.edge.apply(table(1, [target(a, 10_000)]));
  const socket = openLong(port, webSocketHead());
  await socket.receives("101 Switching Protocols");
  const routes = [route({ policy: { ...openPolicy, headers: { "X-New": "yes" } } })];
  await made.edge.apply(table(2, [target(b, 10_000), target(a, 0)], { routes }));
  expect((await ask(port, "/")).headers["x-new"]).toBe("yes");
  socket.socket.write("still there");
  await socket.receives("still there");
  socket.socket.destroy();
});

test("a drain waits for requests under way and says how many are left", async () => {
  await made.edge.apply(table(1, [target(a, 10_000)]));
  const asked = ask(port, "/gate");
  await within(30_000, () => (a.waiting() === 1 ? true : null), "the request at the gate");
  await made.edge.apply(table(2, [target(b, 10_000)]));
  const left = target(a, 0).revision;
  // A control plane that has just been started does not know the addresses of a revision that left the table.
  expect(await made.edge.drain(left, { timeoutMs: 50, streamLimitMs: 60_000 })).toEqual({ inflight: 1 });
  const drained = made.edge.drain(left, { timeoutMs: 20_000, streamLimitMs: 60_000 });
  a.open();
  expect(await drained).toEqual({ inflight: 0 });
  expect((await asked).body).toBe("a");
});

test("an answer that breaks off is cut for the client too, and counts against its revision", async () => {
  await made.edge.apply(table(1, [target(a, 10_000)]));
  const events = openLong(port, "GET /sse HTTP/1.1\r\nHost: test.example\r\n\r\n");
  await events.receives("data: a");
  await a.close();
  await events.closed;
  expect(events.text().endsWith("0\r\n\r\n")).toBe(false);
  await sampleWith(made.edge, (one) => countsOf(one, "a").upstreamErrors === 1);
});

test("Debian stable's Caddy is refused with words", async () => {
  const old = await makeCaddyEdge({ program: await caddyPart("caddy-old") });
  await expect(old.edge.start(configOn(await freePort()))).rejects.toMatchObject({
    code: "EDGE_TOO_OLD",
    message: expect.stringContaining("2.6.2"),
  });
  await old.dispose();
  const none = await makeCaddyEdge({ program: "/nonexistent/caddy" });
  await expect(none.edge.start(configOn(await freePort()))).rejects.toMatchObject({ code: "EDGE_UNREACHABLE" });
  await none.dispose();
});
