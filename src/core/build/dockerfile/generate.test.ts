import { describe, expect, it } from "vitest";
import { generateDockerfile } from "./generate.ts";
import { readDockerfile } from "./read.ts";
import { officialBases, type Recipe, type RecipeWishes } from "./recipe.ts";

const plain: RecipeWishes = {
  command: [],
  port: null,
  healthPath: null,
  site: null,
  bases: officialBases,
  cacheMounts: false,
};

function recipe(files: Readonly<Record<string, string>>, wishes: Partial<RecipeWishes> = {}): Recipe {
  return generateDockerfile(
    { paths: new Set(Object.keys(files)), text: (path) => files[path] ?? null },
    { ...plain, ...wishes },
  );
}

function dockerfile(files: Readonly<Record<string, string>>, wishes: Partial<RecipeWishes> = {}): string {
  const made = recipe(files, wishes);
  return made.is === "made" ? made.dockerfile : `refused: ${made.why}`;
}

const manifest = (more: object = {}): string =>
  JSON.stringify({ name: "web", scripts: { start: "node server.js" }, ...more });

describe("a generated Dockerfile:", () => {
  it("for Node with npm: installed by the lock file, built, pruned, nobody, healthy", () => {
    const files = {
      "package.json": manifest({ scripts: { build: "tsc", start: "node dist/server.js" }, engines: { node: "^24.1" } }),
      "package-lock.json": "{}",
      "src/server.ts": "",
    };
    expect(dockerfile(files, { port: 3000, healthPath: '/up"x' })).toBe(`FROM node:24-slim AS build
ENV CI=true
WORKDIR /app
COPY package-lock.json package.json ./
RUN npm ci --no-audit --no-fund
COPY . ./
RUN npm run build
RUN npm prune --omit=dev --no-audit --no-fund

FROM node:24-slim
ENV NODE_ENV=production
WORKDIR /app
COPY --from=build /app ./
USER 1000:1000
ENV PORT=3000
EXPOSE 3000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["node","-e","const{env,exit}=process;fetch(\\"http://127.0.0.1:\\"+(env.PORT||3000)+\\"/up\\\\\\"x\\").then(r=>exit(r.ok?0:1),()=>exit(1))"]
CMD ["node","dist/server.js"]
`);
  });

  it("for pnpm: the manager that the product names, every workspace's manifest first, caches mounted where that is possible", () => {
    const files = {
      "package.json": manifest({ packageManager: "pnpm@9.12.3+sha512.abc" }),
      "pnpm-lock.yaml": "lockfileVersion: '9.0'\n",
      "pnpm-workspace.yaml": "packages: [packages/*]",
      "packages/a/package.json": "{}",
      "packages/b/package.json": "{}",
      "packages/a/node_modules/x/package.json": "{}",
    };
    const text = dockerfile(files, { cacheMounts: true });
    expect(text).toContain(`RUN npm install --global pnpm@9.12.3
COPY package.json pnpm-lock.yaml pnpm-workspace.yaml ./
COPY packages/a/package.json ./packages/a/
COPY packages/b/package.json ./packages/b/
RUN --mount=type=cache,target=/root/.local/share/pnpm/store pnpm install --frozen-lockfile
COPY . ./
RUN pnpm --recursive --if-present run build
RUN --mount=type=cache,target=/root/.local/share/pnpm/store pnpm install --frozen-lockfile --prod --ignore-scripts --offline`);
    expect(dockerfile({ ...files, "package.json": manifest(), "pnpm-lock.yaml": "lockfileVersion: 5.4\n" })).toContain(
      "pnpm@7",
    );
  });

  it("for both generations of Yarn", () => {
    expect(dockerfile({ "package.json": manifest(), "yarn.lock": "# yarn lockfile v1\n" })).toContain(
      "RUN yarn install --frozen-lockfile --non-interactive\n",
    );
    expect(dockerfile({ "package.json": manifest(), "yarn.lock": "__metadata:\n  version: 8\n" })).toContain(
      "RUN npm install --global --force @yarnpkg/cli-dist@4\n",
    );
    const kept = {
      "package.json": manifest(),
      "yarn.lock": "__metadata:\n",
      ".yarnrc.yml": "yarnPath: .yarn/releases/yarn-4.5.0.cjs\n",
      ".yarn/releases/yarn-4.5.0.cjs": "",
    };
    expect(dockerfile(kept)).toContain(
      "COPY .yarn/releases/yarn-4.5.0.cjs ./.yarn/releases/\nCOPY .yarnrc.yml package.json yarn.lock ./\nRUN node .yarn/releases/yarn-4.5.0.cjs install --immutable\n",
    );
  });

  it.each([
    [
      "a script that runs while packages are installed",
      { scripts: { postinstall: "prisma generate", start: "node a.js" } },
      {},
    ],
    ["a package that is a file of the product", { dependencies: { a: "file:vendor/a.tgz" } }, {}],
    ["a name that would mean something else", {}, { "packages/$(x) y/package.json": "{}" }],
  ])("%s has everything copied before the install", (_, more, files) => {
    const text = dockerfile({ "package.json": manifest(more), "package-lock.json": "{}", ...files });
    expect(text).toContain("WORKDIR /app\nCOPY . ./\nRUN npm ci");
  });

  it("the start script runs without a shell where it needs none, and the service's command wins", () => {
    const start = (script: string) => dockerfile({ "package.json": JSON.stringify({ scripts: { start: script } }) });
    expect(start("node --enable-source-maps dist/main.js")).toContain(
      'CMD ["node","--enable-source-maps","dist/main.js"]',
    );
    expect(start("next start -p $PORT")).toContain('CMD ["npm","run","--silent","start"]');
    expect(dockerfile({ "package.json": manifest() }, { command: ["a b", '"c"'] })).toContain('CMD ["a b","\\"c\\""]');
    expect(dockerfile({ "package.json": "{}" })).toBe("refused: nothing says how the service is started");
    expect(dockerfile({ "package.json": "{" })).toBe("refused: package.json cannot be read");
  });

  it("a version that is a floor is none", () => {
    const of = (node: string, nvm?: string) =>
      readDockerfile(
        dockerfile({ "package.json": manifest({ engines: { node } }), ...(nvm !== undefined && { ".nvmrc": nvm }) }),
      ).bases[0];
    expect([of(">=18"), of("20.x"), of("*"), of(">=24"), of(">=18", "v20.11.1")]).toEqual([
      "node:22-slim",
      "node:20-slim",
      "node:22-slim",
      "node:24-slim",
      "node:20-slim",
    ]);
  });

  it("for Python: requirements, Poetry and uv, each in a virtual environment that is copied", () => {
    const command = ["gunicorn", "app:app"];
    const pip = dockerfile(
      { "requirements.txt": "flask==3.0", "app.py": "" },
      { command, port: 8000, healthPath: "/up" },
    );
    expect(pip).toContain("COPY requirements.txt ./\nRUN pip install --requirement requirements.txt\n");
    expect(pip).toContain("COPY --from=build /venv /venv\nCOPY . ./\nUSER 1000:1000\n");
    expect(pip).toContain(
      'HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["python3","-c",',
    );
    const poetry = {
      "pyproject.toml": "",
      "poetry.lock": "# This file is automatically @generated by Poetry 1.8.2 and\n",
    };
    expect(dockerfile(poetry, { command })).toContain("pip install --target /opt/poetry poetry==1.8.2");
    expect(dockerfile({ "pyproject.toml": "", "uv.lock": "", ".python-version": "3.12.4" }, { command })).toContain(
      "FROM python:3.12-slim",
    );
    expect(dockerfile({ "pyproject.toml": "" }, { command })).toContain("COPY . ./\nRUN pip install .\n");
    expect(dockerfile({ "requirements.txt": "-e ./lib\n" }, { command })).toContain("COPY . ./\nRUN pip install");
    expect(dockerfile({ "requirements.txt": "" })).toBe("refused: nothing says how the service is started");
    expect(dockerfile({ "requirements.txt": "", "package.json": manifest() }, { command })).toContain("FROM python");
    expect(dockerfile({ "requirements.txt": "", "package.json": manifest() })).toContain("FROM node");
  });

  it("for a site: as it is, or built first; names that would mean something to nginx are refused", () => {
    const built = recipe(
      { "package.json": manifest({ scripts: { build: "vite build" } }) },
      { site: { directory: "dist", fallback: "index.html" } },
    );
    expect(built).toMatchObject({
      dockerfile: expect.stringContaining("COPY --from=build /app/dist /site\nUSER 101:101\nEXPOSE 8080\n") as string,
      files: { ".slipway-build/nginx.conf": expect.stringContaining("rewrite ^ /index.html break;") as string },
    });
    expect(dockerfile({ "index.html": "" })).toContain("COPY . /site\n");
    expect(dockerfile({ "index.html": "" }, { site: { directory: ".", fallback: "x; } evil {" } })).toContain(
      "refused",
    );
  });

  it("what is nothing of these is refused with words", () => {
    expect(dockerfile({ "main.go": "" })).toContain("there is no Dockerfile, and no package.json");
  });
});
