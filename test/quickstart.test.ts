import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const program = fileURLToPath(new URL("../examples/quickstart/run.js", import.meta.url));

/** The story checks itself: every end, every exit code, every answer, and that no request failed. */
it("the quickstart ends as told, with 200 requests a second and none failed", async () => {
  const child = spawn(process.execPath, [program], {
    env: { ...process.env, NO_COLOR: "1" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let text = "";
  child.stdout.on("data", (chunk) => {
    text += chunk;
  });
  const [code] = (await once(child, "close")) as [number];
  expect(text).toContain("Everything ended as told.");
  expect(text).toMatch(/requests sent, 0 failed/);
  expect(code).toBe(0);
}, 300_000);
