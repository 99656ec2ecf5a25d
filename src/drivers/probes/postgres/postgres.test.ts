import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import type { Database } from "../../../testing/databases/database.ts";
import { startPostgres, testPassword } from "../../../testing/databases/servers.ts";
import { postgresProbe } from "./index.ts";

const password = encodeURIComponent(testPassword);
const soon = (): AbortSignal => AbortSignal.timeout(20_000);
let postgres: Database;

beforeAll(async () => {
  postgres = await startPostgres();
});
afterAll(() => postgres.down());

const probe = (user: string, query = "") =>
  postgresProbe({ url: new URL(`postgres://${user}@127.0.0.1:${postgres.port}/postgres${query}`) }).read(soon());

/** Something that listens where a PostgreSQL should. */
async function listening(onConnection: (socket: Socket) => void): Promise<number> {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    onConnection(socket);
  }).listen(0, "127.0.0.1");
  onTestFinished(() => {
    server.close();
  });
  await once(server, "listening");
  return (server.address() as { port: number }).port;
}

describe("a PostgreSQL", () => {
  it("is asked SELECT 1 by SCRAM, MD5 and trust, in the clear and through TLS", async () => {
    const answered = { is: "pass", saw: "SELECT 1 -> 1" };
    expect(await probe(`slip:${password}`)).toEqual(answered);
    expect(await probe(`slip:${password}`, "?sslmode=require")).toEqual(answered);
    expect(await probe(`slip:${password}`, "?sslmode=disable")).toEqual(answered);
    expect(await probe(`old:${password}`, "?sslmode=disable")).toEqual(answered);
    expect(await probe("postgres")).toEqual(answered);
    const again = postgresProbe({ url: new URL(`postgres://slip:${password}@127.0.0.1:${postgres.port}/postgres`) });
    for (let time = 0; time < 3; time += 1) expect(await again.read(soon())).toEqual(answered);
  });

  it("that does not let us in is unknown, and no message has the password in it", async () => {
    for (const user of ["slip:wrong", "nobody:wrong", "old:wrong"]) {
      const outcome = await probe(user);
      expect(outcome.is).toBe("unknown");
      expect(outcome.saw).toContain("password authentication failed");
      expect(outcome.saw).not.toContain("wrong");
    }
    const elsewhere = new URL(`postgres://slip:${password}@127.0.0.1:${postgres.port}/nowhere`);
    expect(await postgresProbe({ url: elsewhere }).read(soon())).toEqual({
      is: "unknown",
      saw: 'database "nowhere" does not exist (3D000)',
    });
    await expect(probe(`slip:${password}`, "?sslmode=verify-full")).rejects.toThrow(/self-signed certificate/);
  });

  it("that has no connection left for us fails", async () => {
    const held = await Promise.all(
      Array.from({ length: 8 }, async () => {
        const socket = new (await import("node:net")).Socket();
        socket.on("error", () => {});
        socket.connect(postgres.port, "127.0.0.1");
        // Begins to log in, and never answers the challenge.
        socket.write(
          Buffer.from(
            "0000002500030000757365720073 6c6970006461746162617365 00706f737467726573 0000".replaceAll(" ", ""),
            "hex",
          ),
        );
        await once(socket, "data");
        return socket;
      }),
    );
    const outcome = await probe(`slip:${password}`);
    for (const socket of held) socket.destroy();
    expect(outcome).toMatchObject({ is: "fail" });
    expect(outcome.saw).toMatch(/too many clients|remaining connection slots/);
  });

  it("that is gone, hangs, or is something else has failed with the reason", async () => {
    const url = (port: number): URL => new URL(`postgres://slip:${password}@127.0.0.1:${port}/postgres`);
    const silent = await listening(() => {});
    const hanging = postgresProbe({ url: url(silent) }).read(AbortSignal.timeout(50));
    await expect(hanging).rejects.toMatchObject({ name: "TimeoutError" });
    const http = await listening((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
    await expect(postgresProbe({ url: url(http) }).read(soon())).rejects.toThrow("does not speak as a PostgreSQL");
    const flood = await listening((socket) => socket.write("N".padEnd(4_000_000, "x")));
    await expect(postgresProbe({ url: url(flood) }).read(soon())).rejects.toThrow(/does not speak|more than/);
    await postgres.kill();
    await expect(probe(`slip:${password}`)).rejects.toThrow("connection refused");
  });
});
