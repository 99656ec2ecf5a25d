import { describe, expect, it } from "vitest";
import { builtIn, type Found } from "./built-in.ts";

const nothing: Found = { path: ".", scripts: null, packageManager: null, files: [], pyproject: "", package: null };
const node = (files: string[], more: Partial<Found> = {}): Found => ({
  ...nothing,
  scripts: {},
  files: ["package.json", ...files],
  ...more,
});
const said = (...args: Parameters<typeof builtIn>): string => {
  const found = builtIn(...args);
  return found.is === "nothing" ? `! ${found.missing}` : found.commands.map((command) => command.join(" ")).join("; ");
};

describe("install", () => {
  it.each([
    [
      "pnpm, with a registry's token",
      node(["pnpm-lock.yaml", ".npmrc"]),
      'sh -euc export npm_config_userconfig="${npm_config_userconfig:-$PWD/.npmrc}"; exec "$@" install pnpm install --frozen-lockfile',
    ],
    ["npm", node(["package-lock.json"]), "npm ci --no-audit --no-fund"],
    ["npm without a lock file", node([]), "npm install --no-audit --no-fund"],
    ["pnpm", node(["pnpm-lock.yaml"]), "pnpm install --frozen-lockfile"],
    [
      "pnpm, pinned",
      node(["pnpm-lock.yaml"], { packageManager: "pnpm@9.1.0+sha512.x" }),
      "corepack pnpm@9.1.0 install --frozen-lockfile",
    ],
    ["yarn 1", node(["yarn.lock"]), "yarn install --frozen-lockfile"],
    ["yarn, pinned", node(["yarn.lock"], { packageManager: "yarn@4.1.0" }), "corepack yarn@4.1.0 install --immutable"],
    ["bun", node(["bun.lock"]), "bun install --frozen-lockfile"],
    [
      "Python",
      { ...nothing, files: ["requirements.txt"] },
      "python3 -m venv .venv; .venv/bin/python -m pip install --disable-pip-version-check -r requirements.txt",
    ],
    ["uv", { ...nothing, files: ["pyproject.toml", "uv.lock"] }, "uv sync --frozen"],
  ])("by %s", (_, found, wanted) => {
    expect(said("install", found, found)).toBe(wanted);
  });

  it("of a workspace's package is that of the top", () => {
    expect(said("install", node([]), node(["package-lock.json"]))).toBe("npm ci --no-audit --no-fund");
  });
});

it("checks are what package.json has, else what pyproject.toml has, else said to be missing", () => {
  const scripts = { lint: "x", "test:unit": "x", test: "y" };
  const top = node(["pnpm-lock.yaml"]);
  expect(said("lint", node([], { scripts }), top)).toBe("pnpm run lint");
  expect(said("unit", node([], { scripts }), top)).toBe("pnpm run test:unit");
  const python: Found = {
    ...nothing,
    files: ["pyproject.toml"],
    pyproject: "[tool.pytest.ini_options]\n[tool.ruff]\n",
  };
  expect(said("unit", python, python)).toBe("pytest");
  expect(said("lint", python, python)).toBe("ruff check");
  expect(said("typecheck", python, python)).toMatch(/^! package.json has no script/);
  expect(said("checkout", nothing, nothing)).toBe("");
});

describe("publish", () => {
  const named = (version: string, more: Partial<Found> = {}): Found =>
    node(["package-lock.json"], { package: { name: "@acme/cart", version, isPrivate: false }, ...more });
  // What is before it asks the registry for this version.
  const own = (here: Found, top: Found): string => said("publish", here, top).split(" publish @acme/cart@")[1] ?? "";

  it.each([
    ["npm", named("1.2.3"), "1.2.3 npm publish"],
    ["npm, before a version", named("2.0.0-beta.1"), "2.0.0-beta.1 npm publish --tag beta"],
    ["npm, before a version, in numbers", named("2.0.0-0"), "2.0.0-0 npm publish --tag next"],
    ["npm, with a note of the build", named("2.0.0+linux-x64"), "2.0.0+linux-x64 npm publish"],
    [
      "pnpm, pinned",
      named("1.2.3", { packageManager: "pnpm@9.1.0" }),
      "1.2.3 corepack pnpm@9.1.0 publish --no-git-checks",
    ],
  ])("by %s", (_, found, wanted) => {
    expect(own(found, found)).toBe(wanted);
  });

  it("by pnpm is with the token that .npmrc names, wherever that is: pnpm believes no variable of a project's own", () => {
    const cart = { packageManager: "pnpm@12.21.0", path: "packages/cart" };
    const begins = (here: Found, top: Found) => said("publish", here, top).split(" if npm view")[0];
    const plain = "sh -euc";
    const rc = [".npmrc"];
    expect(begins(named("1.0.0", cart), node([]))).toBe(plain);
    expect(begins(named("1.0.0", { ...cart, files: rc }), node(rc))).toBe(
      `${plain} export npm_config_userconfig="\${npm_config_userconfig:-$PWD/.npmrc}";`,
    );
    expect(begins(named("1.0.0", cart), node(rc))).toBe(
      `${plain} export npm_config_userconfig="\${npm_config_userconfig:-$PWD/../../.npmrc}";`,
    );
    expect(begins(named("1.0.0", { packageManager: "npm@11.0.0" }), node(rc))).toBe(plain);
  });

  it("is what the tool itself does where it leaves alone what is there already", () => {
    const berry = named("1.2.3", { packageManager: "yarn@4.1.0", files: ["package.json", "yarn.lock", ".yarnrc.yml"] });
    expect(said("publish", berry, berry)).toBe("corepack yarn@4.1.0 npm publish --tolerate-republish");
    const uv: Found = { ...nothing, files: ["pyproject.toml", "uv.lock"] };
    expect(said("publish", uv, uv)).toBe("uv build; uv publish");
  });

  it("says what is missing", () => {
    const secret = node([], { package: { name: "cart", version: "1.0.0", isPrivate: true } });
    expect(said("publish", secret, secret)).toMatch(/^! its package.json is private/);
    expect(said("publish", nothing, nothing)).toMatch(/^! no package.json has a name and a version/);
  });
});

it("integration is its own script, or the tests that are marked so", () => {
  const scripts = { test: "x", "test:integration": "y" };
  const top = node(["package-lock.json"]);
  expect(said("integration", node([], { scripts }), top)).toBe("npm run test:integration");
  const marked = '[tool.pytest.ini_options]\nmarkers = ["slow: takes long", "integration: needs a database"]\n';
  const lines = '[tool.pytest.ini_options]\nmarkers = [\n  "integration: needs a database",\n]\n';
  const python = (pyproject: string): Found => ({ ...nothing, files: ["pyproject.toml"], pyproject });
  expect(said("integration", python(marked), nothing)).toBe("pytest -m integration");
  expect(said("integration", python(lines), nothing)).toBe("pytest -m integration");
  expect(said("integration", python("[tool.pytest.ini_options]\n"), nothing)).toMatch(/^! package.json has no script/);
});
