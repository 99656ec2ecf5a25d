import { once } from "node:events";
import { createServer } from "node:net";
import { expect, it, onTestFinished } from "vitest";
import { startRedis } from "../../../testing/databases/servers.ts";
import { redisProbe } from "./index.ts";

const soon = (): AbortSignal => AbortSignal.timeout(20_000);

it("a Redis answers a ping, with a password and without, and is unknown when it does not let us in", async () => {
  const redis = await startRedis("--requirepass", "p@ss", "--user", "ops", "on", ">s3cret", "+ping", "+select");
  onTestFinished(() => redis.down());
  const probe = (user: string) => redisProbe({ url: new URL(`redis://${user}127.0.0.1:${redis.port}/1`) }).read(soon());
  expect(await probe(":p%40ss@")).toEqual({ is: "pass", saw: "PONG" });
  expect(await probe("ops:s3cret@")).toEqual({ is: "pass", saw: "PONG" });
  for (const user of ["", ":wrong@", "ops:wrong@"]) {
    const outcome = await probe(user);
    expect(outcome.is).toBe("unknown");
    expect(outcome.saw).not.toContain("wrong@");
  }
  await redis.kill();
  await expect(probe(":p%40ss@")).rejects.toThrow("connection refused");
});

it("what does not speak as a Redis, says too much or nothing has failed within bounds", async () => {
  const answers = [
    "HTTP/1.1 200 OK\r\n\r\n",
    "$999999999\r\n",
    "*99999999\r\n",
    `+${"x".repeat(3_000_000)}`,
    ":abc\r\n",
  ];
  for (const answer of [...answers, ""]) {
    const server = createServer((socket) => {
      socket.on("error", () => {});
      socket.write(answer);
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as { port: number };
    const signal = AbortSignal.timeout(answer === "" ? 50 : 20_000);
    await expect(redisProbe({ url: new URL(`redis://127.0.0.1:${port}`) }).read(signal)).rejects.toThrow(
      answer === "" ? /timeout/ : /does not speak as a Redis|announces|larger than was asked|sent more than/,
    );
    server.close();
  }
});
