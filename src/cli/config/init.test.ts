import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { asContainers } from "./detect/containers.ts";
import { detectProduct } from "./detect.ts";
import { loadConfig } from "./load.ts";
import { configText, writeConfig } from "./write.ts";

let directory: string;
beforeEach(() => {
  directory = join(realpathSync(mkdtempSync(join(tmpdir(), "slipway-init-"))), "my_shop");
  mkdirSync(directory);
});
afterEach(() => rmSync(dirname(directory), { recursive: true, force: true }));

type Tree = Readonly<Record<string, string>>;

function plant(tree: Tree): void {
  for (const [path, text] of Object.entries(tree)) {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), text);
  }
}

const npm = (more: object) => JSON.stringify({ name: "@acme/shop", ...more });
const lock = { "package-lock.json": "{}" };

const samples: readonly (readonly [string, Tree, object])[] = [
  ["nothing at all", {}, { web: { kind: "web", command: ["./start"] } }],
  [
    "an Express server with a health path",
    {
      ...lock,
      "package.json": npm({ scripts: { start: "node src/server.js" }, dependencies: { express: "5" } }),
      "src/server.js": 'app.get("/healthz", ok)',
    },
    {
      web: {
        kind: "web",
        build: { command: ["npm", "ci"] },
        command: ["node", "src/server.js"],
        health: { path: "/healthz" },
      },
    },
  ],
  [
    "a Node server without packages, with a worker beside it",
    {
      "package.json": npm({
        scripts: { start: "node server.js", "start:dev": "node --watch server.js", worker: "node worker.js" },
      }),
    },
    {
      web: { kind: "web", command: ["node", "server.js"] },
      worker: { kind: "worker", command: ["node", "worker.js"] },
    },
  ],
  [
    "Next with pnpm",
    {
      "pnpm-lock.yaml": "",
      "package.json": npm({
        scripts: { build: "next build", start: "next start -p 3000" },
        dependencies: { next: "16" },
      }),
    },
    {
      web: {
        kind: "web",
        build: { command: ["sh", "-c", "pnpm install --frozen-lockfile && pnpm run build"] },
        command: ["pnpm", "run", "start"],
      },
    },
  ],
  [
    "a Vite app",
    {
      ...lock,
      "package.json": npm({
        scripts: { dev: "vite", build: "vite build", start: "vite" },
        devDependencies: { vite: "8" },
      }),
      "index.html": "",
    },
    {
      web: {
        kind: "static",
        build: { command: ["sh", "-c", "npm ci && npm run build"], output: "dist" },
        fallback: "index.html",
      },
    },
  ],
  [
    "a queue consumer",
    { ...lock, "package.json": npm({ scripts: { start: "node consume.js" }, dependencies: { bullmq: "5" } }) },
    { worker: { kind: "worker", build: { command: ["npm", "ci"] }, command: ["node", "consume.js"] } },
  ],
  [
    "workspaces with a web app and an API",
    {
      ...lock,
      "package.json": npm({ workspaces: ["apps/*"] }),
      "apps/api/package.json": JSON.stringify({
        name: "@acme/api",
        scripts: { start: "node index.js" },
        dependencies: { fastify: "5" },
      }),
      "apps/web/package.json": JSON.stringify({
        name: "@acme/web",
        scripts: { build: "vite build" },
        devDependencies: { vite: "8" },
      }),
      "apps/empty/readme.md": "",
    },
    {
      api: {
        kind: "web",
        build: { command: ["sh", "-c", "npm ci && npm run build --workspaces --if-present"] },
        command: ["npm", "run", "start", "--workspace", "apps/api"],
        routes: "/api",
      },
      web: {
        kind: "static",
        build: { command: ["sh", "-c", "npm ci && npm run build --workspace apps/web"], output: "apps/web/dist" },
        fallback: "index.html",
      },
    },
  ],
  [
    "pnpm workspaces that the top starts together: one service each, those with a Dockerfile alone too",
    {
      "pnpm-lock.yaml": "",
      "pnpm-workspace.yaml": "packages: ['apps/*', \"!apps/old\"]\n",
      "package.json": npm({ scripts: { start: "turbo run start", build: "turbo run build" } }),
      "apps/api/package.json": JSON.stringify({ scripts: { start: "node index.js" }, dependencies: { hono: "4" } }),
      "apps/mailer/package.json": JSON.stringify({ name: "@acme/mailer" }),
      "apps/mailer/Dockerfile": 'FROM node:22\nCOPY . .\nCMD ["node", "mail.js"]\n',
      "apps/lib/package.json": JSON.stringify({ name: "@acme/lib", scripts: { build: "tsc" } }),
    },
    {
      api: {
        kind: "web",
        build: { command: ["sh", "-c", "pnpm install --frozen-lockfile && pnpm -r --if-present run build"] },
        command: ["pnpm", "--filter", "./apps/api", "run", "start"],
      },
      mailer: { kind: "worker", path: "apps/mailer", command: ["node", "mail.js"] },
    },
  ],
  [
    "directories that nothing ties together",
    {
      "readme.md": "",
      "api/package.json": JSON.stringify({ scripts: { start: "node index.js" }, dependencies: { express: "5" } }),
      "services/ml/requirements.txt": "fastapi\nuvicorn\n",
      "services/ml/main.py": "app = FastAPI()\n",
      "relay/Dockerfile": 'FROM scratch\nEXPOSE 80\nCMD ["/relay"]\n',
      "examples/demo/package.json": JSON.stringify({ scripts: { start: "node demo.js" } }),
    },
    {
      api: { kind: "web", path: "api", build: { command: ["npm", "install"] }, command: ["node", "index.js"] },
      relay: { kind: "web", path: "relay", command: ["/relay"], routes: "/relay" },
      ml: {
        kind: "web",
        path: "services/ml",
        build: { command: ["python3", "-m", "pip", "install", "--target", ".python", "-r", "requirements.txt"] },
        env: { PYTHONPATH: ".python" },
        command: ["sh", "-c", 'exec python3 -m uvicorn main:app --host 127.0.0.1 --port "$PORT"'],
        routes: "/ml",
      },
    },
  ],
  [
    "FastAPI with Celery",
    {
      "requirements.txt": "fastapi==0.120\nuvicorn[standard]\ncelery\n",
      "app/main.py": 'app = FastAPI()\n@app.get("/health")\n',
      "app/tasks.py": "queue = Celery('x')",
    },
    {
      web: {
        kind: "web",
        build: { command: ["python3", "-m", "pip", "install", "--target", ".python", "-r", "requirements.txt"] },
        env: { PYTHONPATH: ".python" },
        command: ["sh", "-c", 'exec python3 -m uvicorn app.main:app --host 127.0.0.1 --port "$PORT"'],
        health: { path: "/health" },
      },
      worker: {
        kind: "worker",
        build: { command: ["python3", "-m", "pip", "install", "--target", ".python", "-r", "requirements.txt"] },
        env: { PYTHONPATH: ".python" },
        command: ["python3", "-m", "celery", "-A", "app.tasks", "worker"],
      },
    },
  ],
  [
    "Flask with gunicorn in pyproject.toml",
    {
      "pyproject.toml": '[project]\nname = "wiki"\ndependencies = [\n  "flask>=3",\n  "gunicorn",\n]\n',
      "wsgi.py": "server: Flask = flask.Flask(__name__)\n",
    },
    {
      web: {
        kind: "web",
        build: { command: ["python3", "-m", "pip", "install", "--target", ".python", "."] },
        env: { PYTHONPATH: ".python" },
        command: ["sh", "-c", 'exec python3 -m gunicorn --bind "127.0.0.1:$PORT" wsgi:server'],
      },
    },
  ],
  [
    "Django",
    { "requirements.txt": "Django>=5\ngunicorn\n", "manage.py": "", "site_main/wsgi.py": "" },
    {
      web: {
        kind: "web",
        build: { command: ["python3", "-m", "pip", "install", "--target", ".python", "-r", "requirements.txt"] },
        env: { PYTHONPATH: ".python" },
        command: ["sh", "-c", 'exec python3 -m gunicorn --bind "127.0.0.1:$PORT" site_main.wsgi'],
      },
    },
  ],
  [
    "a Procfile beside a package",
    {
      ...lock,
      Procfile: "web: node web.js --port $PORT\nrelease: node migrate.js\nMailer: node mail.js\n# no\n",
      "package.json": npm({ dependencies: { koa: "3" } }),
    },
    {
      web: {
        kind: "web",
        build: { command: ["npm", "ci"] },
        command: ["sh", "-c", "exec node web.js --port $PORT"],
        needs: ["release"],
      },
      release: { kind: "job", build: { command: ["npm", "ci"] }, command: ["node", "migrate.js"] },
      mailer: { kind: "worker", build: { command: ["npm", "ci"] }, command: ["node", "mail.js"], needs: ["release"] },
    },
  ],
  [
    "a Dockerfile alone",
    {
      Dockerfile:
        'FROM scratch\nHEALTHCHECK CMD wget http://127.0.0.1/healthz\nEXPOSE 80\nENTRYPOINT ["./server"]\nCMD ["--verbose"]\n',
    },
    { web: { kind: "web", command: ["./server", "--verbose"], health: { path: "/healthz" } } },
  ],
  ["files to serve", { "public/index.html": "<h1>" }, { web: { kind: "static", path: "public" } }],
];

