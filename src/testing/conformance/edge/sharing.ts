import { Agent } from "node:http";
import { expect, test } from "vitest";
import { instanceId } from "../../../core/ids.ts";
import type { EdgeBench } from "../edge.ts";
import { ask } from "./client.ts";
import { revisionOf, target } from "./tables.ts";

/** Who gets which revision by one table: thousands of requests. */
export function sharingTests(at: () => EdgeBench): void {
  test("shares follow the weights within half a point", async () => {
    const { a, b, door, route } = at();
    const agent = new Agent({ keepAlive: true, maxSockets: 20 });
    for (const weight of [100, 2500]) {
      await route([target(b, weight), target(a, 10_000 - weight)]);
      const answers = await Promise.all(Array.from({ length: 2000 }, () => ask(door, "/", { agent })));
      const share = answers.filter((answer) => answer.body === "b").length / answers.length;
      expect(Math.abs(share - weight / 10_000), `weight ${weight}`).toBeLessThanOrEqual(0.005);
    }
    agent.destroy();
  });

  test("a user with the edge's cookie never goes back while the candidate's weight rises", async () => {
    const { a, b, door, route } = at();
    const sticky = { cookie: "slipway" };
    await route([target(b, 0), target(a, 10_000)], { sticky });
    const agent = new Agent({ keepAlive: true, maxSockets: 20 });
    const first = await Promise.all(Array.from({ length: 300 }, () => ask(door, "/", { agent })));
    const cookies = first.map((answer) => answer.headers["set-cookie"]?.[0] ?? "");
    for (const cookie of cookies) expect(cookie).toMatch(/^slipway=[^;]+;.*HttpOnly/i);
    const users = cookies.map((cookie) => cookie.split(";")[0] ?? "");
    expect(new Set(users).size).toBe(300);
    let before = new Set<string>();
    for (const weight of [500, 2500, 5000, 9000, 10_000]) {
      await route([target(b, weight), target(a, 10_000 - weight)], { sticky });
      const on = new Set<string>();
      const answers = await Promise.all(
        users.map(async (Cookie) => ({ Cookie, answer: await ask(door, "/", { agent, headers: { Cookie } }) })),
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
    const { a, b, door, route } = at();
    await route([target(b, 5000), target(a, 5000)], { sticky: { header: "X-User" } });
    const seen = new Set<string>();
    for (let user = 0; user < 20; user += 1) {
      const asked = await Promise.all(
        Array.from({ length: 5 }, () => ask(door, "/", { headers: { "x-user": `user-${user}` } })),
      );
      expect(new Set(asked.map((answer) => answer.body)).size).toBe(1);
      seen.add(asked[0]?.body ?? "");
    }
    expect([...seen].sort()).toEqual(["a", "b"]);
  });

  test("who carries the candidate's value gets it whatever its share, who carries stable's never does, and all others as the weights say", async () => {
    const { a, b, door, route } = at();
    const values = { candidate: "1", stable: "0" };
    const asked = async (headers: Readonly<Record<string, string>>) => {
      const answers = await Promise.all(Array.from({ length: 40 }, () => ask(door, "/", { headers })));
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
    const { a, b, door, route } = at();
    const gone = target(b, 100, { instances: [{ id: instanceId(revisionOf("b"), 0), address: "127.0.0.1:1" }] });
    await route([gone, target(a, 9_900)], { optIn: { header: "X-Canary", candidate: "1", stable: "0" } });
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => ask(door, "/", { headers: { "x-canary": "1" } })),
    );
    expect(answers.map(({ body }) => body)).toEqual(Array.from({ length: 10 }, () => "a"));
  });
}
