import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type ReleaseId, releaseId } from "../ids.ts";
import { type Attempt, rollbackTarget, standingOf, waysBack } from "./standing.ts";

const [r1, r2, r3, r4] = ["rel_1", "rel_2", "rel_3", "rel_4"].map(releaseId) as [
  ReleaseId,
  ReleaseId,
  ReleaseId,
  ReleaseId,
];

/** An environment's attempts as the engine records them, a second each. */
class Story {
  readonly attempts: Attempt[] = [];
  live: ReleaseId | null = null;

  deploy(release: ReleaseId, phase = "succeeded"): this {
    return this.#add(release, phase, null);
  }

  /** To the release that a rollback without an argument would choose, or to a given one. */
  rollback(to: ReleaseId | null = this.target): this {
    if (to === null) throw new Error("there is nothing to go back to");
    return this.#add(to, "succeeded", this.live);
  }

  /** Under way: it has begun and not ended. */
  begin(release: ReleaseId): this {
    const at = this.attempts.length * 1_000;
    this.attempts.push({ release, phase: "baking", begun: at, ended: null, tookAway: null, kept: true });
    return this;
  }

  get target(): ReleaseId | null {
    return rollbackTarget(this.live, this.attempts);
  }

  standing(release: ReleaseId): string {
    return standingOf(release, this.attempts);
  }

  #add(release: ReleaseId, phase: string, tookAway: ReleaseId | null): this {
    const at = this.attempts.length * 1_000;
    this.attempts.push({ release, phase, begun: at, ended: at + 500, tookAway, kept: true });
    if (phase === "succeeded") this.live = release;
    return this;
  }
}

describe("the standing of a release in an environment", () => {
  it("is untried without an attempt, and while the first one runs", () => {
    expect(new Story().standing(r1)).toBe("untried");
    expect(new Story().begin(r1).standing(r1)).toBe("untried");
  });

  it("is good after success, bad after refusal, being taken back, and a way back that failed", () => {
    expect(new Story().deploy(r1).standing(r1)).toBe("good");
    for (const end of ["failed", "rolled-back", "rollback-failed"]) {
      expect(new Story().deploy(r1, end).standing(r1), end).toBe("bad");
      expect(new Story().deploy(r1).deploy(r2).deploy(r1, end).standing(r1), end).toBe("bad");
    }
  });

  it("is not changed by an attempt that was cancelled", () => {
    expect(new Story().deploy(r1, "cancelled").standing(r1)).toBe("untried");
    expect(new Story().deploy(r1).deploy(r2).deploy(r1, "cancelled").standing(r1)).toBe("good");
    expect(new Story().deploy(r1, "failed").deploy(r1, "cancelled").standing(r1)).toBe("bad");
  });

  it("is bad when a person took it away by a rollback, and good again when it then succeeds", () => {
    const story = new Story().deploy(r1).deploy(r2).rollback();
    expect([story.live, story.standing(r1), story.standing(r2)]).toEqual([r1, "good", "bad"]);
    expect(story.deploy(r2).standing(r2)).toBe("good");
  });

  it("stays good when another release simply came after it", () => {
    expect(new Story().deploy(r1).deploy(r2).standing(r1)).toBe("good");
  });

  it("is that of the last attempt that ended, in whatever order they are read", () => {
    const attempts = new Story()
      .deploy(r1, "failed")
      .deploy(r1)
      .deploy(r2)
      .deploy(r1, "rolled-back")
      .deploy(r1).attempts;
    fc.assert(
      fc.property(fc.shuffledSubarray(attempts, { minLength: attempts.length }), (shuffled) => {
        expect(standingOf(r1, shuffled)).toBe("good");
      }),
    );
  });
});

