import { describe, expect, it } from "vitest";
import { verdictOf } from "./compared.ts";
import { type Comparison, type ComparisonRules, type Counted, type Look, look, openComparison } from "./comparison.ts";
import { drawn, seeded } from "./random.fixture.ts";

const bounds = [10, 20, 40, 80, 160, 320];
const rules: ComparisonRules = {
  alpha: 0.01,
  errorRatio: { margin: 0.02, minimum: 10 },
  latency: { factor: 2, floorMs: 25, quantiles: [0.5, 0.95, 0.99], minimum: 50 },
  onAlone: 1,
};

type Behaviour = { readonly errors: number; readonly latency: readonly number[] };
const well: Behaviour = { errors: 0.001, latency: [0.5, 0.4, 0.07, 0.02, 0.01, 0, 0] };

/** One side, and what it was counted for so far. */
class Side {
  counted: Counted = { counts: { requests: 0, errors: 0 }, latency: new Array<number>(bounds.length + 1).fill(0) };
  readonly #random: () => number;

  constructor(seed: number) {
    this.#random = seeded(seed);
  }

  answer(requests: number, { errors, latency }: Behaviour): void {
    const { bad } = drawn(this.#random, requests, errors);
    const times = [...this.counted.latency];
    for (let request = 0; request < requests; request += 1) {
      let left = this.#random();
      const bucket = latency.findIndex((share) => {
        left -= share;
        return left < 0;
      });
      times[Math.max(0, bucket)]! += 1;
    }
    const { counts } = this.counted;
    this.counted = { counts: { requests: counts.requests + requests, errors: counts.errors + bad }, latency: times };
  }
}

/** A deployment: stable with a past, and a look after every few requests. */
class Scene {
  readonly stable = new Side(1);
  readonly candidate = new Side(2);
  comparison: Comparison;
  isWarm = true;
  isSettled = true;
  serves = false;
  readonly #before: Counted;

