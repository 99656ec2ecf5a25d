import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { connect } from "./connect.ts";
import { withRunning } from "./session.ts";

it("does not wait for ever for a control plane that hangs, and starts none beside it", async () => {
  const mute = createServer(() => {});
  await new Promise<void>((resolve) => mute.listen(0, "127.0.0.1", resolve));
  const stateDir = mkdtempSync(join(tmpdir(), "slipway-hangs-"));
  onTestFinished(async () => {
    mute.closeAllConnections();
    await new Promise((resolve) => mute.close(resolve));
    rmSync(stateDir, { recursive: true });
  });
  const { port } = mute.address() as AddressInfo;
  writeFileSync(join(stateDir, "token"), "t");
  writeFileSync(join(stateDir, "control-plane.json"), JSON.stringify({ pid: process.pid, port, product: "shop" }));
  for (const start of [false, true])
    await expect(connect({ stateDir, start, patienceMs: 20 })).rejects.toMatchObject({
      code: "TIMED_OUT",
      message: `the control plane (pid ${process.pid}) runs and has not answered within 20ms`,
      hint: expect.stringContaining(`kill -9 ${process.pid}`),
    });
});

it("says that the token is gone or another one while a control plane lives, and makes none that would lock everybody out", async () => {
  const body = (url: string | undefined) =>
    url === "/v1/alive"
      ? { pid: process.pid }
      : { error: { code: "UNAUTHORIZED", message: "no", evidence: [], hint: "" } };
  const living = createServer((request, response) => {
    response.writeHead(request.url === "/v1/alive" ? 200 : 401, { "content-type": "application/json" });
    response.end(JSON.stringify(body(request.url)));
  });
  await new Promise<void>((resolve) => living.listen(0, "127.0.0.1", resolve));
  const stateDir = mkdtempSync(join(tmpdir(), "slipway-token-"));
  onTestFinished(async () => {
    living.closeAllConnections();
    await new Promise((resolve) => living.close(resolve));
    rmSync(stateDir, { recursive: true });
  });
  const { port } = living.address() as AddressInfo;
  writeFileSync(join(stateDir, "control-plane.json"), JSON.stringify({ pid: process.pid, port, product: "shop" }));
  const token = join(stateDir, "token");
  const refusal = (why: string) => ({
    code: "UNAUTHORIZED",
    message: `the control plane (pid ${process.pid}) runs, and ${why}`,
    evidence: [["token", token]],
    hint: expect.stringContaining(`kill ${process.pid}, and then: slipway up`),
  });
  for (const start of [false, true])
    await expect(connect({ stateDir, start })).rejects.toMatchObject(refusal("its token is gone"));
  expect(existsSync(token)).toBe(false);
  writeFileSync(token, "another");
  await expect(withRunning({ stateDir }, ({ client }) => client.get("/v1/status"))).rejects.toMatchObject(
    refusal("it has another token than this one"),
  );
});
