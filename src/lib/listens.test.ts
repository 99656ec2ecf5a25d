import { once } from "node:events";
import { type AddressInfo, createServer, type Server } from "node:net";
import { expect, it, onTestFinished } from "vitest";
import { whyNotListening } from "./listens.ts";

const { signal } = new AbortController();

async function listening(server: Server): Promise<string> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

it("who keeps a connection listens, who closes it or is not there does not", async () => {
  const silent = createServer((socket) => void socket.resume());
  const relay = createServer((socket) => void socket.destroy());
  const gone = createServer();
  const address = await listening(gone);
  gone.close();
  await once(gone, "close");
  expect(await whyNotListening(await listening(silent), 5_000, signal)).toBeNull();
  expect(await whyNotListening(await listening(relay), 5_000, signal)).toMatch(/closed at once/);
  expect(await whyNotListening(address, 5_000, signal)).toMatch(/refused/);
});

it("is called off", async () => {
  const stop = new AbortController();
  const asked = whyNotListening(await listening(createServer((socket) => void socket.resume())), 5_000, stop.signal);
  stop.abort(new Error("enough"));
  await expect(asked).rejects.toThrow("enough");
});
