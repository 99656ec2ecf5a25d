import { Agent } from "node:http";
import { expect, test } from "vitest";
import type { EdgeBench } from "../edge.ts";
import { ask, openLong, startLoad, webSocketHead } from "./client.ts";
import { openPolicy, route, table, target } from "./tables.ts";

export function switchingTests(at: () => EdgeBench): void {
  test("20 switches of all traffic under load fail no request", async () => {
    const { a, b, door, route } = at();
    await route([target(a, 10_000), target(b, 0)]);
    const load = startLoad(door, 16, ["/", "/slow?ms=20", "/x"]);
    for (let swap = 0; swap < 20; swap += 1) {
      await load.more(40);
      await route(swap % 2 === 0 ? [target(b, 10_000), target(a, 0)] : [target(a, 10_000), target(b, 0)]);
    }
    await load.more(40);
    const { answers, failures } = await load.stop();
    expect(failures).toEqual([]);
    expect(answers.get("a")).toBeGreaterThan(100);
    expect(answers.get("b")).toBeGreaterThan(100);
  });

  test("an acknowledged table is the one that every later request meets, on old and new connections", async () => {
    const { a, b, door, route } = at();
    const agent = new Agent({ keepAlive: true });
    await route([target(a, 10_000)]);
    await Promise.all(Array.from({ length: 20 }, () => ask(door, "/", { agent })));
    for (const now of [b, a, b, a]) {
      await route([target(now, 10_000)]);
      const kept = Array.from({ length: 20 }, () => ask(door, "/", { agent }));
      const fresh = Array.from({ length: 20 }, () => ask(door, "/"));
      for (const answer of await Promise.all([...kept, ...fresh])) expect(answer.body).toBe(now.label);
    }
    agent.destroy();
  });

  test("WebSockets and event streams outlive a table that gives their revision no traffic", async () => {
    const { a, b, door, route } = at();
    await route([target(a, 10_000)]);
    const socket = openLong(door, webSocketHead());
    await socket.receives("101 Switching Protocols");
    const events = openLong(door, "GET /sse HTTP/1.1\r\nHost: test.example\r\n\r\n");
    await events.receives("data: a");
    await route([target(b, 10_000), target(a, 0)]);
    await route([target(b, 10_000)]);
    socket.socket.write("are you there");
    await socket.receives("are you there");
    const had = events.text().length;
    await events.receives(new RegExp(`^[\\s\\S]{${had + 20},}`));
    expect((await ask(door, "/")).body).toBe("b");
    socket.socket.destroy();
    events.socket.destroy();
  });

  test("a table that is refused leaves the one in force", async () => {
    const { a, b, edge, door, route } = at();
    const generation = await route([target(a, 10_000)]);
    const bad = [
      table(generation + 1, [target(b, 5000)]),
      table(generation + 1, [target(b, 10_000)], { routes: [{ ...routeTo("nobody") }] }),
      table(generation, [target(b, 10_000)]),
      table(generation - 1, [target(b, 10_000)]),
    ];
    for (const one of bad) await expect(edge.apply(one)).rejects.toMatchObject({ code: "EDGE_REFUSED_TABLE" });
    expect((await edge.current())?.generation).toBe(generation);
    expect((await ask(door, "/")).body).toBe("a");
    // The same again is no news.
    await edge.apply(table(generation, [target(a, 10_000)]));
  });

  test("another control plane finds the table in force and goes on from it", async () => {
    const { a, b, again, door, route } = at();
    const generation = await route([target(a, 10_000)]);
    const other = again();
    expect(await other.current()).toEqual(table(generation, [target(a, 10_000)]));
    await other.apply(table(generation + 1, [target(b, 10_000)]));
    expect((await ask(door, "/")).body).toBe("b");
  });

  test("starting again with the same config disturbs nobody, and a listener is added beside the others", async () => {
    const { a, config, edge, door, route } = at();
    await route([target(a, 10_000)]);
    const load = startLoad(door, 8);
    await load.more(50);
    await edge.start(config);
    await edge.start({ ...config, limits: { ...config.limits, bodyBytes: 5 } });
    await load.more(50);
    const { failures } = await load.stop();
    // What the edge says it cannot promise: a connection that was just being opened or left idle. Never a wrong answer.
    const reset = edge.can.resetsOnReconfigure === true ? /socket hang up|ECONNRESET/ : null;
    expect(failures.filter((failure) => reset?.test(failure) !== true)).toEqual([]);
  });

  test("hosts and longest path prefixes decide, and a prefix is stripped when asked", async () => {
    const { a, b, edge, door } = at();
    await edge.apply({
      generation: 1,
      routes: [
        routeTo("web"),
        { ...routeTo("api"), pathPrefix: "/api", strip: true },
        { ...routeTo("api"), host: "api.example" },
      ],
      services: {
        web: { targets: [target(a, 10_000)], sticky: null, mode: "live" },
        api: { targets: [target(b, 10_000)], sticky: null, mode: "live" },
      },
    });
    expect((await ask(door, "/apiary")).body).toBe("a");
    expect((await ask(door, "/api/x?y=1")).body).toBe("b");
    expect(b.heads.at(-1)?.url).toBe("/x?y=1");
    expect((await ask(door, "/", { headers: { Host: "API.example:80" } })).body).toBe("b");
  });

  test("a service in maintenance answers 503 and says when to come back", async () => {
    const { a, door, route } = at();
    await route([target(a, 10_000)], { mode: "maintenance" });
    const answer = await ask(door, "/");
    expect(answer.status).toBe(503);
    expect(Number(answer.headers["retry-after"])).toBeGreaterThan(0);
    expect(a.seen.size).toBe(0);
  });
}

const routeTo = (service: string) => route({ service, policy: openPolicy });
