import { execFileSync, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ProductInput } from "../../src/core/product/input.ts";
import { askApi } from "./api.fixture.ts";

/**
 * How a version of web behaves. `errors` are nine answers of ten, counted and not by chance, so that the fewest requests that are
 * judged show it; `slow` is healthy after three seconds, `greedy` takes memory without end when it has visitors,
 * `large` is an image of 16 MB more than the others.
 * A visit of `/burn/5` costs any of them 5 ms of processor time; one of `/hold/300` has it hold 300 MiB, until nobody has asked for two seconds.
 */
export type Behaviour = "good" | "slow" | "unhealthy" | "errors" | "greedy" | "large";

type Services = NonNullable<ProductInput["services"]>;

/** What `slipway … --json` came to. */
export type Answer<Result> = { readonly code: number | null; readonly result: Result; readonly text: string };

const program = fileURLToPath(new URL("../../bin/slipway.js", import.meta.url));

/**
 * A product in a git repository of its own whose services are made by Dockerfiles: web counts its visits in Redis, worker counts
 * its seconds. Used as a person would, by the `slipway` command and the control plane that it starts.
 */
export class ContainerProduct {
  readonly directory = mkdtempSync(join(tmpdir(), "slipway-docker-e2e-"));
  readonly #config: ProductInput & { readonly services: Services };
  readonly #env: NodeJS.ProcessEnv;

  constructor(
    config: Omit<ProductInput, "name" | "services"> & Partial<Pick<ProductInput, "name" | "services">>,
    env: NodeJS.ProcessEnv = {},
  ) {
    this.#config = { name: "shop", ...config, services: config.services ?? { web, worker } };
    this.#env = env;
    this.#git("init", "--quiet", "--initial-branch=main");
  }

  /** Commits a version of all services; `more` is what is different in the config of this one. */
  commit(
    version: string,
    behaviour: Behaviour = "good",
    { services: changed = {}, ...more }: Partial<ProductInput> = {},
  ): void {
    const { web: usual, ...others } = this.#config.services;
    // One that never becomes healthy is given up soon; for the others a busy machine has all the time it needs.
    const health = {
      ...probing,
      deadline: behaviour === "unhealthy" ? ("3s" as const) : ("60s" as const),
      // On a busy machine it is deaf for seconds before memory ends it, and that end is what is to be seen.
      ...(behaviour === "greedy" && { retries: 100 }),
    };
    const services = { web: { ...usual, health }, ...others, ...changed } as Services;
    const files = {
      "slipway.config.json": JSON.stringify({ ...this.#config, ...more, services }, null, 2),
      "web/Dockerfile": dockerfile,
      "web/server.mjs": `const version = ${JSON.stringify(version)}, behaviour = ${JSON.stringify(behaviour)};${webProgram}${behaviour === "large" ? `// ${randomBytes(8_388_608).toString("hex")}` : ""}`,
      "worker/Dockerfile": dockerfile,
      "worker/server.mjs": `const version = ${JSON.stringify(version)};${workerProgram}`,
    };
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(join(this.directory, path, ".."), { recursive: true });
      writeFileSync(join(this.directory, path), text);
    }
    this.#git("add", "--all", "--", "slipway.config.json", "web", "worker");
    // Also when nothing has changed: a test that is tried again commits the same.
    this.#git("commit", "--allow-empty", "--quiet", "-m", `feat: ${version}, ${behaviour}`);
  }

  /** Runs `slipway …` to its end; what it printed last is its result. */
  async slipway<Result = Record<string, unknown>>(...args: readonly string[]): Promise<Answer<Result>> {
    const child = spawn(process.execPath, [program, ...args.slice(0, 1), "--json", ...args.slice(1)], {
      cwd: this.directory,
      env: { ...process.env, ...this.#env },
      stdio: ["ignore", "pipe", "inherit"],
    });
    let text = "";
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
    });
    const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
    return { code, result: JSON.parse(text.trim().split("\n").at(-1) || "null") as Result, text };
  }

  /** The control plane's own API, for looks that a command would be too slow for. */
  ask<T>(path: string): Promise<T> {
    return askApi(this.state(), path);
  }

  /** Kills the control plane as the kernel would. */
  killControlPlane(): void {
    process.kill(this.controlPlane(), "SIGKILL");
  }

  /** Its process. */
  controlPlane(): number {
    return (JSON.parse(readFileSync(this.state("control-plane.json"), "utf8")) as { pid: number }).pid;
  }

