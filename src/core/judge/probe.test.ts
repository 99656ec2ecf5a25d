import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { JsonShape } from "../product/spec.ts";
import { type InstanceHealth, judgeAnswer, observe, type ProbeAnswer, unknownHealth } from "./probe.ts";

const answer = (status: number, body: string): ProbeAnswer => ({ is: "answer", at: 0, tookMs: 1, status, body });
const judged = (shape: JsonShape, body: unknown): boolean =>
  judgeAnswer({ status: null, body: shape }, answer(200, JSON.stringify(body))).healthy;

describe("the status of an answer", () => {
  it("is healthy for every 2xx and nothing else, when the config names none", () => {
    const healthy = [100, 199, 200, 204, 299, 300, 302, 404, 500, 503].filter(
      (status) => judgeAnswer({ status: null, body: null }, answer(status, "")).healthy,
    );
    expect(healthy).toEqual([200, 204, 299]);
  });

  it("is healthy only when it is one of those that the config names", () => {
    const healthy = [200, 204, 302, 401, 503].filter(
      (status) => judgeAnswer({ status: [204, 401], body: null }, answer(status, "")).healthy,
    );
    expect(healthy).toEqual([204, 401]);
  });

  it("is judged before the body: a right body with a wrong status is unhealthy", () => {
    expect(judgeAnswer({ status: null, body: "ok" }, answer(500, "ok"))).toEqual({ healthy: false, saw: "500 ok" });
  });
});

describe("the body of an answer", () => {
  it("may be any when none is asked for", () => {
    expect(judgeAnswer({ status: null, body: null }, answer(200, "")).healthy).toBe(true);
  });

  it("must contain the text that is asked for, as it is written", () => {
    const health = { status: null, body: "ok (all)" };
    expect(judgeAnswer(health, answer(200, "status: ok (all) since noon")).healthy).toBe(true);
    expect(judgeAnswer(health, answer(200, "OK (all)"))).toEqual({
      healthy: false,
      saw: '200 OK (all), which does not contain "ok (all)"',
    });
  });

  it("must have the keys and values that are asked for, at any depth; others are allowed", () => {
    const shape = { status: "healthy", checks: { database: { up: true, lagMs: 0 }, cache: null } };
    expect(judged(shape, { ...shape, checks: { ...shape.checks, extra: [1] }, version: 3 })).toBe(true);
    expect(judged(shape, { status: "healthy", checks: { database: { up: true, lagMs: 1 }, cache: null } })).toBe(false);
    expect(judged(shape, { status: "healthy", checks: { database: { up: true, lagMs: 0 } } })).toBe(false);
    expect(judged(shape, { status: "healthy", checks: "fine" })).toBe(false);
    expect(judged(shape, { status: "healthy", checks: null })).toBe(false);
  });

  it("must have equal arrays: same values, same order, same length", () => {
    const shape = { queues: ["mail", 3, null, true] };
    expect(judged(shape, { queues: ["mail", 3, null, true] })).toBe(true);
    expect(judged(shape, { queues: ["mail", 3, null] })).toBe(false);
    expect(judged(shape, { queues: ["mail", 3, null, true, "more"] })).toBe(false);
    expect(judged(shape, { queues: [3, "mail", null, true] })).toBe(false);
    expect(judged(shape, { queues: { 0: "mail", 1: 3, 2: null, 3: true } })).toBe(false);
    expect(judged(shape, { queues: '["mail",3,null,true]' })).toBe(false);
    expect(judged({ queues: [] }, { queues: [] })).toBe(true);
  });

  it("does not take one type for another", () => {
    expect(judged({ up: true }, { up: "true" })).toBe(false);
    expect(judged({ up: 1 }, { up: true })).toBe(false);
    expect(judged({ up: 0 }, { up: null })).toBe(false);
    expect(judged({ up: null }, {})).toBe(false);
    expect(judged({ up: {} }, { up: [] })).toBe(false);
  });

  it("is only asked for its own keys, never for those that every object inherits", () => {
    const shape = JSON.parse('{"__proto__":{}}') as JsonShape;
    expect(judged(shape, { status: "healthy" })).toBe(false);
    expect(judgeAnswer({ status: null, body: shape }, answer(200, '{"__proto__":{"a":1}}')).healthy).toBe(true);
    expect(judged({ constructor: { name: "Object" } }, {})).toBe(false);
  });

  it("matches an empty shape with any object, and with nothing else", () => {
    expect(judged({}, { any: "thing" })).toBe(true);
    for (const other of [[], "x", 1, null, true]) expect(judged({}, other)).toBe(false);
  });

  it("says so when it is not JSON, and shows only its beginning", () => {
    const health = { status: null, body: { status: "healthy" } };
    expect(judgeAnswer(health, answer(200, "<html>")).saw).toBe("200 <html>, which is not JSON");
    expect(judgeAnswer(health, answer(200, '{"status":"healthy"')).saw).toContain("which is not JSON");
    expect(judgeAnswer(health, answer(200, "")).saw).toBe("200 (empty body), which is not JSON");
    const huge = judgeAnswer(health, answer(200, "x".repeat(65_536)));
    expect(huge.healthy).toBe(false);
    expect(huge.saw.length).toBeLessThan(200);
  });

  it("is shown on one line, without anything that a terminal would obey", () => {
    const body = "line one\r\n\tline two\u001b[31m red\u0007";
    expect(judgeAnswer({ status: null, body: null }, answer(500, body)).saw).toBe("500 line one line two [31m red");
  });

  it("may be nested as deeply as a probe reads without ending the judge", () => {
    const deep = `${"[".repeat(30_000)}${"]".repeat(30_000)}`;
    expect(judgeAnswer({ status: null, body: { status: "healthy" } }, answer(200, deep)).healthy).toBe(false);
  });

  it("contains itself whatever it is, also with more keys, and never with one value changed", () => {
    fc.assert(
      fc.property(shapes(), fc.string(), (shape, key) => {
        expect(judged(shape, shape)).toBe(true);
        if (!Object.hasOwn(shape, `+${key}`)) {
          expect(judged(shape, { ...shape, [`+${key}`]: 1 })).toBe(true);
          expect(judged({ ...shape, [`+${key}`]: 1 }, shape)).toBe(false);
        }
        for (const own of Object.keys(shape)) expect(judged(shape, { ...shape, [own]: "another value" })).toBe(false);
      }),
    );
  });
});