describe("init recognises", () => {
  test.each(samples)("%s", async (_, tree, services) => {
    plant(tree);
    const detection = detectProduct(directory);
    expect(detection.product.services).toEqual(services);
    const file = await writeConfig(directory, detection);
    const { config, problems } = await loadConfig({ directory });
    expect(problems).toEqual([]);
    expect(file).toBe(join(directory, "slipway.config.ts"));
    expect(config.services).toEqual(services);
  });

  test("a Compose file, whose services are the product's", async () => {
    plant({
      "compose.yaml": `services:
  front_end:
    build: ./front
    ports: ["80:3000"]
    depends_on: [api, cache]
  api: { build: { context: api }, expose: [4000] }
  mail: { build: ., command: ["node", "mail.js"], restart: always }
  cache: { image: "redis:8", volumes: ["data:/data"] }
volumes: { data: {} }
`,
      "package.json": npm({ scripts: { start: "node x.js" } }),
    });
    const detection = detectProduct(directory);
    // As docker compose calls it: its volumes are found by that.
    expect(detection.product).toEqual({ name: "my-shop", target: { driver: "compose", project: "my_shop" } });
    expect(detection.notes.join("\n")).toContain(
      "front-end answers /; api is asked by the others only; mail works in the background.\ncache keeps data: left running as it is",
    );
    await writeConfig(directory, detection);
    const { config, problems } = await loadConfig({ directory });
    expect([config.services, config.target, problems]).toEqual([undefined, detection.product.target, []]);
    expect(Object.keys(config.composed?.production?.services ?? {})).toEqual(["front-end", "api", "mail"]);
  });

  test("a Compose file that cannot be deployed, and says why", () => {
    plant({ "compose.yaml": "services: { web: { build: ., privileged: true, expose: [80] } }" });
    const { product, notes } = detectProduct(directory);
    expect(product.target).toBeUndefined();
    expect(notes[0]).toMatch(/^compose\.yaml could be deployed .* services\.web\.privileged cannot be carried out/);
  });

  test("the product's name where a file says it, and else the directory's", () => {
    expect(detectProduct(directory).product.name).toBe("my-shop");
    plant({ "package.json": npm({}) });
    expect(detectProduct(directory).product.name).toBe("shop");
  });

  test("accessories, migrations and fixed ports, and says so", () => {
    plant({
      "compose.yml": "services: { db: { image: postgres:18 } }",
      "package.json": npm({ scripts: { start: "node x.js --port 3000", "db:migrate": "x" } }),
    });
    const { notes, services } = detectProduct(directory);
    expect(notes.join("\n")).toMatch(/"db:migrate"[\s\S]*db \(postgres:18\) is an accessory/);
    expect(services.web?.guesses.join("\n")).toContain("names port 3000");
  });
});

