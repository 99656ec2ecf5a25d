import { expect, test } from "vitest";
import { freePort } from "../../ports.ts";
import type { EdgeBench } from "../edge.ts";
import { ask, within } from "./client.ts";
import { countsOf, sampleWith } from "./samples.ts";
import { target } from "./tables.ts";

export function failureTests(at: () => EdgeBench): void {
  test("a revision that cannot be connected to is answered for by the fallback, and the errors are its own", async () => {
    const { a, b, edge, door, route } = at();
    await b.close();
    await route([target(b, 10_000), target(a, 0, { fallback: true })]);
    for (let index = 0; index < 20; index += 1) {
      const answer = await ask(door, "/", { method: index % 2 === 0 ? "GET" : "POST", body: "x" });
      expect([answer.status, answer.body]).toEqual([200, "a"]);
    }
    if (!edge.can.connectErrors) return;
    const sample = await sampleWith(edge, (one) => countsOf(one, "a").requests >= 20);
    expect(countsOf(sample, "b").connectErrors).toBe(20);
    expect(countsOf(sample, "b").requests).toBe(0);
  });

  test("without a fallback another revision with a weight answers", async () => {
    const { a, b, door, route } = at();
    await b.close();
    await route([target(b, 5000), target(a, 5000)]);
    for (let index = 0; index < 10; index += 1) expect((await ask(door, "/")).body).toBe("a");
  });

  test("a dead instance of a living revision is answered for by its neighbour", async () => {
    const { a, door, route, backend } = at();
    const dead = await backend("a2");
    await dead.close();
    await route([target([a, dead], 10_000)]);
    for (let index = 0; index < 20; index += 1)
      expect((await ask(door, "/", { method: "POST", body: "x" })).body).toBe("a");
  });

  test("a request that could do harm twice reaches services once, also when its connection is lost", async () => {
    const { a, b, edge, door, route } = at();
    await route([target(b, 10_000), target(a, 0, { fallback: true })]);
    for (const method of ["POST", "PATCH"]) {
      const answer = await ask(door, "/die", { method, body: "x" });
      expect(answer.status).toBe(502);
      expect(b.seen.get(`${method} /die`)).toBe(1);
      expect(a.seen.size).toBe(0);
    }
    const sample = await sampleWith(edge, (one) => countsOf(one, "b").requests >= 2);
    expect(countsOf(sample, "b")).toMatchObject({ upstreamErrors: 2, byClass: [0, 0, 0, 0, 2] });
  });

  test("a lost idempotent request without a body is answered by the fallback", async () => {
    const { a, b, edge, door, route } = at();
    const { lossy } = await lossyTarget(at());
    await route([lossy, target(a, 0, { fallback: true })]);
    for (const method of ["GET", "DELETE"]) expect((await ask(door, "/", { method })).body).toBe("a");
    expect(b.seen.size).toBe(0);
    if (!edge.can.connectErrors) return;
    const sample = await sampleWith(edge, (one) => countsOf(one, "a").requests >= 2);
    expect(countsOf(sample, "lossy").upstreamErrors).toBe(2);
  });

  test("one that is lost at a candidate after traffic was taken back is answered by stable", async () => {
    const { a, b, door, route } = at();
    await route([target(b, 10_000), target(a, 0, { fallback: true })]);
    const asked = ask(door, "/gate");
    await within(30_000, () => (b.waiting() === 1 ? true : null), "a request at the gate");
    await route([target(a, 10_000)]);
    await b.close();
    await within(30_000, () => (a.waiting() === 1 ? true : null), "the request at the other gate");
    a.open();
    expect((await asked).body).toBe("a");
  });

  test("when nobody can be connected to the answer is 502, says so and names no address", async () => {
    const { door, route } = at();
    const gone = `127.0.0.1:${await freePort()}`;
    const dead = { label: "dead", address: gone } as Parameters<typeof target>[0];
    await route([target(dead, 10_000)]);
    const answer = await ask(door, "/");
    expect(answer.status).toBe(502);
    expect(JSON.stringify(answer)).not.toContain(gone);
  });

  test("a service that does not answer in time is 504 for its client", async () => {
    const { a, config, edge, door, route } = at();
    await edge.start({ ...config, limits: { ...config.limits, upstreamTimeoutMs: 300 } });
    await route([target(a, 10_000)]);
    expect((await ask(door, "/slow?ms=5000")).status).toBe(504);
  });
}

/** A revision whose only instance accepts a request and closes the connection. */
async function lossyTarget({ backend }: EdgeBench): Promise<{ lossy: ReturnType<typeof target> }> {
  const { createServer } = await import("node:net");
  const shape = await backend("lossy");
  const [host = ""] = shape.address.split(":");
  const server = createServer((socket) => socket.once("data", () => socket.destroy()).on("error", () => undefined));
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  server.unref();
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return { lossy: target({ ...shape, address: `${host}:${port}` }, 10_000) };
}
