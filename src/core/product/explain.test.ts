import { describe, expect, test } from "vitest";
import { explainKey, formatExplanation, formatUnknownKey } from "./explain.ts";
import { keyPaths } from "./tree.ts";

const explained = (path: string) => {
  const result = explainKey(path);
  return result.found ? formatExplanation(result.explanation) : formatUnknownKey(result);
};

test("a key is explained with its meaning, what is allowed, default, example and where it may differ", () => {
  expect(`\n${explained("services.web.health.interval")}\n`).toBe(`
services.*.health.interval
  Time from one probe of an instance to the next.

  allowed   a number and a unit (ms, s, m, h, d), such as 30s, 5m or 1h30m, from 100ms to 1h
  default   "1s"
  example   interval: "2s"
  override  environments.*.services.*.health.interval
`);
});

test("a key that holds others lists them", () => {
  expect(`\n${explained("rollout.rules.errorRatio")}\n`).toBe(`
rollout.rules.errorRatio
  Takes a release back when its share of 5xx answers is above the stable release's by more than a margin, compared after every answer. false turns the rule off.

  allowed   an object such as { margin: "2%", minimum: 10 }, or false
  default   { margin: "2%", minimum: 10 }
  example   errorRatio: { margin: "5%", minimum: 100 }
  override  environments.*.rollout.rules.errorRatio

  margin       How far the candidate's share of 5xx answers may be above the stable release's.
  minimum      Requests the candidate must have answered before its ratio is judged.
  warmUp       For how long the errors of fresh instances are held against coldMargin instead, for a cache that is cold fails at first and heals.
  coldMargin   How far the candidate's share of 5xx answers may be above the stable release's within warmUp.
`);
});

describe("a key may be named", () => {
  test.each([
    ["services.*.kind", "services.*.kind"],
    ["services.kind.kind", "services.*.kind"],
    ["health.retries", "services.*.health.retries"],
    ["trustedProxies", "edge.trustedProxies"],
    ["services.web.routes[0].host", "services.*.routes.*.host"],
    ['services["web"].kind', "services.*.kind"],
    ["environments.preview/x.edge.listen", "environments.*.edge.listen"],
  ])("%s", (path, found) => {
    expect(explainKey(path)).toMatchObject({ found: true, explanation: { path: found } });
  });
});

describe("a key that is not there", () => {
  test.each([
    ["helth", '"helth" may be one of these:\n  services.*.health\n  accessories.*.health'],
    [
      "services.web.helth.interval",
      'there is no key "services.web.helth.interval"; did you mean services.*.health.interval?',
    ],
    ["zzz", 'there is no key "zzz"'],
    ["", 'there is no key ""'],
    ["constructor", 'there is no key "constructor"'],
    ["strip.path.x", 'there is no key "strip.path.x"'],
  ])("%j", (path, text) => {
    expect(explained(path)).toBe(text);
  });

  test("or that is there more than once gets all of them", () => {
    expect(explained("path")).toBe(
      [
        '"path" may be one of these:',
        "  services.*.path",
        "  services.*.pipeline.steps.*.path",
        "  services.*.health.path",
        "  services.*.routes.*.path",
        "  pipeline.steps.*.path",
        "  rollout.synthetic.path",
        "  edge.allowLists.*.path",
        "  metrics.*.json.path",
      ].join("\n"),
    );
  });
});

test("every key can be explained, in whole sentences", () => {
  for (const { path } of keyPaths()) {
    const result = explainKey(path.join("."));
    expect(result).toMatchObject({ found: true, explanation: { path: path.join(".") } });
    expect(result.found && result.explanation.meaning).toMatch(/^[A-Z].*\.$/);
  }
});
