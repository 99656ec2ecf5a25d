import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { ourMark } from "../../api/agent-contract.ts";
import { digestHeader } from "../../api/digest-header.ts";
import { Link } from "./link.ts";

const content = randomBytes(3 * 1024 * 1024);
const digest = `sha256:${createHash("sha256").update(content).digest("hex")}`;
const signal = new AbortController().signal;

let directory: string;
let server: Server;
let asked = 0;
let cuts = 0;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "slipway-link-"));
  asked = 0;
  server = createServer((_, answer) => {
    asked += 1;
    const headers = { [ourMark.header]: ourMark.value, [digestHeader]: digest, "content-length": content.length };
    answer.writeHead(200, headers);
    if (asked > cuts) answer.end(content);
    else answer.write(content.subarray(0, content.length / 2), () => answer.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await rm(directory, { recursive: true, force: true });
});

const link = (said: string[] = []): Link =>
  new Link({
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    token: "token",
    log: (line) => void said.push(line),
  });

it("what a step works on is fetched from its beginning again when the connection is cut in the middle", async () => {
  cuts = 2;
  const said: string[] = [];
  const file = join(directory, "workspace.tar");
  expect(await link(said).workspace("lse_1", file, signal)).toBe(digest);
  expect((await readFile(file)).equals(content)).toBe(true);
  expect(asked).toBe(3);
  expect(said).toEqual(Array(2).fill(expect.stringMatching(/^the connection was cut while lse_1 was fetched: /)));
});

it("what cannot be written is not fetched again", async () => {
  cuts = 0;
  await expect(link().workspace("lse_1", join(directory, "none", "file"), signal)).rejects.toMatchObject({
    code: "ENOENT",
  });
  expect(asked).toBe(1);
});