  constructor(
    options: { readonly rules?: Partial<ComparisonRules>; readonly past?: Behaviour; readonly requests?: number } = {},
  ) {
    this.#before = this.stable.counted;
    this.stable.answer(options.requests ?? 5_000, options.past ?? well);
    this.comparison = openComparison({ ...rules, ...options.rules }, bounds, this.#look());
  }

  #look(): Look {
    const stable = { now: this.stable.counted, before: this.#before, serves: this.serves };
    return { candidate: this.candidate.counted, stable, isWarm: this.isWarm, isSettled: this.isSettled };
  }

  look() {
    this.comparison = look(this.comparison, this.#look());
    return verdictOf(this.comparison);
  }

  /** Looks after each few requests until it fails, or `most` have been answered. */
  until(most: number, behaviour: Behaviour, beside?: { readonly requests: number; readonly behaviour: Behaviour }) {
    let verdict = this.look();
    for (let answered = 0; answered < most && verdict?.is !== "fail"; answered += 2) {
      this.candidate.answer(2, behaviour);
      if (beside !== undefined) this.stable.answer(beside.requests, beside.behaviour);
      verdict = this.look();
    }
    return verdict;
  }
}

describe("a candidate compared with stable", () => {
  it("that answers as stable does passes, and in the end is proven no worse", () => {
    const scene = new Scene();
    expect(scene.until(6, well)).toEqual({ is: "inconclusive", why: "6 of at least 10 requests were seen" });
    expect(scene.until(100, well)).toMatchObject({ is: "pass" });
    expect(scene.until(2_000, well)?.why).toMatch(
      /^\d of \d+ requests failed \(0\.\d %\), proven no worse .*, latency alike$/,
    );
    // Buckets that double cannot tell a factor of two in time: it is left open, and only what is proven is clear.
    const errorsOnly = new Scene({ rules: { latency: null } });
    expect(errorsOnly.until(2_000, well)).toMatchObject({ is: "pass", clear: true });
  });

  it("that fails is caught after a few answers, and both sides, the rule and the chance are shown", () => {
    const scene = new Scene();
    const verdict = scene.until(200, { ...well, errors: 0.5 });
    expect(verdict).toEqual({
      is: "fail",
      code: "ERROR_RATIO",
      why: expect.stringMatching(/^\d+ of 1\d requests failed \(\d\d\.\d %\); stable has 0\.\d %$/),
      evidence: [
        ["stable", expect.stringMatching(/^\d+ of 5000 \(0\.\d %\), surely from 0\.0 % to 0\.\d %$/)],
        ["candidate", expect.stringMatching(/^\d+ of 1\d \(\d\d\.\d %\), surely from \d+\.\d % to \d+\.\d %$/)],
        ["rule", "error ratio above stable's by more than 2.0 %, at least 10 requests"],
        [
          "chance",
          expect.stringMatching(/^a candidate that is no worse looks like this at most once in \d+ deployments$/),
        ],
      ],
    });
  });

  it("that fails while its cache is cold and then heals is left, one that does not heal is caught after that, and what is gross at once", () => {
    const errorRatio = { margin: 0.02, minimum: 10, coldMargin: 0.1 };
    const cold = (): Scene => {
      const scene = new Scene({ rules: { errorRatio, latency: null } });
      scene.isSettled = false;
      return scene;
    };
    const heals = cold();
    expect(heals.until(2_000, { ...well, errors: 0.06 })).toMatchObject({ is: "pass" });
    heals.isSettled = true;
    const healed = heals.until(3_000, well);
    expect(healed).toMatchObject({ is: "pass", clear: true });
    // What it failed before is not told as what it is like now.
    expect(healed?.why).toMatch(/^\d of \d{4} requests failed \(0\.\d %\)/);
    const stays = cold();
    stays.until(2_000, { ...well, errors: 0.09 });
    stays.isSettled = true;
    expect(stays.until(1_000, { ...well, errors: 0.09 })).toMatchObject({ is: "fail", code: "ERROR_RATIO" });
    const gross = cold().until(200, { ...well, errors: 0.5 });
    expect(gross?.is === "fail" && gross.evidence).toContainEqual([
      "rule",
      "error ratio above stable's by more than 10.0 % while it becomes warm, at least 10 requests",
    ]);
  });

  it("that is slower is caught by how long its answers take", () => {
    const scene = new Scene();
    const verdict = scene.until(500, { errors: 0.001, latency: [0, 0, 0.2, 0.5, 0.2, 0.1, 0] });
    expect(verdict).toMatchObject({ is: "fail", code: "LATENCY" });
    expect(verdict?.why).toMatch(
      /^\d+ of \d+ answers \(\d+\.\d %\) took longer than \d+ ms; of stable's \d+\.\d % did$/,
    );
  });

  it("that becomes slower with the last step is told by its answers since then, at the same limit for both", () => {
    const scene = new Scene({ rules: { onAlone: 0.5 } });
    scene.serves = true;
    scene.until(4_000, well, { requests: 2, behaviour: well });
    scene.serves = false;
    const verdict = scene.until(1_000, { errors: 0.001, latency: [0, 0.5, 0.2, 0.2, 0.05, 0.05, 0] });
    const [, slow, usual] =
      /\((\d+\.\d) %\) took longer than \d+ ms; of stable's (\d+\.\d) % did$/.exec(verdict?.why ?? "") ?? [];
    // Of all its answers since the first step it would be less than one in a hundred.
    expect(Number(slow)).toBeGreaterThan(3);
    expect(Number(usual)).toBeLessThan(1.5);
  });

  it("that is slow only while it is new is not caught for it", () => {
    const scene = new Scene();
    scene.isWarm = false;
    expect(scene.until(500, { errors: 0, latency: [0, 0, 0, 0, 0, 0, 1] })).toMatchObject({ is: "pass" });
    scene.isWarm = true;
    expect(scene.until(4_000, well)).toMatchObject({ is: "pass" });
  });

  it("beside stable is not caught when both become slow and fail together", () => {
    const scene = new Scene({ rules: { onAlone: 0.5 } });
    scene.serves = true;
    const outage: Behaviour = { errors: 0.4, latency: [0, 0, 0, 0.1, 0.4, 0.3, 0.2] };
    scene.until(400, well, { requests: 18, behaviour: well });
    expect(scene.until(600, outage, { requests: 18, behaviour: outage })).toMatchObject({ is: "pass" });
    expect(scene.until(600, well, { requests: 18, behaviour: well })).toMatchObject({ is: "pass" });
  });

  it("beside stable is caught in a few answers, and after stable has left still", () => {
    const bad: Behaviour = { ...well, errors: 0.5 };
    const beside = new Scene({ rules: { onAlone: 0.5 } });
    beside.serves = true;
    expect(beside.until(60, bad, { requests: 18, behaviour: well })).toMatchObject({ is: "fail" });
    const later = new Scene({ rules: { onAlone: 0.5 } });
    later.serves = true;
    later.until(400, well, { requests: 18, behaviour: well });
    later.serves = false;
    later.until(400, well);
    expect(later.until(60, bad)).toMatchObject({ is: "fail", code: "ERROR_RATIO" });
  });

  it("whose stable was used by next to nobody is held to the margin alone, and its slowness is not compared", () => {
    const scene = new Scene({ requests: 3 });
    const verdict = scene.until(200, { ...well, errors: 1, latency: [0, 0, 0, 0, 0, 0, 1] });
    expect(verdict).toMatchObject({ is: "fail", code: "ERROR_RATIO" });
  });

  it("looked at again without new answers stays what it is", () => {
    const scene = new Scene();
    scene.until(200, { ...well, errors: 0.03 });
    const before = scene.comparison;
    for (let again = 0; again < 50; again += 1) scene.look();
    expect(scene.comparison.errors?.best).toEqual(before.errors?.best);
    expect(scene.comparison.errors?.alone?.worse).toEqual(before.errors?.alone?.worse);
  });

  it("goes on when an edge begins to count anew", () => {
    const scene = new Scene();
    scene.until(300, well);
    scene.candidate.counted = { counts: { requests: 0, errors: 0 }, latency: new Array<number>(7).fill(0) };
    expect(scene.until(300, well)).toMatchObject({ is: "pass" });
    expect(scene.until(100, { ...well, errors: 0.6 })).toMatchObject({ is: "fail" });
  });
});