describe("an answer that did not come", () => {
  it("is unhealthy, with the reason", () => {
    const nothing: ProbeAnswer = { is: "nothing", at: 0, tookMs: 5, why: "connection refused" };
    expect(judgeAnswer({ status: null, body: null }, nothing)).toEqual({ healthy: false, saw: "connection refused" });
  });
});

describe("the health of an instance", () => {
  const good = { healthy: true, saw: "200" };
  const bad = { healthy: false, saw: "503" };

  it("is unknown before the first probe, and unknown is not healthy", () => {
    expect(unknownHealth.is).toBe("unknown");
    expect(observe(unknownHealth, bad, 3)).toEqual({ is: "unhealthy", failuresInRow: 1, last: bad });
  });

  it("follows the rule of one success and so many failures in a row, whatever the probes say", () => {
    fc.assert(
      fc.property(
        fc.array(fc.boolean(), { minLength: 1, maxLength: 40 }),
        fc.integer({ min: 1, max: 5 }),
        (probes, retries) => {
          let health: InstanceHealth = unknownHealth;
          for (const healthy of probes) health = observe(health, healthy ? good : bad, retries);
          const failures = probes.length - 1 - probes.lastIndexOf(true);
          expect(health.failuresInRow).toBe(failures);
          expect(health.is).toBe(probes.includes(true) && failures < retries ? "healthy" : "unhealthy");
        },
      ),
    );
  });
});

/** Shapes without the text that the test puts in the place of a value. */
function shapes(): fc.Arbitrary<JsonShape> {
  const plain = fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.constant(null));
  return fc.letrec<{ shape: JsonShape }>((tie) => ({
    shape: fc.dictionary(fc.string(), fc.oneof({ depthSize: "small" }, plain, fc.array(plain), tie("shape"))),
  })).shape;
}
