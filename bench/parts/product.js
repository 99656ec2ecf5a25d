// A product in a git repository of its own, its control plane, and what a person can do with it. For benches.
import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Client } from "../../dist/api/client.js";
import { freePort } from "../../dist/testing/ports.js";

export const bin = fileURLToPath(new URL("../../bin/slipway.js", import.meta.url));
const serverFile = fileURLToPath(new URL("server.js", import.meta.url));
export const environment = "production";
const name = "bench";

export class Product {
  /**
   * `config` is what differs from one service `web` with one instance; `base` is the image its Dockerfile begins with, where it
   * runs as a container; `files` are those of a version. The control plane runs when it resolves, with `env` beside our own
   * environment.
   */
  static async make({ services, base = null, env = {}, files = filesOf, ...config } = {}) {
    const directory = mkdtempSync(join(tmpdir(), "slipway-bench-"));
    const port = await freePort();
    const web = {
      kind: "web",
      path: "web",
      ...(base === null ? { command: ["node", "server.js"] } : { port: 3000, stopGrace: "5s" }),
      routes: ["/"],
      health: { path: "/up", interval: "250ms", timeout: "2s", deadline: "20s" },
    };
    const all = {
      name,
      services: services?.(web) ?? { web },
      edge: { listen: `127.0.0.1:${port}` },
      environments: { [environment]: {} },
      ...config,
    };
    const product = new Product(directory, { port, base, env, files, config: all });
    product.configure({});
    git(directory, "init", "--quiet", "--initial-branch=main");
    const up = await product.slipway("up");
    if (up.code !== 0) throw new Error(`the control plane did not start: ${up.text}`);
    return product;
  }

  constructor(directory, { port, base, env, files, config }) {
    this.directory = directory;
    this.config = config;
    this.port = port;
    this.base = base;
    this.env = env;
    this.files = files;
    this.state = join(directory, ".slipway");
  }

  /** Writes its config, with these keys beside those it was made with. The next commit has it. */
  configure(more) {
    writeFileSync(join(this.directory, "slipway.config.json"), JSON.stringify({ ...this.config, ...more }));
  }

  /** Runs `slipway …` as a person would; its exit code, its last JSON line, and how long it took. */
  async slipway(...args) {
    const begun = performance.now();
    const child = spawn(process.execPath, [bin, ...args, "--json"], {
      cwd: this.directory,
      env: { ...process.env, ...this.env },
      stdio: ["ignore", "pipe", "inherit"],
    });
    let text = "";
    child.stdout.on("data", (chunk) => {
      text += chunk;
    });
    const code = await new Promise((resolve) => child.on("close", resolve));
    const ms = performance.now() - begun;
    return { code, ms, text, result: JSON.parse(text.trim().split("\n").at(-1) || "null") };
  }

  controlPlane() {
    return JSON.parse(readFileSync(join(this.state, "control-plane.json"), "utf8"));
  }

  /** Asks the control plane that runs now. */
  async ask(work) {
    const token = readFileSync(join(this.state, "token"), "utf8").trim();
    const client = new Client({ port: this.controlPlane().port, token });
    try {
      return await work(client);
    } finally {
      client.close();
    }
  }

  /** A commit whose services answer with `version`, in the working tree and in git. */
  commit(version) {
    const to = join(this.directory, "web");
    mkdirSync(to, { recursive: true });
    for (const [file, text] of Object.entries(this.files(version))) writeFileSync(join(to, file), text);
    if (this.base !== null) writeFileSync(join(to, "Dockerfile"), dockerfile(this.base));
    git(this.directory, "add", "--all");
    const who = ["-c", "user.name=Bench", "-c", "user.email=bench@example.org", "-c", "commit.gpgsign=false"];
    git(this.directory, ...who, "commit", "--quiet", "--message", `feat: ${version}`);
    return to;
  }

  /** The release of the newest commit. */
  release() {
    return this.ask(async (client) => {
      const body = { product: name, repository: this.directory, revision: "HEAD", dirty: false, actor: "bench" };
      const made = await client.post("/v1/runs", body);
      if (made.release !== null) return made.release;
      for await (const run of client.stream(`/v1/runs/${made.run}/follow`)) {
        if (run.phase === "failed") throw new Error(`no release: ${run.reason}`);
        if (run.phase === "succeeded") return run.release;
      }
      throw new Error("the run ended without a release");
    });
  }

  /** Resolves with the deployment when it has ended. */
  ended(deployment) {
    return this.ask(async (client) => {
      for await (const detail of client.stream(`/v1/deployments/${deployment}/follow`)) if (detail.ended) return detail;
      throw new Error(`${deployment} did not end`);
    });
  }

  async close() {
    await this.slipway("down", "--all");
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** The program that the benches deploy, in a version. */
export function filesOf(version) {
  return {
    "server.js": readFileSync(serverFile, "utf8"),
    "version.js": `export const version = ${JSON.stringify(version)};\n`,
    "package.json": '{ "type": "module" }\n',
  };
}

const dockerfile = (base) => `FROM ${base}
WORKDIR /app
COPY server.js version.js package.json ./
USER 1000:1000
CMD ["node", "server.js"]
`;

function git(directory, ...args) {
  execFileSync("git", args, { cwd: directory, stdio: ["ignore", "ignore", "inherit"] });
}