describe("the release a rollback goes to", () => {
  it("is none when nothing, or nothing else, was ever good", () => {
    expect(new Story().target).toBeNull();
    expect(new Story().deploy(r1).target).toBeNull();
    expect(new Story().deploy(r1).deploy(r2, "failed").target).toBeNull();
    expect(new Story().deploy(r1, "rolled-back").deploy(r2).target).toBeNull();
  });

  it("is the good one that was live before", () => {
    expect(new Story().deploy(r1).deploy(r2).target).toBe(r1);
    expect(new Story().deploy(r1).deploy(r2).deploy(r3, "rolled-back").target).toBe(r1);
    expect(new Story().deploy(r1).deploy(r2).deploy(r3).deploy(r4).target).toBe(r3);
  });

  it("goes two back when asked twice, not to and fro", () => {
    const story = new Story().deploy(r1).deploy(r2).deploy(r3).rollback();
    expect([story.live, story.target]).toEqual([r2, r1]);
    story.rollback();
    expect([story.live, story.target]).toEqual([r1, null]);
  });

  it("is one from before the live one first came, when that was deployed again; a newer one only when there is no other", () => {
    expect(new Story().deploy(r1).deploy(r2).deploy(r3).deploy(r2).target).toBe(r1);
    expect(new Story().deploy(r1).deploy(r2).deploy(r1).target).toBe(r2);
  });

  it("is never one whose artifacts have been pruned: an older one that is kept is a way back, that one is not", () => {
    const { attempts } = new Story().deploy(r1).deploy(r2).deploy(r3);
    const without = (...gone: ReleaseId[]) => attempts.map((each) => ({ ...each, kept: !gone.includes(each.release) }));
    expect(rollbackTarget(r3, without(r2))).toBe(r1);
    expect(rollbackTarget(r3, without(r1, r2))).toBeNull();
    expect(rollbackTarget(r2, without(r1))).toBe(r3);
  });

  it("is never one that a person took away, until it has succeeded again", () => {
    const story = new Story().deploy(r1).deploy(r2).rollback().deploy(r3);
    expect(story.target).toBe(r1);
    expect(new Story().deploy(r1).deploy(r2).rollback().deploy(r2).deploy(r3).target).toBe(r2);
  });

  it("is never the live one, never a bad one, and always one that has succeeded", () => {
    const release = fc.constantFrom(r1, r2, r3, r4);
    const end = fc.constantFrom("succeeded", "succeeded", "failed", "rolled-back", "cancelled", "rollback-failed");
    const step = fc.oneof(fc.tuple(fc.constant("deploy" as const), release, end), fc.constant(["rollback"] as const));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
        const story = new Story();
        for (const [what, target, phase] of steps) {
          if (what === "deploy") story.deploy(target, phase);
          else if (story.target !== null) story.rollback();
        }
        const { target } = story;
        const others = [r1, r2, r3, r4].filter((each) => each !== story.live && story.standing(each) === "good");
        if (target === null) expect(others).toEqual([]);
        else expect(others).toContain(target);
      }),
      { numRuns: 2_000 },
    );
  });

  it("comes to an end when a person asks again and again", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(r1, r2, r3, r4), { minLength: 1, maxLength: 12 }), (deploys) => {
        const story = new Story();
        for (const each of deploys) if (each !== story.live) story.deploy(each);
        const visited = [story.live];
        while (story.target !== null) visited.push(story.rollback().live);
        expect(new Set(visited).size).toBe(visited.length);
      }),
    );
  });
});

describe("the ways back", () => {
  it("are those of rollbacks in a row, the next one first, and no more than were asked for", () => {
    const { live, attempts } = new Story().deploy(r1).deploy(r2).deploy(r3).deploy(r4, "failed");
    expect(waysBack(live, attempts, 1)).toEqual([r2]);
    expect(waysBack(live, attempts, 9)).toEqual([r2, r1]);
    expect(waysBack(live, attempts, 0)).toEqual([]);
    expect(waysBack(null, [], 3)).toEqual([]);
  });

  it("are where persons come to who really go there", () => {
    const step = fc.oneof(fc.constantFrom(r1, r2, r3, r4), fc.constant("rollback" as const));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
        const story = new Story();
        for (const each of steps) {
          if (each !== "rollback") story.deploy(each);
          else if (story.target !== null) story.rollback();
        }
        const ways = waysBack(story.live, story.attempts, 10);
        for (const way of ways) expect(story.rollback().live).toBe(way);
        expect(story.target).toBeNull();
      }),
      { numRuns: 500 },
    );
  });
});
