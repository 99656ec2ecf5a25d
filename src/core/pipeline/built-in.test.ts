import { describe, expect, it } from "vitest";
import { builtIn, type Found } from "./built-in.ts";

const nothing: Found = { scripts: null, packageManager: null, files: [], pyproject: "" };
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
