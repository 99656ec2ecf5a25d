import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Digest, environmentName, type ReleaseId, releaseId } from "../ids.ts";
import { planRetention, type RetainedRelease, type RetentionView, waysKept } from "./retention.ts";
import { type Attempt, rollbackTarget, standingOf, waysBack } from "./standing.ts";

const digest = (name: string): Digest => `sha256:${name}`;
const release = (number: number, artifacts: readonly string[] = [`a${number}`], pinned = false): RetainedRelease => ({
  id: releaseId(`rel_${number}`),
  pinned,
  artifacts: artifacts.map(digest),
});
const ids = (...numbers: number[]): ReleaseId[] => numbers.map((number) => releaseId(`rel_${number}`));
const production = { name: environmentName("production"), good: ids(), inUse: ids(), waysBack: ids(), keep: 3 };
/** Newest first, as the store lists them. */
const newestFirst = (count: number): RetainedRelease[] =>
  Array.from({ length: count }, (_, index) => release(count - index));

describe("what retention keeps", () => {
  it("is what is in use, what a rollback needs, the last good ones, what is pinned, and what is new", () => {
    const releases = newestFirst(10).map((each) => (each.id === "rel_1" ? { ...each, pinned: true } : each));
    const plan = planRetention({
      releases,
      environments: [{ ...production, good: ids(8, 7, 6), inUse: ids(8, 2), waysBack: ids(4), keep: 2 }],
      keepNewest: 1,
    });
    expect(plan.prune).toEqual(ids(9, 6, 5, 3));
    expect(Object.fromEntries(plan.why)).toEqual({
      rel_10: "new",
      rel_8: "in use in production",
      rel_7: "one of the last 2 in production",
      rel_4: "a rollback of production needs it",
      rel_2: "in use in production",
      rel_1: "pinned",
    });
  });

  it("is counted for each environment by itself", () => {
    const plan = planRetention({
      releases: newestFirst(9),
      environments: [
        { ...production, good: ids(9, 8, 7, 6), keep: 1 },
        { ...production, name: environmentName("staging"), good: ids(5, 4, 3), keep: 2 },
      ],
      keepNewest: 0,
    });
    expect(plan.prune).toEqual(ids(8, 7, 6, 3, 2, 1));
  });

  it("includes every artifact that a kept release shares with one that goes", () => {
    const plan = planRetention({
      releases: [release(3, ["web3", "api1"]), release(2, ["web2", "api1"]), release(1, ["web1", "api1"])],
      environments: [],
      keepNewest: 1,
    });
    expect(plan.prune).toEqual(ids(2, 1));
    expect(plan.artifacts).toEqual([digest("web2"), digest("web1")]);
  });

  it("is nothing where there is nothing", () => {
    expect(planRetention({ releases: [], environments: [production], keepNewest: 3 })).toEqual({
      prune: [],
      artifacts: [],
      why: new Map(),
    });
  });
});

const views: fc.Arbitrary<RetentionView> = fc.integer({ min: 0, max: 15 }).chain((count) => {
  const some = fc.subarray(Array.from({ length: count }, (_, index) => releaseId(`rel_${index + 1}`)));
  return fc.record({
    releases: fc
      .tuple(
        fc.array(fc.array(fc.constantFrom("a", "b", "c", "d", "e", "f"), { maxLength: 3 }), {
          minLength: count,
          maxLength: count,
        }),
        fc.array(fc.boolean(), { minLength: count, maxLength: count }),
      )
      .map(([artifacts, pins]) => artifacts.map((each, index) => release(count - index, each, pins[index] === true))),
    environments: fc.array(
      fc.record({
        name: fc.constantFrom("staging", "production").map(environmentName),
        good: some,
        inUse: some,
        waysBack: some,
        keep: fc.nat({ max: 4 }),
      }),
      { maxLength: 3 },
    ),
    keepNewest: fc.nat({ max: 4 }),
  });
});

describe("whatever there is, retention", () => {
  it("prunes nothing that is in use, pinned, new, among the last good ones, or needed by a rollback", () => {
    fc.assert(
      fc.property(views, (view) => {
        const pruned = new Set(planRetention(view).prune);
        const kept = [
          ...view.releases.filter((each) => each.pinned).map((each) => each.id),
          ...view.releases.slice(0, view.keepNewest).map((each) => each.id),
          ...view.environments.flatMap(({ inUse, waysBack, good, keep }) => [
            ...inUse,
            ...good.slice(0, keep),
            ...waysBack,
          ]),
        ];
        for (const id of kept) expect(pruned).not.toContain(id);
      }),
    );
  });

  it("prunes every other one, with a reason for each that stays, and changes nothing the second time", () => {
    fc.assert(
      fc.property(views, (view) => {
        const plan = planRetention(view);
        for (const { id } of view.releases) expect(plan.why.has(id)).toBe(!plan.prune.includes(id));
        const releases = view.releases.filter((each) => !plan.prune.includes(each.id));
        expect(planRetention({ ...view, releases }).prune).toEqual([]);
      }),
    );
  });

  it("removes an artifact exactly when a pruned release had it and no kept one has", () => {
    fc.assert(
      fc.property(views, (view) => {
        const plan = planRetention(view);
        const gone = view.releases.filter((each) => plan.prune.includes(each.id)).flatMap((each) => each.artifacts);
        const kept = view.releases.filter((each) => !plan.prune.includes(each.id)).flatMap((each) => each.artifacts);
        expect([...plan.artifacts].sort()).toEqual([...new Set(gone)].filter((each) => !kept.includes(each)).sort());
      }),
    );
  });
});

