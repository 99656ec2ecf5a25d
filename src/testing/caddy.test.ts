import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { caddyPart } from "./caddy.ts";

test("the programs are those of Debian's current archive, and of its stable one", { timeout: 600_000 }, async () => {
  const version = async (part: "caddy" | "caddy-old"): Promise<string> =>
    execFileSync(await caddyPart(part), ["version"], { encoding: "utf8" }).trim();
  expect(await version("caddy")).toMatch(/^v?2\.(1[1-9]|[2-9]\d)/);
  expect(await version("caddy-old")).toMatch(/^v?2\.6\.2/);
});
