import { describe, expect, it } from "vitest";
import { parseRule } from "./parse.ts";

function rule(text: string) {
  const parsed = parseRule(text, ["orders"]);
  if (parsed.is === "wrong") throw new Error(parsed.why);
  return parsed.rule;
}

function why(text: string) {
  const parsed = parseRule(text, ["orders"]);
  return parsed.is === "wrong" ? parsed.why : "understood";
}

describe("a rule in a line", () => {
  it("says everything that teams ask for", () => {
    expect(rule("error ratio > 10% for 5m -> rollback")).toMatchObject({
      condition: {
        is: "threshold",
        metric: { name: "error ratio" },
        service: null,
        compare: ">",
        threshold: 0.1,
        overMs: 60_000,
      },
      forMs: 300_000,
      severity: "critical",
      actions: [{ do: "rollback" }],
      during: null,
    });
    expect(rule("health failing for 2m -> rollback")).toMatchObject({
      condition: { metric: { name: "health" }, compare: "<", threshold: 1, take: "last", overMs: 0 },
      forMs: 120_000,
    });
    expect(rule("probe at orders-db lost -> rollback, page")).toMatchObject({
      condition: { metric: { name: "probe" }, asked: "orders-db", compare: "<", threshold: 1 },
      actions: [{ do: "rollback" }, { do: "page" }],
    });
    expect(rule("p95 of api > 800ms -> notify slack")).toMatchObject({
      condition: { metric: { name: "latency p95", q: 0.95 }, service: "api", threshold: 800, overMs: 60_000 },
      severity: "warning",
      actions: [{ do: "notify", to: "slack" }],
    });
    expect(rule("uptime of ml < 99% over 1h -> page")).toMatchObject({
      condition: { metric: { name: "uptime" }, service: "ml", compare: "<", threshold: 0.99, overMs: 3_600_000 },
      actions: [{ do: "page" }],
    });
    expect(rule("queue delay of worker > 30s -> suggest scale up")).toMatchObject({
      condition: { metric: { name: "queue delay" }, threshold: 30_000, overMs: 0 },
      actions: [{ do: "suggest-scale-up" }],
    });
    expect(rule("avg response time > 2s over 5m -> critical")).toMatchObject({
      condition: { metric: { name: "response time" }, take: "avg", threshold: 2_000, overMs: 300_000 },
      severity: "critical",
      actions: [],
    });
    expect(rule("memory share > 80% during mon-fri 09:00-17:00 Europe/Berlin -> warning")).toMatchObject({
      condition: { metric: { name: "memory share" }, threshold: 0.8 },
      severity: "warning",
      during: { days: [1, 2, 3, 4, 5], fromMinute: 540, toMinute: 1_020, zone: "Europe/Berlin" },
    });
    expect(rule("orders < 5 for 10m")).toMatchObject({ condition: { metric: { name: "orders" }, threshold: 5 } });
    expect(rule("error budget 99.9% burns -> page")).toMatchObject({
      condition: { is: "burn", objective: 0.999, service: null, pace: "fast" },
      severity: "critical",
    });
  });

  it("may be about an alert of somebody else, by name and labels", () => {
    expect(rule('alert HighErrorRate{severity="critical"} of api firing for 1m -> rollback')).toMatchObject({
      condition: {
        metric: { series: "alert", name: 'alert HighErrorRate{service="api",severity="critical"}' },
        service: "api",
        asked: 'HighErrorRate{service="api",severity="critical"}',
        compare: ">=",
        threshold: 1,
      },
      forMs: 60_000,
      actions: [{ do: "rollback" }],
    });
    expect(rule("alert Down firing -> page").condition).toMatchObject({ asked: "Down", service: null });
    expect(why("alert HighErrorRate")).toContain('"alert HighErrorRate" says no alert');
    expect(why("alert {a=b} firing")).toContain("says no alert");
    expect(why("alert Down firing over 5m")).toContain('"over" does not go with an alert');
  });

  it("that is not understood is refused with what is wrong, and with what was probably meant", () => {
    expect(why("eror ratio > 10%")).toBe('there is no metric "eror ratio"; did you mean "error ratio"?');
    expect(why("error ratio > 10")).toBe('"10" does not fit error ratio; write for example error ratio > 10%');
    expect(why("error ratio > 800ms")).toContain("does not fit error ratio");
    expect(why("error ratio")).toBe(
      '"error ratio" says no condition; write for example error ratio > 10% for 5m, or health failing for 2m',
    );
    expect(why("error ratio failing")).toBe(
      '"error ratio" cannot be failing; compare it with a number, such as error ratio > 10%',
    );
    expect(why("error ratio > 10% for 5 min")).toBe('"5 min" after "for" is not a duration; write for example for 5m');
    expect(why("error ratio > 10% for 5m for 6m")).toBe('"for" is there twice');
    expect(why("error ratio > 10% -> rolback")).toBe('"rolback" is not an action; did you mean "rollback"?');
    expect(why("error ratio > 10% -> notify")).toContain('"notify" is not an action');
    expect(why("error ratio > 10% -> a -> b")).toContain('"->" is there twice');
    expect(why("health failing during weekends")).toContain('"weekends" after "during" is not a time');
    expect(why("health failing during mon-fri 17:00-09:00")).toContain("is not a time");
    expect(why("health failing during mon-fri 09:00-17:00 Europe/Atlantis")).toContain("is not a time");
    expect(why("uptime of ml < 99% over 31d")).toBe(
      '"over 31d" is longer than what is measured is kept; use 30d at most',
    );
    expect(why("error budget 99.9 burns")).toContain('"99.9" is not an objective');
    expect(why("queue delay > 30% ")).toContain("does not fit queue delay");
    expect(why("")).toContain("says no condition");
    expect(why("> 5")).toContain('there is no metric ""');
  });
});
