import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { makeProduct, type TestProduct } from "./fixture/product.ts";

const bin = fileURLToPath(new URL("../bin/slipway.js", import.meta.url));

type Result = { readonly code: number; readonly out: string; readonly err: string };

/** What a person meets when the world is not as it should be: a clear word each time, and nothing lost. */
describe("slipway, when luck is bad", () => {
  let product: TestProduct;

  beforeEach(async () => {
    product = await makeProduct();
    product.commit("one", "good");
  });

  afterEach(async () => {
    await slipway(["down", "--all"]);
    rmSync(product.directory, { recursive: true, force: true });
  });

  async function slipway(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Result> {
    const child = spawn(process.execPath, [bin, ...args], {
      cwd: product.directory,
      env: { ...process.env, NO_COLOR: "1", ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let out = "";
    let err = "";
    child.stdout.on("data", (chunk) => {
      out += chunk;
    });
    child.stderr.on("data", (chunk) => {
      err += chunk;
    });
    const [code] = (await once(child, "close")) as [number];
    return { code, out, err };
  }

  const stateFile = (name: string): string => join(product.directory, ".slipway", name);

  it("says that the port of the edge is taken, and serves as soon as it is free", async () => {
    const stranger = createServer();
    stranger.listen(product.port, "127.0.0.1");
    await once(stranger, "listening");
    const refused = await slipway(["deploy", "--env", "production", "--yes"]);
    expect(refused.code).toBe(1);
    expect(refused.out).toContain("PORT_TAKEN");
    expect(refused.out).toContain(String(product.port));
    const seen = await slipway(["doctor"]);
    expect([seen.code, seen.out]).toEqual([
      1,
      expect.stringMatching(/✖ +edge embedded .*another program listens there/),
    ]);
    expect((await slipway(["status"])).out).toMatch(/ live \d+ (s|min) ago/);
    stranger.close();
    await once(stranger, "close");
    await expect.poll(() => fetchText(product.port), { timeout: 60_000 }).toBe("one");
  });

  it("leaves a broken state file untouched, says so, and comes back with a copy", async () => {
    expect((await slipway(["deploy", "--env", "production", "--yes"])).code).toBe(0);
    const copy = join(product.directory, "..", `${product.port}.copy.db`);
    expect((await slipway(["state", "backup", copy])).code).toBe(0);
    expect((await slipway(["down"])).code).toBe(0);
    const stopped = await slipway(["doctor"]);
    expect([stopped.code, stopped.out]).toEqual([
      1,
      expect.stringMatching(/✔ +store .*whole\n✖ +control plane +no control/),
    ]);
    writeFileSync(stateFile("state.db"), "this is no database, and has been written by mistake".repeat(200));
    const broken = readFileSync(stateFile("state.db"));
    const refused = await slipway(["up"]);
    expect(refused.code).toBe(1);
    expect(refused.err).toContain("STORE_CORRUPT");
    expect(refused.err).toContain("slipway state restore");
    expect(readFileSync(stateFile("state.db")).equals(broken)).toBe(true);
    expect((await slipway(["doctor"])).out).toMatch(/✖ +store .* is not a sound state/);
    // Nobody decides meanwhile, and the users do not notice.
    expect(await fetchText(product.port)).toBe("one");
    const restored = await slipway(["state", "restore", copy]);
    expect(restored.err).toBe("");
    expect(restored.code).toBe(0);
    expect((await slipway(["up"])).code).toBe(0);
    const status = await slipway(["status"]);
    expect(status.out).toContain("r1 0.1.0");
    rmSync(copy);
  });

  it("has one control plane a state directory, however many commands start one at once", async () => {
    const results = await Promise.all([
      slipway(["up", "--json"]),
      slipway(["up", "--json"]),
      slipway(["up", "--json"]),
    ]);
    expect(results.map((result) => result.code)).toEqual([0, 0, 0]);
    const pids = new Set(results.map((result) => (JSON.parse(result.out) as { pid: number }).pid));
    expect(pids.size).toBe(1);
  });

  it("only looks when it is asked to look: nothing is started, and what to type is said", async () => {
    for (const args of [["status"], ["history"], ["releases"], ["logs"], ["status", "--json"]]) {
      const { code, out, err } = await slipway(args);
      expect([code, out + err]).toEqual([1, expect.stringContaining("CONTROL_PLANE_DOWN")]);
      expect(out + err).toContain("slipway deploy --env");
    }
    expect((await slipway(["doctor"])).out).toContain("nothing has been deployed from here");
    expect(existsSync(join(product.directory, ".slipway"))).toBe(false);
    expect((await slipway(["deploy", "--env", "production", "--yes"])).code).toBe(0);
    expect((await slipway(["down"])).code).toBe(0);
    expect((await slipway(["status"])).err).toContain("slipway up");
    expect(await fetchText(product.port)).toBe("one");
    expect((await slipway(["down"])).out).toContain("no control plane runs");
  });

  it("says that its state directory is not to be used, and whose it is", async () => {
    writeFileSync(join(product.directory, ".slipway"), "somebody's notes");
    for (const args of [["status"], ["deploy", "--env", "production", "--yes"], ["down"]]) {
      const { code, err } = await slipway(args);
      expect([code, err]).toEqual([2, expect.stringMatching(/STATE_UNUSABLE.*ENOTDIR.*owner/s)]);
    }
    rmSync(join(product.directory, ".slipway"));
  });

  it("says that git is missing, before anything has changed", async () => {
    const empty = join(product.directory, ".slipway-empty-path");
    mkdirSync(empty);
    const refused = await slipway(["deploy", "--env", "production", "--yes"], { PATH: empty });
    rmSync(empty, { recursive: true });
    expect(refused.code).toBe(2);
    expect(refused.err).toContain("GIT_MISSING");
  });

  it("refuses a dirty tree with its paths, and takes it when that is said", async () => {
    writeFileSync(join(product.directory, "web", "notes.txt"), "not committed");
    const refused = await slipway(["deploy", "--env", "production", "--yes"]);
    expect(refused.code).toBe(2);
    expect(refused.err).toContain("TREE_DIRTY");
    expect(refused.err).toContain("web/notes.txt");
    const taken = await slipway(["deploy", "--env", "production", "--yes", "--dirty"]);
    expect(taken.code).toBe(0);
    expect(taken.out).toContain("0.1.0+dirty");
  });

  it("shows the last probe and the log of a service that answers garbage", async () => {
    writeFileSync(
      join(product.directory, "web", "server.mjs"),
      'import { createServer } from "node:net";\nconsole.log("I speak in riddles");\ncreateServer((socket) => socket.end("riddle\\r\\n\\r\\n")).listen(Number(process.env.PORT), "127.0.0.1");\n',
    );
    // It would be waited for as long as a busy machine may need.
    const config = join(product.directory, "slipway.config.json");
    writeFileSync(config, readFileSync(config, "utf8").replaceAll('"deadline": "60s"', '"deadline": "2s"'));
    const refused = await slipway(["deploy", "--env", "production", "--yes", "--dirty"]);
    expect(refused.code).toBe(1);
    expect(refused.out).toContain("PROBE_DEADLINE");
    expect(refused.out).toContain("not HTTP");
    expect(refused.out).toContain("I speak in riddles");
  });

  it("stops a service that ignores SIGTERM and has forked, and leaves nothing behind", async () => {
    const marker = join(product.directory, "web", "pids");
    writeFileSync(
      join(product.directory, "web", "server.mjs"),
      `import { spawn } from "node:child_process";
import { createServer } from "node:http";
import { appendFileSync } from "node:fs";
process.on("SIGTERM", () => {});
const child = spawn(process.execPath, ["-e", "process.on('SIGTERM', () => {}); setInterval(() => {}, 1000)"], { stdio: "ignore" });
appendFileSync(${JSON.stringify(marker)}, process.pid + " " + child.pid + " ");
createServer((_, response) => response.end("stubborn")).listen(Number(process.env.PORT), process.env.HOST);
`,
    );
    expect((await slipway(["deploy", "--env", "production", "--yes", "--dirty"])).code).toBe(0);
    expect(await fetchText(product.port)).toBe("stubborn");
    expect((await slipway(["down", "--all"])).code).toBe(0);
    const pids = readFileSync(marker, "utf8").trim().split(" ").map(Number);
    expect(pids.length).toBeGreaterThanOrEqual(4);
    expect(pids.filter(isAlive)).toEqual([]);
    expect(existsSync(stateFile("state.db"))).toBe(true);
  });

  it("tells usage errors from failures by their exit codes", async () => {
    expect((await slipway(["deploy"])).code).toBe(2);
    expect((await slipway(["frobnicate"])).code).toBe(2);
    const unknown = await slipway(["deploy", "--env", "prod", "--yes"]);
    expect(unknown.code).toBe(2);
    expect(unknown.err).toContain("UNKNOWN_ENVIRONMENT");
    // Before the build, and before the working tree is looked at.
    writeFileSync(join(product.directory, "notes.txt"), "not committed");
    expect((await slipway(["deploy", "--env", "producton", "--yes"])).err).toContain('did you mean "production"?');
    rmSync(join(product.directory, "notes.txt"));
    expect((await slipway(["releases"])).out).toContain("no release yet");
    expect((await slipway(["deploy", "--env", "prod", "--yes", "--commit", "HEAD"])).err).toContain(
      "UNKNOWN_ENVIRONMENT",
    );
    expect((await slipway(["rollback", "production"])).err).toContain("UNKNOWN_ENVIRONMENT");
    expect((await slipway(["deploy", "--env", "production", "--yes", "--timeout", "banana"])).code).toBe(2);
    expect((await slipway(["status", "--json"])).out).not.toContain("dep_");
    expect((await slipway(["deploy", "--env", "production", "--yes"])).code).toBe(0);
    const nothing = await slipway(["rollback", "production"]);
    expect(nothing.code).toBe(1);
    expect(nothing.err).toContain("NOTHING_TO_ROLL_BACK");
    expect((await slipway(["lock", "production", "--reason", "inventory"])).code).toBe(0);
    const typo = await slipway(["logs", "--service", "wbe"]);
    expect([typo.code, typo.err]).toEqual([0, "! nothing is called wbe now; there are: web, worker\n"]);
    const locked = await slipway(["deploy", "--env", "production", "--yes"]);
    expect(locked.code).toBe(6);
    expect(locked.err).toContain("inventory");
  });
});

async function fetchText(port: number): Promise<string> {
  return fetch(`http://127.0.0.1:${port}/`).then(
    (response) => response.text(),
    (error: unknown) => String(error),
  );
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
