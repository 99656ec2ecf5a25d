import { describe, expect, it } from "vitest";
import { environmentName } from "../../ids.ts";
import { type Measured, unknown } from "../../metric/measured.ts";
import { MetricMemory } from "../../metric/memory.ts";
import { contradictions } from "./contradictions.ts";
import { evaluate, queriesOf, quietRule, type RuleLook, type RuleState } from "./evaluate.ts";
import { rulesOf } from "./of-spec.ts";
import type { Rule } from "./rule.ts";
import { sparkline } from "./text.ts";

const place = { environment: environmentName("production"), release: null };
const start = Date.UTC(2026, 10, 26, 12);

function rule(when: string, more: Partial<Rule> = {}): Rule {
  const spec = { when, minimum: 1, looks: 1, whenUnknown: "wait", dryRun: false } as const;
  const [read] = rulesOf({ rules: { it: spec }, metrics: [] }).rules;
  return { ...(read as Rule), ...more };
}

const known = (value: number, more: Partial<Extract<Measured, { is: "known" }>> = {}): Measured => ({
  is: "known",
  value,
  count: 100,
  covered: 1,
  from: start,
  to: start,
  ...more,
});

/** Looks once a second at these values. */
function watched(one: Rule, values: readonly Measured[], from = start): RuleLook[] {
  let state: RuleState = quietRule;
  return values.map((value, second) => {
    const look = evaluate(one, [value], state, from + second * 1_000);
    state = look.next;
    return look;
  });
}

const seconds = (count: number, value: Measured) => new Array<Measured>(count).fill(value);

describe("a rule", () => {
  it("fires when it was broken for as long as it says without a break, and is resolved by the first good look", () => {
    const one = rule("error ratio > 10% for 10s -> rollback");
    const looks = watched(one, [
      ...seconds(6, known(0.3)),
      known(0.05),
      ...seconds(12, known(0.3)),
      ...seconds(2, known(0.02)),
    ]);
    expect(looks.slice(0, 8).map(({ is }) => is)).toEqual([...new Array(6).fill("pending"), "ok", "pending"]);
    expect(looks.findIndex(({ turned }) => turned === "fired")).toBe(17);
    expect(looks[17]?.reason).toBe("error ratio is 30 % (above 10 % over 1m), of 100, for 10s");
    expect(looks.filter(({ turned }) => turned !== null).map(({ turned }) => turned)).toEqual(["fired", "resolved"]);
  });

  it("does not know when nothing was measured: what fires goes on, what was about to begins anew", () => {
    const one = rule("error ratio > 10% for 5s");
    const silence = unknown("error ratio was not counted in the last 1m");
    const looks = watched(one, [...seconds(4, known(0.3)), silence, ...seconds(5, known(0.3)), known(0.3), silence]);
    expect(looks.map(({ is }) => is)).toEqual([
      ...new Array(4).fill("pending"),
      "unknown",
      ...new Array(5).fill("pending"),
      "firing",
      "firing",
    ]);
    expect(looks[4]?.reason).toBe(silence.is === "unknown" ? silence.why : "");
    const strict = rule("probe at db failing for 2s", { whenUnknown: "fire" });
    expect(watched(strict, seconds(4, silence)).at(-1)?.is).toBe("firing");
  });

  it("over a long window says nothing before half of it was looked at", () => {
    const one = rule("uptime of ml < 99% over 1d");
    const seen = (covered: number) => watched(one, [known(0.5, { covered })])[0];
    expect(seen(0.02)).toMatchObject({ is: "unknown", reason: "only 2 % of the last 1d was looked at" });
    expect(seen(0.6)).toMatchObject({ is: "firing" });
  });

  it("wants its minimum, its looks, and a number", () => {
    expect(watched(rule("error ratio > 10%", { minimum: 50 }), [known(0.9, { count: 49 })])[0]).toMatchObject({
      is: "unknown",
      reason: "49 of at least 50 were seen",
    });
    const looks = watched(rule("queue delay > 30s", { looks: 3 }), seconds(4, known(40_000)));
    expect(looks.map(({ is }) => is)).toEqual(["pending", "pending", "firing", "firing"]);
    expect(watched(rule("queue delay > 30s"), [known(Number.NaN)])[0]?.is).toBe("unknown");
    expect(watched(rule("queue delay > 30s"), [known(Number.POSITIVE_INFINITY)])[0]?.is).toBe("unknown");
  });

  it("holds only in its time, in its time zone", () => {
    const one = rule("memory share > 80% during mon-fri 09:00-17:00 Europe/Berlin");
    const at = (iso: string) => watched(one, [known(0.9)], Date.parse(iso))[0]?.is;
    expect(at("2026-11-26T07:59:00Z")).toBe("off");
    expect(at("2026-11-26T08:00:00Z")).toBe("firing");
    expect(at("2026-11-26T15:59:00Z")).toBe("firing");
    expect(at("2026-11-26T16:00:00Z")).toBe("off");
    expect(at("2026-11-28T10:00:00Z")).toBe("off");
    // In summer an hour earlier.
    expect(at("2026-07-01T07:30:00Z")).toBe("firing");
  });

  it("of an error budget fires by its fast windows, both of them, and says how fast it burns", () => {
    const one = rule("error budget 99.9% burns -> page");
    const by = (...ratios: readonly number[]) =>
      evaluate(
        one,
        ratios.map((ratio) => known(ratio)),
        quietRule,
        start,
      );
    expect(queriesOf(one, place).map(({ windowMs }) => windowMs / 60_000)).toEqual([60, 5, 360, 30]);
    expect(by(0.02, 0.02, 0.003, 0.02)).toMatchObject({ is: "firing" });
    expect(by(0.02, 0.02, 0.003, 0.02).reason).toBe(
      "the error budget burns 20.0 times as fast as it lasts over 1h, and 20.0 times over 5m (limit 14.4)",
    );
    // It was bad, and is over.
    expect(by(0.02, 0.001, 0.02, 0.001)).toMatchObject({ is: "ok" });
    expect(by(0.007, 0.007, 0.007, 0.007)).toMatchObject({ is: "firing", reason: expect.stringContaining("limit 6") });
    expect(by(0.001, 0.5, 0.001, 0.5)).toMatchObject({ is: "ok" });
    const little = evaluate(one, new Array<Measured>(4).fill(known(0.5, { covered: 0.1 })), quietRule, start);
    expect(little).toMatchObject({ is: "unknown", reason: "only 10 % of the last 1h was looked at" });
    const slow = rule("error budget 99.9% burns slowly -> notify team");
    expect(queriesOf(slow, place).map(({ windowMs }) => windowMs / 3_600_000)).toEqual([72, 6]);
    expect(evaluate(slow, [known(0.0011), known(0.0011)], quietRule, start)).toMatchObject({ is: "firing" });
    expect(evaluate(slow, [known(0.0011), known(0.0009)], quietRule, start)).toMatchObject({ is: "ok" });
  });

  it("looks at what is measured, of its environment and its service only", () => {
    const memory = new MetricMemory();
    const one = rule("queue delay of mailer > 30s");
    const give = (environment: string, service: string, value: number) =>
      memory.record({
        metric: "queue delay",
        labels: { environment: environmentName(environment), service: service as never },
        at: start,
        value,
        holdMs: 60_000,
      });
    give("staging", "mailer", 90_000);
    give("production", "importer", 90_000);
    const look = () =>
      evaluate(
        one,
        queriesOf(one, place).map((query) => memory.measure(query, start + 1_000)),
        quietRule,
        start + 1_000,
      );
    expect(look().is).toBe("unknown");
    give("production", "mailer", 31_000);
    expect(look()).toMatchObject({ is: "firing", reason: "queue delay is 31s (above 30s), of 1" });
  });
});

