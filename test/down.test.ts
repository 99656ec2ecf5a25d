import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { caddyPart } from "../src/testing/caddy.ts";
import { makeProduct, type TestProduct } from "./fixture/product.ts";

const bin = fileURLToPath(new URL("../bin/slipway.js", import.meta.url));

/** Whatever was under way, nothing of the product runs when it has returned, and nothing begins again. */
describe("slipway down --all", () => {
  let caddy: string;
  let product: TestProduct;
  const started: number[] = [];

  beforeAll(async () => {
    caddy = await caddyPart("caddy");
  });
  beforeEach(async () => {
    product = await makeProduct({ bake: "10m", instances: 1 });
  });
  afterEach(async () => {
    for (const { pid } of running()) process.kill(pid, "SIGKILL");
    rmSync(product.directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  });

  function slipway(...args: readonly string[]) {
    const child = spawn(process.execPath, [bin, ...args], {
      cwd: product.directory,
      env: { ...process.env, NO_COLOR: "1", SLIPWAY_CADDY: caddy },
      stdio: ["ignore", "pipe", "inherit"],
    });
    started.push(child.pid ?? 0);
    let out = "";
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      out += chunk;
    });
    const ended = once(child, "close").then(([code]) => ({ code: code as number | null, out }));
    return { child, ended };
  }

  /** Every process that was told the product's directory or works in it, but the commands of this test. */
  function running(): readonly { readonly pid: number; readonly command: string }[] {
    const here = realpathSync(product.directory);
    return readdirSync("/proc").flatMap((name) => {
      const pid = Number(name);
      if (!Number.isInteger(pid) || started.includes(pid)) return [];
      try {
        const command = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim();
        const isOurs = command.includes(here) || realpathSync(`/proc/${pid}/cwd`).startsWith(here);
        return isOurs && command !== "" ? [{ pid, command }] : [];
      } catch {
        return [];
      }
    });
  }

  const one = (part: string): number => {
    const [found] = running().filter(({ command }) => command.includes(part));
    if (found === undefined) throw new Error(`no ${part} runs`);
    return found.pid;
  };

  const answered = () => fetch(`http://127.0.0.1:${product.port}/`).then((answer) => answer.text());

  it("is not undone by a command that follows a deployment meanwhile", async () => {
    product.commit("one", "good");
    const deploying = slipway("deploy", "--env", "production", "--yes");
    await expect.poll(() => answered().catch(String), { timeout: 120_000 }).toBe("one");
    expect((await slipway("down", "--all").ended).code).toBe(0);
    expect(running()).toEqual([]);
    // It looks for the next control plane for a while, and starts none.
    expect((await deploying.ended).code).toBe(1);
    expect(running()).toEqual([]);
    expect(existsSync(join(product.directory, ".slipway", "control-plane.json"))).toBe(false);
  });

  it("ends a Caddy beside which nothing answers any more", async () => {
    const edge = { driver: "caddy", listen: `127.0.0.1:${product.port}` };
    product.commit("one", "good", { bake: "0s", instances: 1, more: { environments: { production: { edge } } } });
    expect((await slipway("deploy", "--env", "production", "--yes").ended).code).toBe(0);
    expect(await answered()).toBe("one");
    process.kill(one("caddy/companion"), "SIGSTOP");
    expect((await slipway("down", "--all").ended).code).toBe(0);
    expect(running()).toEqual([]);
  });

  it("waits for an edge that is just being started, and ends it", async () => {
    const edge = { driver: "caddy", listen: `127.0.0.1:${product.port}` };
    product.commit("one", "good", { bake: "0s", instances: 1, more: { environments: { production: { edge } } } });
    const deploying = slipway("deploy", "--env", "production", "--yes");
    await expect
      .poll(() => running().some(({ command }) => command.includes("caddy/companion")), {
        timeout: 120_000,
        interval: 5,
      })
      .toBe(true);
    expect((await slipway("down", "--all").ended).code).toBe(0);
    expect(running()).toEqual([]);
    deploying.child.kill("SIGKILL");
    await deploying.ended;
  });
});
