import { expect, test } from "vitest";
import { smallProduct } from "./samples.ts";
import { validateProduct } from "./validate.ts";

const environments = { staging: { edge: { listen: ":8081" } }, production: { promoteFrom: "staging" } };
const said = (triggers: unknown) =>
  validateProduct({ ...smallProduct, environments, triggers }).problems.map(
    ({ path, message, severity }) => `${severity} ${path}: ${message}`,
  );

test("what triggers deploy to must be there, and must take what is new", () => {
  expect(said({ branches: { main: { deploy: "stagin" } }, poll: "1m" })).toEqual([
    'error triggers.branches.main.deploy: there is no environment "stagin"; did you mean "staging"?',
  ]);
  expect(said({ branches: { main: { deploy: "production" } }, poll: "1m" })).toEqual([
    "warning triggers.branches.main.deploy: production takes only what has succeeded in staging; deploy there, and promote",
  ]);
  expect(said({ branches: { main: { deploy: "staging" } }, webhook: { forge: "github" } })).toEqual([]);
});

test("triggers that nobody tells of a push, or that no push begins, are warned of", () => {
  expect(said({ tags: { "v*": {} } })).toEqual(["warning triggers: nobody tells of pushes: add a webhook, or poll"]);
  expect(said({ poll: "1m" })).toEqual(["warning triggers: no branch and no tag is named, so no push begins anything"]);
  expect(said({ schedules: { nightly: { cron: "0 3 * * *", branch: "main" } } })).toEqual([]);
});

test("a remote that would run a program, and names that a command line would take for an option, are refused", () => {
  for (const remote of ["ext::sh -c true", "--upload-pack=x", "fd::3", "ftp://example.com/a", "a b", ""])
    expect(said({ remote }), remote).toHaveLength(1);
  for (const remote of [
    "origin",
    "git@github.com:acme/shop.git",
    "ssh://git@example.com/a",
    "https://example.com/a",
    "/srv/shop.git",
  ])
    expect(said({ remote }), remote).toEqual([]);
  for (const branch of ["--force", "a..b", "a b", "/a", "a/"])
    expect(said({ branches: { [branch]: {} }, poll: "1m" }).join(), branch).toContain("is no name");
});

test("a parameter that nobody can give where a push begins the run is warned of, and not where only people begin one", () => {
  const pipeline = { steps: { unit: { shell: "true" } }, parameters: { level: {}, shards: { default: 2 } } };
  const told = (triggers?: unknown) =>
    validateProduct({ ...smallProduct, environments, pipeline, triggers }).problems.map(({ path }) => path);
  expect(told()).toEqual([]);
  expect(told({ branches: { main: {} }, poll: "1m" })).toEqual(["pipeline.parameters.level"]);
  expect(told({ schedules: { nightly: { cron: "0 3 * * *", branch: "main" } } })).toEqual([
    "pipeline.parameters.level",
  ]);
});