  state(...path: readonly string[]): string {
    return join(this.directory, ".slipway", ...path);
  }

  log(): string {
    return readFileSync(this.state("control-plane.log"), "utf8");
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }

  #git(...args: readonly string[]): void {
    const who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "commit.gpgsign=false"];
    execFileSync("git", [...who, ...args], { cwd: this.directory, stdio: ["ignore", "ignore", "inherit"] });
  }
}

const probing = { path: "/up", interval: "100ms", timeout: "5s" } as const;

export const web = {
  kind: "web",
  path: "web",
  port: 3000,
  instances: 2,
  stopGrace: "5s",
  resources: { memory: "200MB" },
} as const satisfies Services[string];

export const worker = {
  kind: "worker",
  path: "worker",
  stopGrace: "2s",
  needs: ["web"],
  health: { startPeriod: "100ms", deadline: "60s" },
} as const satisfies Services[string];

const dockerfile = `FROM slipway-test/node:${process.versions.node}
WORKDIR /app
COPY server.mjs .
USER 1000:1000
CMD ["node", "server.mjs"]
`;

const webProgram = `
import { createServer } from "node:http";
import { connect } from "node:net";
import { spawn } from "node:child_process";
console.log("web " + version + " starts");
const answers = [];
let redis;
const dial = () => {
  redis = connect({ host: "cache", port: 6379 });
  redis.setNoDelay(true).setEncoding("utf8");
  redis.on("data", (text) => { for (const line of text.trim().split("\\r\\n")) answers.shift()?.(line.replace(":", "")); });
  redis.on("error", (error) => console.error("redis: " + error.message));
  const socket = redis;
  setTimeout(() => { if (socket.connecting) socket.destroy(new Error("nobody answers")); }, 2_000);
  redis.on("close", () => { for (const answer of answers.splice(0)) answer("lost"); setTimeout(dial, 100); });
};
dial();
const count = () => new Promise((resolve) => {
  // Between two connections nobody would ever answer.
  if (redis.destroyed) return resolve("lost");
  answers.push(resolve);
  redis.write("INCR visits\\r\\n");
});
let isSick = false;
let asked = 0;
const taken = [];
// Memory in a process of its own, as long as somebody asks for it, and two seconds more.
const holder = 'globalThis.held = Buffer.alloc(Number(process.argv[1]) * 1024 * 1024, 1); setInterval(() => {}, 1000);';
let held, release;
const hold = (mebibytes) => {
  held ??= spawn(process.execPath, ["-e", holder, mebibytes], { stdio: "inherit" }).once("exit", () => { held = undefined; });
  clearTimeout(release);
  release = setTimeout(() => held?.kill("SIGKILL"), 2_000);
};
const burn = (ms) => { for (const until = performance.now() + ms; performance.now() < until; ); };
const takeMemory = () => { taken.push(Buffer.alloc(8 * 1024 * 1024, 1)); setImmediate(takeMemory); };
createServer(async (request, response) => {
  if (request.url === "/up") {
    const isUnwell = isSick || behaviour === "unhealthy" || (behaviour === "slow" && process.uptime() < 3);
    response.statusCode = isUnwell ? 503 : 200;
    if (behaviour === "unhealthy") console.error("the database is migrating");
    return response.end(isUnwell ? "migrating" : "ok");
  }
  response.setHeader("x-version", version);
  if (behaviour === "greedy") takeMemory();
  if (behaviour === "errors" && asked++ % 10 < 9) response.statusCode = 500;
  const [, work, much] = /^\\/(burn|hold)\\/(\\d+)$/.exec(request.url) ?? [];
  if (work === "burn") burn(Number(much));
  if (work === "hold") hold(much);
  if (work !== undefined) return response.end(work);
  if (request.url === "/sicken") isSick = true;
  if (request.url === "/hello" || request.url === "/sicken") return response.end("hello");
  if (request.url === "/env") return response.end(JSON.stringify(process.env));
  if (request.url === "/through-the-edge") {
    const answer = await fetch(process.env.SLIPWAY_EDGE_URL + "/").then((one) => one.headers.get("x-version"), (error) => String(error.cause ?? error));
    return response.end(answer);
  }
  const visits = await count();
  response.end(version + " " + visits);
}).listen(Number(process.env.PORT), "0.0.0.0").keepAliveTimeout = 75_000;
process.on("SIGTERM", () => process.exit(0));
`;

const workerProgram = `
console.log("worker " + version + " starts");
setInterval(() => {}, 1000);
process.on("SIGTERM", () => process.exit(0));
`;