test("init writes a file that tells what it rests on", () => {
  plant({ Procfile: "web: ./serve", "docker-compose.yml": "services: { cache: { image: redis } }" });
  expect(`\n${configText(detectProduct(directory))}`).toBe(`
import { defineProduct } from "slipway";

// Written by: slipway init. Check it with: slipway validate. What a key means: slipway explain <key>.
// docker-compose.yml: cache (redis) is an accessory: Slipway does not release it; let it run as it does now,
// and give services its address in env.
export default defineProduct({
  name: "my-shop",
  services: {
    // From Procfile: web.
    // Guess: No health path was found, so / is asked; better name one that looks at what the service needs:
    // health: { path: "/up" }.
    web: {
      kind: "web",
      command: ["./serve"],
    },
  },
  environments: {
    // A place to try a release first: take away the slashes, and production lets in only what has succeeded there.
    // staging: { edge: { listen: ":8081" }, rollout: { bake: "30s" } },
    production: {
      // promoteFrom: "staging",
      edge: { listen: ":8080" },
    },
  },
});
`);
});

describe("init --docker", () => {
  const containers = () => asContainers(directory, detectProduct(directory));

  test("takes a Dockerfile's command and port, and leaves hosts to be filled in", async () => {
    plant({
      Dockerfile: 'FROM node:22\nRUN npm ci\nEXPOSE 3000\nCMD ["node", "server.js"]',
      "package.json": npm({ scripts: { start: "node server.js", worker: "node worker.js" } }),
    });
    const { product, services } = containers();
    expect(product.services).toEqual({
      web: expect.objectContaining({ kind: "web", port: 3000 }),
      worker: expect.objectContaining({ kind: "worker", command: ["node", "worker.js"] }),
    });
    expect(product.services?.web).not.toHaveProperty("command");
    expect(services.web?.guesses.join()).toContain("Built from Dockerfile");
    await writeConfig(directory, containers());
    const { config } = await loadConfig({ directory });
    expect(config.target).toEqual({ driver: "docker", hosts: ["ssh://deploy@203.0.113.7"] });
    expect(config.edge).toEqual({ driver: "caddy", server: "ssh://deploy@203.0.113.7", listen: ":80" });
    expect(readFileSync(join(directory, "slipway.config.ts"), "utf8")).toMatch(/Fill in.*\/\/ registry: .*\/\/ tls:/s);
  });

  test("takes each workspace's own, built from where what it copies is", async () => {
    const member = (name: string) => JSON.stringify({ name: `@acme/${name}`, scripts: { start: "node index.js" } });
    plant({
      ...lock,
      "package.json": npm({ workspaces: ["apps/*"] }),
      "apps/web/package.json": member("web"),
      "apps/web/Dockerfile":
        "FROM node:22\nCOPY package.json package-lock.json ./\nCOPY apps/web apps/web\nEXPOSE 3000\nCMD node apps/web",
      "apps/api/package.json": member("api"),
      "apps/api/Dockerfile":
        "FROM node:22 AS made\nCOPY . .\nFROM node:22\nCOPY --from=made /app /app\nCMD node index.js",
      "apps/jobs/package.json": member("jobs"),
    });
    const { product, services } = containers();
    expect(product.services).toMatchObject({
      web: { kind: "web", port: 3000, image: { dockerfile: "apps/web/Dockerfile" } },
      api: { kind: "web", path: "apps/api", routes: "/api" },
      jobs: { kind: "web", command: ["npm", "run", "start", "--workspace", "apps/jobs"] },
    });
    for (const name of ["web", "api"]) expect(product.services?.[name]).not.toHaveProperty("command");
    expect(product.services?.web).not.toHaveProperty("path");
    const said = (name: string) => services[name]?.guesses.join(" ");
    expect(said("web")).toContain("Built from apps/web/Dockerfile.");
    expect(said("jobs")).toContain("its image is generated");
    await writeConfig(directory, containers());
    expect((await loadConfig({ directory })).problems).toEqual([]);
  });

  test.each(samples)("without one its image is generated: %s", (_, tree) => {
    plant(tree);
    // It throws where the config would not be valid.
    expect(containers().product.target?.driver).toMatch(/^(docker|compose)$/);
  });
});

