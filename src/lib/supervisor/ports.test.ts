import { once } from "node:events";
import { createServer } from "node:net";
import { expect, test } from "vitest";
import { Ports, portIsFree } from "./ports.ts";

test("ports are given in turn, none twice, none that a stranger holds on any address, until there are no more", async () => {
  const stranger = createServer().listen(0, "127.0.0.1");
  await once(stranger, "listening");
  const taken = (stranger.address() as { port: number }).port;
  expect(await portIsFree(taken)).toBe(false);
  const ports = new Ports({ from: taken, to: taken }, 0);
  expect(await ports.acquire()).toBeNull();
  stranger.close();
  await once(stranger, "close");
  expect(await ports.acquire()).toBe(taken);
  expect(await ports.acquire()).toBeNull();
  ports.release(taken);
  expect(ports.claim(taken)).toBe(true);
  expect(ports.claim(taken)).toBe(false);
});
