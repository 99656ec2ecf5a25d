import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import { expect, it, onTestFinished } from "vitest";
import { type EndpointOptions, endpointProbe } from "./index.ts";

const soon = (): AbortSignal => AbortSignal.timeout(20_000);

async function serving(listener: RequestListener): Promise<URL> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  await once(server, "listening");
  return new URL(`http://127.0.0.1:${(server.address() as { port: number }).port}/shop?q=1`);
}

const options = { method: "GET", headers: {}, status: null, body: null, withinMs: null } as const;
const probe = (url: URL, more: Partial<EndpointOptions> = {}) =>
  endpointProbe({ ...options, url, ...more }).read(soon());

it("an endpoint is judged by status, body and the time to its first byte, with the headers that were given", async () => {
  const url = await serving((request, response) => {
    response.statusCode = request.headers.authorization === "Bearer t0ken" ? 200 : 401;
    response.end(JSON.stringify({ at: request.url, status: "healthy" }));
  });
  const headers = { authorization: "Bearer t0ken" };
  expect(await probe(url)).toMatchObject({ is: "fail", saw: expect.stringMatching(/^401 /) });
  expect(await probe(url, { headers })).toMatchObject({ is: "pass", saw: expect.stringContaining("/shop?q=1") });
  expect(await probe(url, { headers, status: [204] })).toMatchObject({ is: "fail" });
  expect(await probe(url, { headers, body: { status: "healthy" } })).toMatchObject({ is: "pass" });
  expect(await probe(url, { headers, body: { status: "sick" } })).toMatchObject({ is: "fail" });
  expect(await probe(url, { headers, withinMs: 0 })).toMatchObject({
    is: "fail",
    saw: expect.stringContaining("within 0 ms was wanted"),
  });
});

it("an endpoint that hangs, breaks off or is not there has failed, and one that never ends is cut off", async () => {
  const hanging = await serving(() => {});
  await expect(endpointProbe({ ...options, url: hanging }).read(AbortSignal.timeout(50))).rejects.toMatchObject({
    name: "TimeoutError",
  });
  const breaking = await serving((_, response) => response.destroy());
  await expect(probe(breaking)).rejects.toThrow(/connection (reset|closed)/);
  const endless = await serving((_, response) => {
    const more = (): boolean => response.write("x".repeat(100_000), () => setImmediate(more));
    more();
  });
  expect(await probe(endless)).toMatchObject({ is: "pass" });
  const gone = new URL("http://127.0.0.1:1/");
  await expect(probe(gone)).rejects.toThrow("connection refused");
});