describe("init does not write", () => {
  test("over a config, unless it is told to", async () => {
    plant({ "slipway.config.ts": "mine" });
    await expect(writeConfig(directory, detectProduct(directory))).rejects.toMatchObject({ code: "CONFIG_EXISTS" });
    expect(readFileSync(join(directory, "slipway.config.ts"), "utf8")).toBe("mine");
    await writeConfig(directory, detectProduct(directory), { force: true });
    expect((await loadConfig({ directory })).config.name).toBe("my-shop");
  });

  test("beside a config of another name, even if it is told to", async () => {
    plant({ "slipway.config.yaml": "mine" });
    await expect(writeConfig(directory, detectProduct(directory), { force: true })).rejects.toMatchObject({
      code: "CONFIG_EXISTS",
      message: "there is a slipway.config.yaml already, and a product has one config",
    });
  });
});

describe("whatever is in somebody's files", () => {
  test.each<Tree>([
    { "package.json": "{" },
    { "package.json": "[]", "compose.yaml": "a: [", "requirements.txt": "\0", Procfile: ":::\nweb:\n" },
    {
      "package.json": npm({
        scripts: { start: 3, build: [] },
        workspaces: { packages: ["../*", "/etc/*", "*"] },
        dependencies: null,
      }),
    },
    {
      "compose.yaml":
        "services: { a: { build: ., depends_on: [b] }, b: { build: ., depends_on: [a], command: [''] }, c: { build: ../x }, d: { build: 'C:\\x' } }",
    },
    {
      "compose.yaml":
        "services: { Web: { build: ., command: a }, web: { build: ., command: a }, 1: { build: ., command: [a b] } }",
    },
    {
      "compose.yaml":
        "services: { a: { build: ., command: x, depends_on: [b] }, b: { build: ., command: x, depends_on: [a] } }",
    },
    { Dockerfile: "CMD [\nENTRYPOINT\nCMD " },
    { Procfile: "web: a\u0000b" },
  ])("%j gives a config that is valid", (tree) => {
    plant(tree);
    const { services = {}, target } = detectProduct(directory).product;
    expect(target?.driver === "compose" || Object.keys(services).length > 0).toBe(true);
  });

  test("the config written from any words is valid", () => {
    fc.assert(
      fc.property(fc.string(), fc.dictionary(fc.string(), fc.string()), fc.string(), (name, scripts, line) => {
        plant({
          "package.json": JSON.stringify({ name, scripts: { ...scripts, start: line } }),
          Procfile: `x: ${line}`,
          Dockerfile: `CMD ${line}`,
        });
        configText(detectProduct(directory));
      }),
      { numRuns: 100 },
    );
  });
});
