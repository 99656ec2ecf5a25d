import { once } from "node:events";
import { type AddressInfo, connect, type Socket } from "node:net";
import Fastify, { type FastifyInstance } from "fastify";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { SlipwayError } from "../core/errors/error.ts";
import { Client } from "./client.ts";
import { streamLines } from "./stream.ts";

type Source = (signal: AbortSignal) => AsyncIterable<unknown>;

let server: FastifyInstance;
let source: Source;
let client: Client;
let port: number;
/** What the route's handler came to: a stream must never leave an error behind for nobody. */
let handled: Promise<unknown>[];

beforeEach(async () => {
  handled = [];
  server = Fastify({ forceCloseConnections: true });
  server.get("/items", (_request, reply) => {
    const done = streamLines(reply, (signal) => source(signal));
    handled.push(done);
    return done;
  });
  await server.listen({ host: "127.0.0.1", port: 0 });
  port = (server.server.address() as AddressInfo).port;
  client = new Client({ port, token: "t" });
});

afterEach(async () => {
  client.close();
  await server.close();
  await Promise.all(handled);
});

async function read(path = "/items", signal?: AbortSignal): Promise<unknown[]> {
  const items: unknown[] = [];
  for await (const item of client.stream(path, signal)) items.push(item);
  return items;
}

/** The bare connection, for what a client of ours would never do. */
async function raw(): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  socket.write("GET /items HTTP/1.1\r\nhost: x\r\n\r\n");
  await once(socket, "data");
  return socket;
}

describe("a stream of lines", () => {
  it("carries every item, as it was, and ends by saying so", async () => {
    const items = [1, null, "two\nlines", { a: [true, { b: "☃" }] }, [], ""];
    source = async function* () {
      yield* items;
    };
    expect(await read()).toEqual(items);
  });

  it("carries no item as well", async () => {
    source = async function* () {};
    expect(await read()).toEqual([]);
  });

  it("begins at once, before there is an item", async () => {
    source = (signal) => silence(signal);
    (await raw()).destroy();
  });

  it("carries an error with its code, evidence and hint, after the items before it", async () => {
    source = async function* () {
      yield 1;
      throw new SlipwayError("EDGE_DIED", { message: "it died", evidence: [["pid", "1"]], hint: "look" });
    };
    const seen: unknown[] = [];
    const all = (async () => {
      for await (const item of client.stream("/items")) seen.push(item);
    })();
    await expect(all).rejects.toMatchObject({
      code: "EDGE_DIED",
      message: "it died",
      evidence: [["pid", "1"]],
      hint: "look",
    });
    expect(seen).toEqual([1]);
  });

  it("tells a bug as such", async () => {
    source = async function* () {
      yield 1;
      throw new TypeError("x is not a function");
    };
    await expect(read()).rejects.toMatchObject({ code: "INTERNAL", message: "x is not a function" });
  });

  it("that is cut is told from one that has ended", async () => {
    source = async function* (signal) {
      yield 1;
      yield* silence(signal);
    };
    const stream = client.stream("/items");
    expect((await stream.next()).value).toBe(1);
    const next = expect(stream.next()).rejects.toMatchObject({ code: "CONTROL_PLANE_DOWN" });
    server.server.closeAllConnections();
    await next;
  });

  it("is not read faster than the client takes it", async () => {
    let made = 0;
    source = async function* () {
      for (; made < 100_000; made += 1) yield "x".repeat(10_000);
    };
    const socket = await raw();
    socket.pause();
    let before = -1;
    while (made !== before) {
      before = made;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    // As much as sockets hold, not a gigabyte.
    expect(made).toBeLessThan(5_000);
    socket.destroy();
  });
});

describe("a client that goes away", () => {
  it("in mid stream stops the source", async () => {
    const stopped = new Promise<void>((resolve) => {
      source = async function* (signal) {
        try {
          yield 1;
          yield* silence(signal);
        } finally {
          resolve();
        }
      };
    });
    const socket = await raw();
    socket.destroy();
    await stopped;
  });

  it("by its own signal, gets its own reason, and stops the source", async () => {
    let stop: () => void = () => {};
    const stopped = new Promise<void>((resolve) => {
      stop = resolve;
    });
    source = async function* (signal) {
      yield 1;
      yield* silence(signal);
      stop();
    };
    const gone = new AbortController();
    const stream = client.stream("/items", gone.signal);
    await stream.next();
    const refused = expect(stream.next()).rejects.toThrow("enough");
    gone.abort(new Error("enough"));
    await refused;
    await stopped;
  });

  it("while the source does not listen, does no harm: what it still gives goes nowhere", async () => {
    let gone: () => void = () => {};
    const left = new Promise<void>((resolve) => {
      gone = resolve;
    });
    source = async function* (signal) {
      yield 1;
      await once(signal, "abort");
      gone();
      for (let more = 0; more < 100; more += 1) yield "x".repeat(100_000);
      throw new Error("too late to tell anybody");
    };
    (await raw()).destroy();
    await left;
    await Promise.all(handled);
    source = async function* () {
      yield "others are answered";
    };
    expect(await read()).toEqual(["others are answered"]);
  });

  it("while the stream is full, stops the source", async () => {
    let stop: () => void = () => {};
    const stopped = new Promise<void>((resolve) => {
      stop = resolve;
    });
    source = async function* () {
      try {
        for (;;) yield "x".repeat(100_000);
      } finally {
        stop();
      }
    };
    const socket = await raw();
    socket.pause();
    socket.destroy();
    await stopped;
  });
});

/** Nothing, until it is aborted. */
async function* silence(signal: AbortSignal): AsyncGenerator<never> {
  if (!signal.aborted) await once(signal, "abort");
  yield* [];
}
