import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Measured } from "../metric/measured.ts";
import type { ScaleSpec } from "../product/spec.ts";
import { afterDecision, decideScale, noPast, type ScaleDecision, type ScalePast, type ScaleState } from "./decide.ts";
import { parseScaleTarget, type ScaleTarget } from "./target.ts";

function target(text: string): ScaleTarget {
  const parsed = parseScaleTarget(text, ["load"]);
  if (parsed.is === "wrong") throw new Error(parsed.why);
  return parsed.target;
}

const cpu = target("cpu > 70%");
const requests = target("requests > 50/s");
const delay = target("queue delay > 30s");

const limits: ScaleSpec = {
  min: 1,
  max: 3,
  targets: [],
  upAfterMs: 30_000,
  downAfterMs: 300_000,
  step: 1,
  suggest: false,
};

const known = (value: number): Measured => ({ is: "known", value, count: 1, covered: 1, from: 0, to: 0 });
const nobody: Measured = { is: "unknown", why: "nobody looked" };

type Load = (count: number, now: number) => readonly (readonly [ScaleTarget, Measured])[];

/** A service that is looked at once a second, whose values are what `load` makes of the number of instances. */
class Service {
  count: number;
  now = 1_000_000;
  readonly changes: { readonly at: number; readonly from: number; readonly to: number; readonly reason: string }[] = [];
  last: ScaleDecision | null = null;
  #state: ScaleState | null = null;
  #past: ScalePast = noPast;
  readonly #spec: ScaleSpec;
  readonly #load: Load;

  constructor(count: number, spec: ScaleSpec, load: Load) {
    this.count = count;
    this.#spec = spec;
    this.#load = load;
  }

  run(seconds: number, held: string | null = null): this {
    for (let second = 0; second < seconds; second += 1) {
      this.now += 1_000;
      const readings = this.#load(this.count, this.now).map(([each, measured]) => ({ target: each, measured }));
      const decision = decideScale({
        spec: this.#spec,
        count: this.count,
        readings,
        state: this.#state,
        past: this.#past,
        held,
        now: this.now,
        wallNow: this.now,
      });
      this.last = decision;
      this.#state = decision.next;
      this.#past = afterDecision(this.#spec, this.#past, decision, this.now);
      if (decision.do === "hold") continue;
      this.changes.push({ at: this.now, from: this.count, to: decision.to, reason: decision.reason });
      this.count = decision.to;
    }
    return this;
  }
}

describe("the number of instances", () => {
  it("rises after a target was passed for long enough, one at a time, up to the most", () => {
    const service = new Service(1, limits, () => [[cpu, known(0.95)]]).run(200);
    expect(service.changes.map(({ from, to }) => [from, to])).toEqual([
      [1, 2],
      [2, 3],
    ]);
    expect(service.changes[0]?.reason).toBe("1 → 2: cpu is 95 % (above 70 %), for 30s");
    expect(service.last?.reason).toBe("cpu is 95 % (above 70 %); there are 3 already, the most");
  });

  it("does not rise for a peak that is over before", () => {
    const service = new Service(1, limits, (_, now) => [[cpu, known(now % 30_000 === 0 ? 0.2 : 0.95)]]).run(600);
    expect(service.changes).toEqual([]);
  });

  it("falls when the rest could do it with room to spare, and says so", () => {
    const service = new Service(2, limits, (count) => [[cpu, known(0.5 / count)]]).run(299);
    expect(service.last?.reason).toBe("cpu is 25 % (not above 70 %): fewer would do, for 4m58s of 5m");
    service.run(2);
    expect(service.changes).toEqual([
      expect.objectContaining({ from: 2, to: 1, reason: "2 → 1: cpu is 25 % (not above 70 %), for 5m" }),
    ]);
  });

  it("stays where the rest could not", () => {
    const service = new Service(2, limits, (count) => [[cpu, known(0.66 / count)]]).run(2_000);
    expect([service.changes, service.last?.reason]).toEqual([[], "cpu is 33 % (not above 70 %): 2 are right"]);
  });

  it("stays as long as a metric is not known, and counts from when it is known again", () => {
    let isAway = false;
    const service = new Service(2, limits, () => [
      [cpu, known(0.1)],
      [delay, isAway ? nobody : known(0)],
    ]).run(200);
    isAway = true;
    service.run(400);
    expect(service.last?.reason).toBe("queue delay is not known (nobody looked), so none is taken away");
    isAway = false;
    service.run(299);
    expect(service.changes).toEqual([]);
    service.run(3);
    expect(service.count).toBe(1);
  });

  it("rises by one metric though another is not known", () => {
    const service = new Service(1, limits, () => [
      [cpu, nobody],
      [delay, known(60_000)],
    ]).run(31);
    expect(service.count).toBe(2);
  });

  it("stays whatever is measured while it is held, and begins anew afterwards", () => {
    const service = new Service(1, limits, () => [[cpu, known(0.95)]]).run(29).run(100, "dep_1 is under way");
    expect([service.changes, service.last?.reason]).toEqual([[], "dep_1 is under way"]);
    service.run(30);
    expect(service.changes).toEqual([]);
    service.run(1);
    expect(service.count).toBe(2);
  });

  it("takes requests as those of one instance", () => {
    const service = new Service(1, { ...limits, max: 9, step: 9 }, () => [[requests, known(230)]]).run(4_000);
    // 230 a second are 5 times 46.
    expect(service.changes.map(({ from, to }) => [from, to])).toEqual([[1, 5]]);
  });

  it("is brought inside limits that have changed at once", () => {
    const over = new Service(5, limits, () => [[cpu, known(0.5)]]).run(1);
    expect(over.changes[0]).toMatchObject({ from: 5, to: 3, reason: "5 → 3: the limits are 1 to 3" });
    expect(new Service(1, { ...limits, min: 2 }, () => [[cpu, known(0.5)]]).run(1).count).toBe(2);
  });

  it("is not tried again at once after an instance that did not become healthy", () => {
    const at = (failedAt: number) =>
      decideScale({
        spec: limits,
        count: 1,
        readings: [{ target: cpu, measured: known(0.9) }],
        state: { count: 1, lookedAt: 99_000, up: { since: 0, least: 2 }, down: null },
        past: { ...noPast, failedAt },
        held: null,
        now: 100_000,
        wallNow: 100_000,
      });
    expect([at(50_000).do, at(50_000).reason]).toEqual([
      "hold",
      "cpu is 90 % (above 70 %); the last one that was started did not become healthy, next try in 4m10s",
    ]);
    // A clock that was set back must not keep it away for a year.
    expect([at(100_000 - 300_000).do, at(9e12).do]).toEqual(["up", "up"]);
  });

  it("begins anew after a time in which nobody looked", () => {
    const service = new Service(1, limits, () => [[cpu, known(0.95)]]).run(29);
    service.now += 60_000;
    service.run(29);
    expect(service.changes).toEqual([]);
  });
});