/** One environment in which releases are made, deployed, refused, taken back and pinned, and pruned after each: the engine's own life. */
type Act = "make" | "deploy" | "refuse" | "roll back" | "deploy an old one" | "pin";
const lives = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: fc.constant<Act>("deploy") },
    { weight: 4, arbitrary: fc.constantFrom<Act>("make", "refuse", "roll back", "deploy an old one", "pin") },
  ),
  { maxLength: 60 },
);

class Life {
  releases: RetainedRelease[] = [];
  live: ReleaseId | null = null;
  readonly pruned = new Set<ReleaseId>();
  readonly #attempts: Omit<Attempt, "kept">[] = [];
  #made = 0;

  do(act: Act): void {
    if (act === "make" || act === "deploy" || act === "refuse") {
      this.#made += 1;
      this.releases = [release(this.#made), ...this.releases];
      if (act !== "make") this.#attempt(releaseId(`rel_${this.#made}`), act === "deploy" ? "succeeded" : "rolled-back");
    } else if (act === "roll back") {
      const to = this.target;
      if (to !== null) this.#attempt(to, "succeeded", this.live);
    } else if (act === "deploy an old one") {
      const old = this.releases.findLast((each) => each.id !== this.live);
      if (old !== undefined) this.#attempt(old.id, "succeeded");
    } else {
      this.releases = this.releases.map((each, index) => (index === 0 ? { ...each, pinned: true } : each));
    }
  }

  prune(keep: number, keepNewest: number): void {
    const { attempts } = this;
    const good = attempts
      .filter((each) => each.phase === "succeeded" && standingOf(each.release, attempts) === "good")
      .reverse()
      .map((each) => each.release);
    const inUse = this.live === null ? [] : [this.live];
    const ways = waysBack(this.live, attempts, waysKept(keep));
    const environment = { ...production, good: [...new Set(good)], inUse, waysBack: ways, keep };
    const plan = planRetention({ releases: this.releases, environments: [environment], keepNewest });
    for (const id of plan.prune) this.pruned.add(id);
    this.releases = this.releases.filter((each) => !plan.prune.includes(each.id));
  }

  get attempts(): Attempt[] {
    return this.#attempts.map((each) => ({ ...each, kept: !this.pruned.has(each.release) }));
  }

  get target(): ReleaseId | null {
    return rollbackTarget(this.live, this.attempts);
  }

  ways(count: number): ReleaseId[] {
    return waysBack(this.live, this.attempts, count);
  }

  #attempt(id: ReleaseId, phase: string, tookAway: ReleaseId | null = null): void {
    const at = this.#attempts.length * 10;
    this.#attempts.push({ release: id, phase, begun: at, ended: at + 5, tookAway });
    if (phase === "succeeded") this.live = id;
  }
}

describe("over a whole life of an environment", () => {
  it("pruning never takes what is live, nor what a rollback would go to", () => {
    fc.assert(
      fc.property(lives, fc.nat({ max: 4 }), fc.nat({ max: 3 }), (acts, keep, keepNewest) => {
        const life = new Life();
        for (const act of acts) {
          life.do(act);
          const way = life.target;
          const ways = life.ways(waysKept(keep));
          life.prune(keep, keepNewest);
          expect(life.target).toBe(way);
          expect(life.ways(waysKept(keep))).toEqual(ways);
          if (way !== null) expect(life.pruned).not.toContain(way);
          if (life.live !== null) expect(life.pruned).not.toContain(life.live);
        }
      }),
      { numRuns: 500 },
    );
  });

  it("rollbacks in a row go where they were to go, whatever is pruned between them", () => {
    fc.assert(
      fc.property(lives, fc.nat({ max: 6 }), (acts, keep) => {
        const life = new Life();
        for (const act of acts) {
          life.do(act);
          life.prune(keep, 0);
        }
        const ways = life.ways(waysKept(keep));
        for (const way of ways) {
          life.do("roll back");
          life.prune(keep, 0);
          expect(life.live).toBe(way);
        }
      }),
      { numRuns: 500 },
    );
  });

  it("there are as many ways back as good releases are kept, one after the other", () => {
    const life = new Life();
    for (let count = 0; count < 8; count += 1) {
      life.do("deploy");
      life.prune(3, 0);
    }
    expect(life.releases.map((each) => each.id)).toEqual(ids(8, 7, 6));
    for (const expected of ids(7, 6)) {
      life.do("roll back");
      life.prune(3, 0);
      expect(life.live).toBe(expected);
    }
    expect(life.target).toBeNull();
  });
});
