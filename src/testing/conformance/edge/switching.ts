import { Agent } from "node:http";
import { expect, test } from "vitest";
import { instanceId } from "../../../core/ids.ts";
import type { EdgeBench } from "../edge.ts";
import { ask, openLong, startLoad, webSocketHead } from "./client.ts";
import { openPolicy, revisionOf, route, table, target } from "./tables.ts";

export function switchingTests(at: () => EdgeBench): void {
  test("20 switches of all traffic under load fail no request", async () => {
    const { a, b, port, route } = at();
    await route([target(a, 10_000), target(b, 0)]);
    const load = startLoad(port, 16, ["/", "/slow?ms=20", "/x"]);
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
    const { a, b, port, route } = at();
    const agent = new Agent({ keepAlive: true });
    await route([target(a, 10_000)]);
    await Promise.all(Array.from({ length: 20 }, () => ask(port, "/", { agent })));
    for (const now of [b, a, b, a]) {
      await route([target(now, 10_000)]);
      const kept = Array.from({ length: 20 }, () => ask(port, "/", { agent }));
      const fresh = Array.from({ length: 20 }, () => ask(port, "/"));
      for (const answer of await Promise.all([...kept, ...fresh])) expect(answer.body).toBe(now.label);
    }
    agent.destroy();
  });

  test("shares follow the weights within half a point", async () => {
    const { a, b, port, route } = at();
    const agent = new Agent({ keepAlive: true, maxSockets: 20 });
    for (const weight of [100, 2500]) {
      await route([target(b, weight), target(a, 10_000 - weight)]);
      const answers = await Promise.all(Array.from({ length: 2000 }, () => ask(port, "/", { agent })));
      const share = answers.filter((answer) => answer.body === "b").length / answers.length;
      expect(Math.abs(share - weight / 10_000), `weight ${weight}`).toBeLessThanOrEqual(0.005);
    }
    agent.destroy();
  });

  test("a user with the edge's cookie never goes back while the candidate's weight rises", async () => {
    const { a, b, port, route } = at();
    const sticky = { cookie: "slipway" };
    await route([target(b, 0), target(a, 10_000)], { sticky });
    const agent = new Agent({ keepAlive: true, maxSockets: 20 });
    const first = await Promise.all(Array.from({ length: 300 }, () => ask(port, "/", { agent })));
    const cookies = first.map((answer) => answer.headers["set-cookie"]?.[0] ?? "");
    for (const cookie of cookies) expect(cookie).toMatch(/^slipway=[^;]+;.*HttpOnly/i);
    const users = cookies.map((cookie) => cookie.split(";")[0] ?? "");
    expect(new Set(users).size).toBe(300);
    let before = new Set<string>();
    for (const weight of [500, 2500, 5000, 9000, 10_000]) {
      await route([target(b, weight), target(a, 10_000 - weight)], { sticky });
      const on = new Set<string>();
      const answers = await Promise.all(
        users.map(async (Cookie) => ({ Cookie, answer: await ask(port, "/", { agent, headers: { Cookie } }) })),
      );
      for (const { Cookie, answer } of answers) {
        if (answer.body === "b") on.add(Cookie);
        expect(answer.headers["set-cookie"]).toBeUndefined();
      }
      for (const user of before) expect(on.has(user), `thrown back at ${weight}`).toBe(true);
      expect(Math.abs(on.size / 300 - weight / 10_000)).toBeLessThan(0.1);
      before = on;
    }
    agent.destroy();
  });

  test("a header keeps its sender on one revision", async () => {
    const { a, b, port, route } = at();
    await route([target(b, 5000), target(a, 5000)], { sticky: { header: "X-User" } });
    const seen = new Set<string>();
    for (let user = 0; user < 20; user += 1) {
      const asked = await Promise.all(
        Array.from({ length: 5 }, () => ask(port, "/", { headers: { "x-user": `user-${user}` } })),
      );
      expect(new Set(asked.map((answer) => answer.body)).size).toBe(1);
      seen.add(asked[0]?.body ?? "");
    }
    expect([...seen].sort()).toEqual(["a", "b"]);
  });

  test("who carries the candidate's value gets it whatever its share, who carries stable's never does, and all others as the weights say", async () => {
    const { a, b, port, route } = at();
    const values = { candidate: "1", stable: "0" };
    const asked = async (headers: Readonly<Record<string, string>>) => {
      const answers = await Promise.all(Array.from({ length: 40 }, () => ask(port, "/", { headers })));
      for (const answer of answers) expect(answer.headers["set-cookie"]).toBeUndefined();
      return answers.map(({ body }) => body).join("");
    };
    const header = { header: "X-Canary", ...values };
    await route([target(b, 100), target(a, 9_900)], { optIn: header });
    expect(await asked({ "x-canary": "1" })).toBe("b".repeat(40));
    await route([target(b, 9_900), target(a, 100)], { optIn: header });
    expect(await asked({ "x-canary": "0" })).toBe("a".repeat(40));
    for (const other of ["", "10", "x0"])
      expect((await asked({ "x-canary": other })).replaceAll("a", "").length, other).toBeGreaterThan(35);
    const cookie = { cookie: "canary", ...values };
    await route([target(b, 100), target(a, 9_900)], { optIn: cookie, sticky: { header: "X-User" } });
    expect(await asked({ Cookie: "other=0; canary=1", "x-user": "ada" })).toBe("b".repeat(40));
    await route([target(b, 9_900), target(a, 100)], { optIn: cookie });
    expect(await asked({ Cookie: "canary=0" })).toBe("a".repeat(40));
    // One side alone is both.
    await route([target(a, 10_000)], { optIn: header });
    expect([await asked({ "x-canary": "1" }), await asked({ "x-canary": "0" })]).toEqual([
      "a".repeat(40),
      "a".repeat(40),
    ]);
  });

  test("a candidate that cannot be reached loses nobody who chose it", async () => {
    const { a, b, port, route } = at();
    const gone = target(b, 100, { instances: [{ id: instanceId(revisionOf("b"), 0), address: "127.0.0.1:1" }] });
    await route([gone, target(a, 9_900)], { optIn: { header: "X-Canary", candidate: "1", stable: "0" } });
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => ask(port, "/", { headers: { "x-canary": "1" } })),
    );
    expect(answers.map(({ body }) => body)).toEqual(Array.from({ length: 10 }, () => "a"));
  });

  test("WebSockets and event streams outlive a table that gives their revision no traffic", async () => {
    const { a, b, port, route } = at();
    await route([target(a, 10_000)]);
    const socket = openLong(port, webSocketHead());
    await socket.receives("101 Switching Protocols");
    const events = openLong(port, "GET /sse HTTP/1.1\r\nHost: test.example\r\n\r\n");
    await events.receives("data: a");
    await route([target(b, 10_000), target(a, 0)]);
    await route([target(b, 10_000)]);
    socket.socket.write("are you there");
    await socket.receives("are you there");
    const had = events.text().length;
    await events.receives(new RegExp(`^[\\s\\S]{${had + 20},}`));
    expect((await ask(port, "/")).body).toBe("b");
    socket.socket.destroy();
    events.socket.destroy();
  });

  test("a table that is refused leaves the one in force", async () => {
    const { a, b, edge, port, route } = at();
    const generation = await route([target(a, 10_000)]);
    const bad = [
      table(generation + 1, [target(b, 5000)]),
      table(generation + 1, [target(b, 10_000)], { routes: [{ ...routeTo("nobody") }] }),
      table(generation, [target(b, 10_000)]),
      table(generation - 1, [target(b, 10_000)]),
    ];
    for (const one of bad) await expect(edge.apply(one)).rejects.toMatchObject({ code: "EDGE_REFUSED_TABLE" });
    expect((await edge.current())?.generation).toBe(generation);
    expect((await ask(port, "/")).body).toBe("a");
    // The same again is no news.
    await edge.apply(table(generation, [target(a, 10_000)]));
  });

  test("another control plane finds the table in force and goes on from it", async () => {
    const { a, b, again, port, route } = at();
    const generation = await route([target(a, 10_000)]);
    const other = again();
    expect(await other.current()).toEqual(table(generation, [target(a, 10_000)]));
    await other.apply(table(generation + 1, [target(b, 10_000)]));
    expect((await ask(port, "/")).body).toBe("b");
  });

  test("starting again with the same config disturbs nobody, and a listener is added beside the others", async () => {
    const { a, config, edge, port, route } = at();
    await route([target(a, 10_000)]);
    const load = startLoad(port, 8);
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
    const { a, b, edge, port } = at();
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
    expect((await ask(port, "/apiary")).body).toBe("a");
    expect((await ask(port, "/api/x?y=1")).body).toBe("b");
    expect(b.heads.at(-1)?.url).toBe("/x?y=1");
    expect((await ask(port, "/", { headers: { Host: "API.example:80" } })).body).toBe("b");
  });

  test("a service in maintenance answers 503 and says when to come back", async () => {
    const { a, port, route } = at();
    await route([target(a, 10_000)], { mode: "maintenance" });
    const answer = await ask(port, "/");
    expect(answer.status).toBe(503);
    expect(Number(answer.headers["retry-after"])).toBeGreaterThan(0);
    expect(a.seen.size).toBe(0);
  });
}

const routeTo = (service: string) => route({ service, policy: openPolicy });