describe("rules together", () => {
  const doubts = (rules: Record<string, string>) => {
    const specs = Object.entries(rules).map(([name, when]) => [
      name,
      { when, minimum: 1, looks: 1, whenUnknown: "wait", dryRun: false } as const,
    ]);
    return contradictions(rulesOf({ rules: Object.fromEntries(specs), metrics: [] }).rules, {
      services: ["api"],
      notifiers: ["team"],
    }).map(({ rule: name, is, why }) => `${is} ${name}: ${why}`);
  };

  it("that contradict each other, or speak of what is not there, are told", () => {
    expect(
      doubts({
        a: "error ratio of api > 10% -> rollback",
        b: "error ratio of api > 10% -> pause",
        c: "error ratio of api > 5% -> rollback, pause",
        d: "cpu of web > 80% -> notify nobody",
        e: "memory share > 80% -> suggest scale up",
        f: "uptime < 0%",
        g: "error ratio >= 0% -> rollback",
      }),
    ).toEqual([
      "error c: a deployment cannot be held and taken back at once",
      'error d: there is no service "web"; the only service is api',
      'error d: there is no notifier "nobody"; the only notifier is team',
      'error e: suggest-scale-up needs a service: write "… of api"',
      "warning f: it can never be broken",
      "error g: it is always broken",
      "error b: it and a ask for a pause and for a rollback, of the same",
    ]);
  });

  it("that go together are not", () => {
    expect(doubts({ a: "error ratio > 10% for 5m -> rollback", b: "error ratio > 5% -> notify team" })).toEqual([]);
  });
});

it("a line of bars shows what was, what is not known, and where the limit is", () => {
  expect(sparkline([0, 0.1, null, 0.5, 1], 0.1)).toBe("▁▁·▅█");
  expect(sparkline([0, 0.01], 0.1)).toBe("▁▁");
  expect(sparkline([], 1)).toBe("");
});