const anySpec: fc.Arbitrary<ScaleSpec> = fc
  .record({
    min: fc.integer({ min: 1, max: 5 }),
    more: fc.integer({ min: 0, max: 10 }),
    step: fc.integer({ min: 1, max: 5 }),
    upAfterMs: fc.integer({ min: 1, max: 5 }).map((seconds) => seconds * 1_000),
    downAfterMs: fc.integer({ min: 1, max: 10 }).map((seconds) => seconds * 1_000),
  })
  .map(({ more, ...rest }) => ({ ...limits, ...rest, max: rest.min + more }));

const anyMeasured: fc.Arbitrary<Measured> = fc.oneof(
  fc.constant(nobody),
  fc.double().map(known),
  fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -1, 0).map(known),
  fc.double({ min: 0, max: 3, noNaN: true }).map(known),
);

describe("whatever is measured", () => {
  it("the number stays within its limits and moves by no more than a step", () => {
    fc.assert(
      fc.property(
        anySpec,
        fc.integer({ min: 0, max: 10 }),
        fc.array(fc.tuple(anyMeasured, anyMeasured, anyMeasured), { maxLength: 60 }),
        (spec, begin, looks) => {
          const first = Math.min(spec.max, spec.min + begin);
          let look = 0;
          const service = new Service(first, spec, () => {
            const [a, b, c] = looks[look++] ?? [nobody, nobody, nobody];
            return [
              [cpu, a],
              [requests, b],
              [delay, c],
            ];
          }).run(looks.length);
          for (const { from, to } of service.changes) {
            expect(to).toBeGreaterThanOrEqual(spec.min);
            expect(to).toBeLessThanOrEqual(spec.max);
            expect(Math.abs(to - from)).toBeGreaterThan(0);
            expect(Math.abs(to - from)).toBeLessThanOrEqual(spec.step);
          }
        },
      ),
    );
  });

  it("what is no number, or not known, never changes it", () => {
    fc.assert(
      fc.property(
        anySpec,
        fc.constantFrom(nobody, known(Number.NaN), known(Number.POSITIVE_INFINITY)),
        fc.constantFrom(cpu, requests, delay),
        (spec, measured, what) => {
          expect(new Service(spec.min, spec, () => [[what, measured]]).run(60).changes).toEqual([]);
        },
      ),
    );
  });

  it("a load that stays the same moves it in one direction only, and then no more", () => {
    fc.assert(
      fc.property(
        anySpec,
        fc.integer({ min: 0, max: 10 }),
        fc.double({ min: 0, max: 12, noNaN: true }),
        fc.double({ min: 0, max: 600, noNaN: true }),
        (spec, begin, work, perSecond) => {
          const service = new Service(Math.min(spec.max, spec.min + begin), spec, (count) => [
            [cpu, known(Math.min(1, work / count))],
            [requests, known(perSecond)],
          ]).run(300);
          const ways = new Set(service.changes.map(({ from, to }) => Math.sign(to - from)));
          expect(ways.size).toBeLessThanOrEqual(1);
          const before = service.changes.length;
          expect(service.run(300).changes.length).toBe(before);
        },
      ),
    );
  });

  it("where nobody can reckon with a metric, the same load moves it ever more seldom", () => {
    // One instance is a little too few, two are too many: the delay of the queue says only which.
    let waiting = 0;
    const service = new Service(1, limits, (count) => {
      waiting = Math.max(0, waiting + 1_000 * (1.5 - count));
      return [[delay, known(waiting)]];
    }).run(24 * 3_600);
    const downs = service.changes.filter(({ from, to }) => to < from).map(({ at }) => at);
    expect(downs.length).toBeGreaterThan(2);
    expect(downs.length).toBeLessThan(10);
    const waits = downs.slice(1).map((at, index) => at - (downs[index] ?? 0));
    for (const [index, wait] of waits.slice(1).entries()) expect(wait).toBeGreaterThan((waits[index] ?? 0) * 1.5);
  });
});
