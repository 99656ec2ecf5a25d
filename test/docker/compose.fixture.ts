import { execFileSync, spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ProductInput } from "../../src/core/product/input.ts";
import { askApi } from "./api.fixture.ts";
import type { Answer, Behaviour } from "./product.fixture.ts";

const program = fileURLToPath(new URL("../../bin/slipway.js", import.meta.url));

/** Of an image that only the engine has: the registry of that name refuses every connection. */
export const cacheImage = "127.0.0.1:9/shop/redis:7";
/** Compose v2's binary, by `DOCKER_COMPOSE` or on the PATH. */
const composeProgram = process.env.DOCKER_COMPOSE ?? "docker-compose";
export const hasCompose = spawnSync(composeProgram, ["version"], { stdio: "ignore" }).status === 0;
/** What must be nowhere in clear. */
export const secret = "correct-horse-battery";

/** Networks that somebody else has made, one for each environment: the only way from api to the Redis. */
export const backplanes = { production: "backplane", staging: "backplane-staging" };

/**
 * A team's Compose project in a git repository: web asks api by its name, api counts visits in a Redis that is left running, worker
 * works. Its password is in `.env`, which is not in git. Run by docker compose first, then by `slipway`.
 */
export class ComposeProject {
  readonly directory = mkdtempSync(join(tmpdir(), "slipway-compose-e2e-"));
  readonly #engine: string;
  readonly #env: NodeJS.ProcessEnv;

  /** `ports`: where docker compose publishes web, as production and as staging. `env`: of `slipway`, besides ours. */
  constructor(
    engine: string,
    ports: { readonly production: number; readonly staging: number },
    env: NodeJS.ProcessEnv = {},
  ) {
    this.#engine = engine;
    this.#env = env;
    this.#git("init", "--quiet", "--initial-branch=main");
    this.write(".gitignore", ".env*\n.slipway\n");
    this.write(".env", `WEB_PORT=${ports.production}\nCACHE_PASSWORD=${secret}\nBACKPLANE=${backplanes.production}\n`);
    this.write(
      ".env.staging",
      `WEB_PORT=${ports.staging}\nCACHE_PASSWORD=${secret}\nBACKPLANE=${backplanes.staging}\n`,
    );
    this.write("docker-compose.yml", composeFile);
    this.write("settings.conf", "greeting=hello\n");
  }

  /** A version of all services; without a config it is docker compose's alone. */
  commit(version: string, behaviour: Behaviour = "good", config?: Omit<ProductInput, "name">): void {
    if (config !== undefined) this.write("slipway.config.json", JSON.stringify({ name: "shop", ...config }, null, 2));
    this.write("app/Dockerfile", dockerfile);
    this.write(
      "app/server.mjs",
      `const version = ${JSON.stringify(version)}, behaviour = ${JSON.stringify(behaviour)};${app}`,
    );
    this.#git("add", "--all");
    // Also when nothing has changed: a test that is tried again commits the same.
    this.#git("commit", "--allow-empty", "--quiet", "-m", `feat: ${version}, ${behaviour}`);
  }

