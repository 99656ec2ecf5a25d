import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { connect } from "./connect.ts";

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
