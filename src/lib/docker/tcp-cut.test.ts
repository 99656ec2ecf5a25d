import { afterAll, beforeAll, expect, test } from "vitest";
import { startHosts, type TestHosts } from "../../testing/hosts/hosts.ts";
import { type Docker, openDocker } from "./docker.ts";

const never = new AbortController().signal;
const port = 2375;

let hosts: TestHosts;
let docker: Docker;

beforeAll(async () => {
  hosts = await startHosts(1, { daemon: { hosts: ["unix:///run/docker.sock", `tcp://0.0.0.0:${port}`] } });
  docker = openDocker({ url: `tcp://${hosts.hosts[0]?.address}:${port}`, tls: null });
});
afterAll(async () => {
  await docker.close();
  await hosts.down();
});

test("what an engine by tcp tells ends when its host is cut off without a word, and goes on when it is back", async () => {
  const host = hosts.hosts[0];
  const follow = () => docker.stream({ method: "GET", path: "/events", signal: never, timeoutMs: null });
  const told = await follow();
  await host?.cut();
  const ended = (async () => {
    for await (const _ of told);
  })();
  await expect(ended).rejects.toMatchObject({ code: "AWAY" });
  await host?.mend();
  (await follow()).destroy();
});
