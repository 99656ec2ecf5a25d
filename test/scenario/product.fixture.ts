import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { EnvironmentInput, HealthInput, ProductInput, ServiceInput } from "../../src/core/product/input.ts";
import { freePorts } from "../../src/testing/ports.ts";

/**
 * What a version of a service does, from the moment this is said: `sick` answers its probe badly, `errors` only its visitors,
 * `stale` does as `sick` in every process that is older than the word, `crash` ends by itself, `hold` starts no further instance to the end; for a job, `fail` is its exit.
 */
export type Behaviour = "good" | "sick" | "stale" | "errors" | "crash" | "hold" | "stay" | "fail";

export type ProductOptions = {
  /** Each has an edge of its own; what is given here comes on top of the product's. */
  readonly environments: Readonly<Record<string, EnvironmentInput>>;
};

/** So long that a busy machine is in time, or short in a test that waits for it. */
export type Deadline = "20s" | "4s";

/** How a web is looked at. */
export const healthWithin = (deadline: Deadline): HealthInput => ({
  path: "/up",
  body: { status: "healthy" },
  interval: "100ms",
  timeout: "1s",
  retries: 2,
  deadline,
});

/** A tiny product in a git repository of its own, whose services do at once what a test says. */
export class Product {
  readonly name = "probe";
  readonly root = mkdtempSync(join(tmpdir(), "slipway-scenario-"));
  readonly repository = join(this.root, "repository");
  readonly state = join(this.root, "state");
  readonly #control = join(this.root, "control");
  readonly #environments: Record<string, EnvironmentInput> = {};

  static async make({ environments }: ProductOptions): Promise<Product> {
    const product = new Product();
    const ports = await freePorts(Object.keys(environments).length);
    for (const [index, [name, more]] of Object.entries(environments).entries())
      product.#environments[name] = { ...more, edge: { ...more.edge, listen: `127.0.0.1:${ports[index]}` } };
    for (const directory of [product.repository, product.#control]) mkdirSync(directory);
    writeFileSync(join(product.#control, "log"), "");
    product.git("init", "--quiet", "--initial-branch=main");
    return product;
  }

  /** Commits a version of all services; its hash. */
  commit(version: string, more: Omit<Partial<ProductInput>, "name"> = {}): string {
    const config: ProductInput = {
      name: this.name,
      services: { web: this.web(), worker: this.worker() },
      // Five requests are enough here: a bake is a moment, and a broken version fails every one of them.
      rollout: { bake: "150ms", drain: "1s", rules: { errorRatio: { margin: "5%", minimum: 5 } } },
      environments: this.#environments,
      ...more,
    };
    this.write("slipway.config.json", JSON.stringify(config));
    for (const [file, text] of Object.entries(programs))
      this.write(`app/${file}`, text.replaceAll("VERSION", JSON.stringify(version)));
    this.git("add", "--all");
    // Also when nothing has changed: a test that is tried again commits the same.
    this.git("commit", "--allow-empty", "--quiet", "-m", `feat: ${version}`);
    return this.git("rev-parse", "HEAD");
  }

  web(more: Partial<ServiceInput> = {}): ServiceInput {
    return { ...this.#service("web.mjs"), kind: "web", health: healthWithin("20s"), ...more };
  }

  worker(more: Partial<ServiceInput> = {}): ServiceInput {
    return {
      ...this.#service("worker.mjs"),
      kind: "worker",
      health: { startPeriod: "50ms", deadline: "20s" },
      ...more,
    };
  }

  job(more: Partial<ServiceInput> = {}): ServiceInput {
    return { ...this.#service("job.mjs"), kind: "job", health: { deadline: "20s" }, ...more };
  }

  /** Until the test is over every instance of that version behaves so. */
  behave(service: string, version: string, behaviour: Behaviour): void {
    const file = join(this.#control, `${service}-${version}`);
    writeFileSync(file, behaviour);
    onTestFinished(() => rmSync(file, { force: true }));
  }

  /** What the services have told since the product was made, as `<environment> <service> <version> <what>`. */
  told(environment: string): string[] {
    const lines = readFileSync(join(this.#control, "log"), "utf8").split("\n");
    return lines.filter((line) => line.startsWith(`${environment} `)).map((line) => line.slice(environment.length + 1));
  }

  /** All environments, one of them with other keys than it was made with. */
  environmentsWith(name: string, more: EnvironmentInput): Readonly<Record<string, EnvironmentInput>> {
    const { edge = {} } = this.#environments[name] ?? {};
    return { ...this.#environments, [name]: { ...more, ...(edge === null ? {} : { edge }) } };
  }

  port(environment: string): number {
    return Number(String(this.#environments[environment]?.edge?.listen).split(":")[1]);
  }

  write(path: string, text: string): void {
    mkdirSync(join(this.repository, path, ".."), { recursive: true });
    writeFileSync(join(this.repository, path), text);
  }

  git(...args: string[]): string {
    const who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "commit.gpgsign=false"];
    return execFileSync("git", [...who, ...args], {
      cwd: this.repository,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "inherit"],
    }).trim();
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true });
  }

  #service(file: string): Pick<ServiceInput, "path" | "command" | "stopGrace" | "env"> {
    return { path: "app", command: ["node", file], stopGrace: "2s", env: { CONTROL: this.#control } };
  }
}

/** All services say what they do through one file, so that their order can be seen. */
const common = `
import { appendFileSync, readFileSync, statSync } from "node:fs";
const begunAt = Date.now();
export const version = VERSION;
const { CONTROL, SLIPWAY_SERVICE: service, SLIPWAY_ENVIRONMENT: environment } = process.env;
export const tell = (what) => appendFileSync(CONTROL + "/log", [environment, service, version, what].join(" ") + "\\n");
export function behaviour() {
  const file = CONTROL + "/" + service + "-" + version;
  try {
    const now = readFileSync(file, "utf8");
    return now !== "stale" ? now : statSync(file).mtimeMs > begunAt ? "sick" : "good";
  } catch { return "good"; }
}
export function live() {
  tell("starts");
  console.log(service + " " + version + " starts");
  const end = () => {
    if (behaviour() === "stay") return setTimeout(end, 20);
    tell("stops");
    process.exit(0);
  };
  process.on("SIGTERM", end);
  const look = () => {
    if (behaviour() !== "crash") return;
    console.error(service + " " + version + " is out of luck");
    process.exit(7);
  };
  look();
  setInterval(look, 20);
}
`;

const programs = {
  "common.mjs": common,
  "web.mjs": `
import { createServer } from "node:http";
import { behaviour, live, version } from "./common.mjs";
live();
while (behaviour() === "hold") await new Promise((resolve) => setTimeout(resolve, 10));
createServer((request, response) => {
  const now = behaviour();
  if (request.url === "/up") {
    if (now === "sick") console.error("the database is away");
    response.statusCode = now === "sick" ? 503 : 200;
    return response.end(JSON.stringify({ status: now === "sick" ? "migrating" : "healthy" }));
  }
  if (request.url === "/slow") return setTimeout(() => response.end(version), 600);
  if (now === "errors") { console.error("GET " + request.url + " failed"); response.statusCode = 500; }
  response.end(version + " " + (process.env.GREETING ?? ""));
}).listen(Number(process.env.PORT), process.env.HOST).keepAliveTimeout = 75_000;
`,
  "worker.mjs": `
import { live } from "./common.mjs";
live();
`,
  "job.mjs": `
import { behaviour, tell } from "./common.mjs";
tell("runs");
if (behaviour() === "fail") { console.error("the column is there already"); process.exit(3); }
`,
};
