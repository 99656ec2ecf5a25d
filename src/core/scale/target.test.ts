import { describe, expect, it } from "vitest";
import { environmentName, releaseId, serviceName } from "../ids.ts";
import { type ParsedTarget, parseScaleTarget, targetQuery } from "./target.ts";

const at = { environment: environmentName("production"), release: releaseId("rel_1"), service: serviceName("web") };

function read(text: string): ParsedTarget {
  return parseScaleTarget(text, ["load"]);
}

function query(text: string, sinceMs = Number.POSITIVE_INFINITY) {
  const parsed = read(text);
  if (parsed.is === "wrong") throw new Error(parsed.why);
  return { kind: parsed.target.kind, ...targetQuery(parsed.target, at, sinceMs) };
}

describe("what is too much", () => {
  it("is of the service itself, and of its live release where a metric knows releases", () => {
    expect(query("cpu > 70%")).toMatchObject({
      kind: "each",
      labels: { environment: "production", service: "web", release: "rel_1" },
      windowMs: 15_000,
    });
    expect(query("requests > 50/s over 1m")).toMatchObject({ kind: "total", windowMs: 60_000 });
    expect(query("queue delay > 30s").labels).toEqual({ environment: "production", service: "web" });
    expect(query("queue delay of mailer > 30s").labels).toEqual({ environment: "production", service: "mailer" });
  });

  it("needs no service where it has a name of its own", () => {
    expect(query("load > 10")).toMatchObject({ kind: "other", labels: { environment: "production" } });
    expect(query("queue delay at mails > 30s").labels).toEqual({ environment: "production", probe: "mails" });
  });

  it("looks at nothing from before there were as many instances as now", () => {
    expect([query("cpu > 70%", 4_000).windowMs, query("load > 10 over 1m", 20_000).windowMs]).toEqual([4_000, 20_000]);
  });

  it("is refused with words where it says something else", () => {
    const why = (text: string) => {
      const parsed = read(text);
      return parsed.is === "wrong" ? parsed.why : "it is taken";
    };
    expect(
      ["cpu > 70% for 5m", "cpu > 70% -> page", "cpu < 70%", "uptime > 99%", "health failing", "cpu > 0%"].map(why),
    ).toEqual([
      'how long is said by upAfter and downAfter; leave out "for 5m"',
      '"->" is for rules; here the number of instances is what is done',
      "it must say what is too much, such as cpu > 70%",
      "it must say what is too much, such as queue delay > 30s",
      "it must say what is too much, such as queue delay > 30s",
      "more than nothing is always too much; use a larger number",
    ]);
    expect([why("error budget 99.9% burns"), why("cpu > 70% during mon-fri 09:00-17:00"), why("cpuu > 70%")]).toEqual([
      "a budget says nothing about how many instances there should be",
      'it holds at all times; leave out "during mon-fri 09:00-17:00"',
      'there is no metric "cpuu"; did you mean "cpu"?',
    ]);
  });
});