  compose(...args: readonly string[]): string {
    return execFileSync(composeProgram, args, {
      cwd: this.directory,
      env: { ...process.env, DOCKER_HOST: this.#engine, COMPOSE_ANSI: "never", BUILDX_BUILDER: "default" },
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
    });
  }

  /** Runs `slipway …` to its end; what it printed last is its result. */
  async slipway<Result = Record<string, unknown>>(...args: readonly string[]): Promise<Answer<Result>> {
    const [command = "", ...rest] = args;
    const { code, text } = await this.run(command, "--json", ...rest);
    return { code, result: JSON.parse(text.trim().split("\n").at(-1) || "null") as Result, text };
  }

  /** The same as a person sees it. */
  async run(...args: readonly string[]): Promise<{ readonly code: number | null; readonly text: string }> {
    const child = spawn(process.execPath, [program, ...args], {
      cwd: this.directory,
      env: { ...process.env, ...this.#env, NO_COLOR: "1" },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let text = "";
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
      });
    const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
    return { code, text };
  }

  /** The control plane's own API. */
  ask<T>(path: string): Promise<T> {
    return askApi(join(this.directory, ".slipway"), path);
  }

  write(path: string, text: string): void {
    mkdirSync(join(this.directory, path, ".."), { recursive: true });
    writeFileSync(join(this.directory, path), text);
  }

  read(path: string): string {
    return readFileSync(join(this.directory, path), "utf8");
  }

  /** Files of the state directory in which a text is. */
  holding(text: string): readonly string[] {
    const root = join(this.directory, ".slipway");
    return readdirSync(root, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .filter((file) => {
        try {
          return readFileSync(file).includes(text);
        } catch (error) {
          // What is written beside its place has its name for a moment only.
          if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
          return false;
        }
      });
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }

  #git(...args: readonly string[]): void {
    const who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "commit.gpgsign=false"];
    execFileSync("git", [...who, ...args], { cwd: this.directory, stdio: ["ignore", "ignore", "inherit"] });
  }
}

const composeFile = `
services:
  web:
    build: ./app
    command: ["node", "server.mjs", "web"]
    ports: ["127.0.0.1:\${WEB_PORT}:3000"]
    environment: { PORT: "3000" }
    volumes: ["./settings.conf:/app/settings.conf:ro"]
    depends_on: { api: { condition: service_healthy } }
    healthcheck: { test: ["CMD", "curl", "-f", "http://localhost:3000/up"], disable: true }
    stop_grace_period: 5s
    x-slipway: { health: /up }
  api:
    build: ./app
    command: ["node", "server.mjs", "api"]
    expose: ["3000"]
    environment: { PORT: "3000", CACHE_PASSWORD: }
    env_file: [.env]
    depends_on: { cache: { condition: service_healthy } }
    healthcheck:
      test: ["CMD", "node", "-e", "fetch('http://localhost:3000/up').then((r) => process.exit(r.ok ? 0 : 1))"]
      interval: 2s
      start_period: 5s
    stop_grace_period: 5s
    networks: { default: { aliases: [counter] }, backplane: {} }
  worker:
    build: ./app
    command: ["node", "server.mjs", "worker"]
    stop_grace_period: 2s
    restart: always
    x-slipway: { kind: worker }
  cache:
    image: ${cacheImage}
    command: redis-server --protected-mode no --save "" --requirepass \${CACHE_PASSWORD}
    volumes: ["data:/data"]
    restart: unless-stopped
    networks: [backplane]
    healthcheck: { test: ["CMD", "redis-server", "--version"], interval: 2s }
volumes: { data: {} }
networks: { backplane: { external: true, name: "\${BACKPLANE}" } }
`;

const dockerfile = `FROM slipway-test/node:${process.versions.node}
WORKDIR /app
COPY server.mjs .
USER 1000:1000
CMD ["node", "server.mjs"]
`;

const app = `
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { connect } from "node:net";
const role = process.argv[2];
console.log(role + " " + version + " starts");
process.on("SIGTERM", () => process.exit(0));
const up = (response) => {
  response.statusCode = behaviour === "unhealthy" && role === "web" ? 503 : 200;
  response.end("ok");
};
if (role === "worker") setInterval(() => {}, 1000);
if (role === "web") {
  const settings = readFileSync("settings.conf", "utf8").trim();
  let asked = 0;
  createServer(async (request, response) => {
    if (request.url === "/up") return up(response);
    response.setHeader("x-version", version);
    const answer = await fetch("http://counter:3000/").then((one) => one.text(), (error) => "failed " + error.cause);
    if (answer.startsWith("failed")) {
      response.statusCode = 502;
      console.error("counter: " + answer);
    }
    if (behaviour === "errors" && asked++ % 10 < 9) response.statusCode = 500;
    if (response.statusCode !== 200) response.removeHeader("x-version");
    response.end([version, answer, settings].join(" "));
  }).listen(Number(process.env.PORT), "0.0.0.0").keepAliveTimeout = 75_000;
}
if (role === "api") {
  const answers = [];
  const redis = connect({ host: "cache", port: 6379 });
  redis.setNoDelay(true).setEncoding("utf8");
  redis.on("data", (text) => { for (const line of text.trim().split("\\r\\n")) answers.shift()?.(line.replace(":", "")); });
  redis.on("error", (error) => console.error("redis: " + error.message));
  const ask = (line) => new Promise((resolve) => { answers.push(resolve); redis.write(line + "\\r\\n"); });
  const ready = ask("AUTH " + process.env.CACHE_PASSWORD);
  createServer(async (request, response) => {
    if (request.url === "/up") return up(response);
    await ready;
    response.end(version + " " + (await ask("INCR visits")));
  }).listen(Number(process.env.PORT), "0.0.0.0").keepAliveTimeout = 75_000;
}
`;
