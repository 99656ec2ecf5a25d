import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ProductInput } from "../../src/core/product/input.ts";

/** How a version of the service behaves. */
export type Behaviour = "good" | "unhealthy" | "errors";

/** What `slipway … --json` came to. */
export type Answer<Result> = { readonly code: number | null; readonly result: Result; readonly text: string };

const program = fileURLToPath(new URL("../../bin/slipway.js", import.meta.url));

/**
 * A product in a git repository of its own whose services are made by Dockerfiles: web counts its visits in Redis, worker counts
 * its seconds. Used as a person would, by the `slipway` command and the control plane that it starts.
 */
export class ContainerProduct {
  readonly directory = mkdtempSync(join(tmpdir(), "slipway-docker-e2e-"));
  readonly #config: ProductInput;
  readonly #env: NodeJS.ProcessEnv;

  constructor(config: Omit<ProductInput, "name" | "services">, env: NodeJS.ProcessEnv = {}) {
    this.#config = { name: "shop", services, ...config };
    this.#env = env;
    this.#git("init", "--quiet", "--initial-branch=main");
  }

  /** Commits a version of all services; `more` changes the config from then on. */
  commit(version: string, behaviour: Behaviour = "good", more: Partial<ProductInput> = {}): void {
    Object.assign(this.#config, more);
    const files = {
      "slipway.config.json": JSON.stringify(this.#config, null, 2),
      "web/Dockerfile": dockerfile,
      "web/server.mjs": `const version = ${JSON.stringify(version)}, behaviour = ${JSON.stringify(behaviour)};${web}`,
      "worker/Dockerfile": dockerfile,
      "worker/server.mjs": `const version = ${JSON.stringify(version)};${worker}`,
    };
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(join(this.directory, path, ".."), { recursive: true });
      writeFileSync(join(this.directory, path), text);
    }
    this.#git("add", "--all", "--", "slipway.config.json", "web", "worker");
    this.#git("commit", "--quiet", "-m", `feat: ${version}, ${behaviour}`);
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

  /** Kills the control plane as the kernel would. */
  killControlPlane(): void {
    const { pid } = JSON.parse(readFileSync(this.state("control-plane.json"), "utf8")) as { pid: number };
    process.kill(pid, "SIGKILL");
  }

  state(...path: readonly string[]): string {
    return join(this.directory, ".slipway", ...path);
  }

  log(): string {
    return readFileSync(this.state("control-plane.log"), "utf8");
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }

  #git(...args: readonly string[]): void {
    const who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "commit.gpgsign=false"];
    execFileSync("git", [...who, ...args], { cwd: this.directory, stdio: ["ignore", "ignore", "inherit"] });
  }
}

const services: ProductInput["services"] = {
  web: {
    kind: "web",
    path: "web",
    port: 3000,
    instances: 2,
    stopGrace: "5s",
    health: { path: "/up", interval: "100ms", timeout: "2s", deadline: "4s" },
  },
  worker: {
    kind: "worker",
    path: "worker",
    stopGrace: "2s",
    needs: ["web"],
    health: { startPeriod: "100ms", deadline: "20s" },
  },
};

const dockerfile = `FROM slipway-test/node:${process.versions.node}
WORKDIR /app
COPY server.mjs .
USER 1000:1000
CMD ["node", "server.mjs"]
`;

const web = `
import { createServer } from "node:http";
import { connect } from "node:net";
console.log("web " + version + " starts");
const answers = [];
const redis = connect({ host: "cache", port: 6379 });
redis.setNoDelay(true).setEncoding("utf8");
redis.on("data", (text) => { for (const line of text.trim().split("\\r\\n")) answers.shift()?.(line.replace(":", "")); });
redis.on("error", (error) => console.error("redis: " + error.message));
const count = () => new Promise((resolve) => { answers.push(resolve); redis.write("INCR visits\\r\\n"); });
createServer(async (request, response) => {
  if (request.url === "/up") {
    response.statusCode = behaviour === "unhealthy" ? 503 : 200;
    if (behaviour === "unhealthy") console.error("the database is migrating");
    return response.end(behaviour === "unhealthy" ? "migrating" : "ok");
  }
  response.setHeader("x-version", version);
  if (request.url === "/env") return response.end(JSON.stringify(process.env));
  if (request.url === "/through-the-edge") {
    const answer = await fetch(process.env.SLIPWAY_EDGE_URL + "/").then((one) => one.headers.get("x-version"), (error) => String(error.cause ?? error));
    return response.end(answer);
  }
  const visits = await count();
  if (behaviour === "errors" && Math.random() < 0.3) response.statusCode = 500;
  response.end(version + " " + visits);
}).listen(Number(process.env.PORT), "0.0.0.0").keepAliveTimeout = 75_000;
process.on("SIGTERM", () => process.exit(0));
`;

const worker = `
console.log("worker " + version + " starts");
setInterval(() => {}, 1000);
process.on("SIGTERM", () => process.exit(0));
`;
