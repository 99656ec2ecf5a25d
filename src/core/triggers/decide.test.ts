import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { environmentName } from "../ids.ts";
import { decideTrigger, type KnownRef, skipWordIn } from "./decide.ts";
import { isRefName, type PullEvent, type PushEvent, parseCommit, parseRef, refPath } from "./event.ts";
import { type TriggerSettings, triggerSettings } from "./settings.ts";

const of = (triggers: Parameters<typeof triggerSettings>[0]["triggers"]): TriggerSettings => {
  const settings = triggerSettings({ triggers });
  if (settings === null) throw new Error("there are none");
  return settings;
};

const settings = of({
  branches: { "rel*": {}, main: { deploy: "production" }, "feature/*": {}, "*": { deploy: "staging" } },
  tags: { "v*": { deploy: "production" } },
  schedules: { nightly: { cron: "0 3 * * *", branch: "main" } },
  repository: "Acme/Shop",
});

const [a, b, c] = ["a", "b", "c"].map((digit) => digit.repeat(40)) as [string, string, string];

const push = (more: Partial<PushEvent> = {}): PushEvent => ({
  is: "push",
  repository: "acme/shop",
  ref: { kind: "branch", name: "main" },
  before: a,
  after: b,
  message: "feat: more",
  actor: "ada",
  ...more,
});

const branch = (name: string): Partial<PushEvent> => ({ ref: { kind: "branch", name } });
const decided = (more: Partial<PushEvent>, known: KnownRef | null = null, under = settings): unknown => {
  const decision = decideTrigger(push(more), under, known);
  return decision.is === "begin" ? decision.begin.deploy : decision.is === "end" ? decision.preview : decision.why;
};

describe("a push", () => {
  it("to a branch that is mapped begins a release for its environment, or a run where it has none", () => {
    expect(decideTrigger(push(), settings, null)).toEqual({
      is: "begin",
      begin: { event: "push", ref: { kind: "branch", name: "main" }, commit: b, deploy: "production", actor: "ada" },
      reason: "main at bbbbbbb: a release for production",
    });
    expect(decided(branch("feature/cart"))).toBeNull();
    expect(decided({ ref: { kind: "tag", name: "v1.2.0" } })).toBe("production");
    expect(decideTrigger(push({ ref: { kind: "tag", name: "v1" } }), settings, null)).toMatchObject({
      begin: { event: "tag" },
    });
  });

  it("is matched by its whole name before patterns, and then by the first that fits", () => {
    expect(decided(branch("mainly"))).toBe("staging");
    expect(decided(branch("release"))).toBeNull();
    expect(decided(branch("feature/a/b"))).toBeNull();
    expect(decided(branch("feature"))).toBe("staging");
    const later = of({ branches: { "*": {}, main: { deploy: "production" } } });
    expect(decided({}, null, later)).toBe("production");
  });

  it("begins nothing where it should not, and says why", () => {
    expect(decided({ repository: "acme/other" })).toBe("stranger");
    expect(decided({ after: null })).toBe("deleted");
    expect(decided({ ref: { kind: "tag", name: "nightly" } })).toBe("unmapped");
    expect(decided({ message: "docs: typo [skip ci]" })).toBe("skip");
    expect(decided({}, { before: a, after: b })).toBe("seen");
    expect(decideTrigger(push({ ref: { kind: "tag", name: "x" } }), settings, null)).toMatchObject({
      reason: "tag x begins nothing; the config names v*",
    });
  });

  it("that was overtaken by the next one is late, and one that goes back is not", () => {
    // B → C was heard of first, then A → B.
    expect(decided({ before: a, after: b }, { before: b, after: c })).toBe("late");
    // From C back to B.
    expect(decided({ before: c, after: b }, { before: b, after: c })).toBe("production");
  });
});

test("a schedule and a hand take the newest of their branch", () => {
  expect(decideTrigger({ is: "schedule", schedule: "nightly" }, settings, null)).toMatchObject({
    is: "begin",
    begin: { event: "schedule", commit: null, deploy: null, ref: { name: "main" } },
  });
  expect(decideTrigger({ is: "schedule", schedule: "old" }, settings, null)).toMatchObject({ why: "gone" });
  expect(decideTrigger({ is: "manual", branch: "main", actor: "ada" }, settings, null)).toMatchObject({
    begin: { event: "manual", deploy: "production", actor: "ada" },
  });
  const none = of({ branches: { main: {} } });
  expect(decideTrigger({ is: "manual", branch: "x", actor: "ada" }, none, null)).toMatchObject({ why: "unmapped" });
});

test("words that say that nothing is to be begun are found in any case, anywhere in the message", () => {
  for (const word of ["[skip ci]", "[CI Skip]", "[no ci]", "[skip actions]", "[actions skip]"])
    expect(skipWordIn(`fix: it\n\nmore ${word} text`)).toBe(word.toLowerCase());
  expect(skipWordIn("fix\n\nskip-checks: true")).toBe("skip-checks: true");
  expect(skipWordIn("skip ci, they said; skip-checks: truely")).toBeNull();
});

test("whatever comes, each change of a ref begins once, however often it is told", () => {
  const commit = fc.constantFrom(a, b, c);
  fc.assert(
    fc.property(fc.array(fc.record({ to: commit, told: fc.integer({ min: 1, max: 3 }) })), (moves) => {
      let known: KnownRef | null = null;
      let tip: string | null = null;
      let [begun, changes] = [0, 0];
      for (const { to, told } of moves) {
        if (to === tip) continue;
        changes += 1;
        for (let time = 0; time < told; time++) {
          const event = push({ before: tip, after: to });
          if (decideTrigger(event, settings, known).is === "begin") begun += 1;
          known = { before: event.before, after: to };
        }
        tip = to;
      }
      expect(begun).toBe(changes);
    }),
  );
});

test("refs and commits are taken only as git would have them, and nothing that looks like an option", () => {
  expect(parseRef("refs/heads/feature/a")).toEqual({ kind: "branch", name: "feature/a" });
  expect(parseRef("refs/tags/v1")).toEqual({ kind: "tag", name: "v1" });
  for (const odd of [
    "main",
    "refs/notes/x",
    "refs/heads/",
    "refs/heads/-x",
    "refs/heads/a..b",
    "refs/heads/a b",
    "refs/heads/a\n",
    "refs/heads/.a",
    "refs/heads/a.lock",
    "refs/heads/a:b",
    "refs/heads/*",
  ])
    expect(parseRef(odd), odd).toBeNull();
  fc.assert(
    fc.property(fc.string(), (name) => {
      const ref = parseRef(`refs/heads/${name}`);
      expect(ref !== null).toBe(name !== "" && isRefName(name));
      if (ref !== null) expect(parseRef(refPath(ref))).toEqual(ref);
    }),
  );
  expect(parseCommit("0".repeat(40))).toBeNull();
  expect(parseCommit(a.toUpperCase())).toBeNull();
  expect(parseCommit(`${a}a`)).toBeNull();
  expect(parseCommit("f".repeat(64))).toBe("f".repeat(64));
});

describe("previews", () => {
  const templated = triggerSettings({
    triggers: {
      branches: { main: { deploy: "production" }, "feature/*": { deploy: "preview" } },
      pullRequests: { deploy: "preview" },
      repository: "Acme/Shop",
    },
    environments: { production: {}, preview: { previews: {} } },
  })!;
  const open: PullEvent = {
    is: "pull-request",
    repository: "acme/shop",
    ref: { kind: "pull-request", name: "12", head: "refs/pull/12/head" },
    became: "opened",
    commit: a,
    isHere: true,
    from: { repository: "Acme/shop", branch: "cart" },
    actor: "ada",
  };
  const pull = (more: Partial<PullEvent>, known: KnownRef | null = null, under = templated) =>
    decideTrigger({ ...open, ...more }, under, known);

  it("are what a branch has from its first push until it is deleted", () => {
    const decision = decideTrigger(push(branch("feature/cart")), templated, null);
    if (decision.is !== "begin") throw new Error(decision.reason);
    expect(decision.begin).toMatchObject({
      template: "preview",
      deploy: expect.stringMatching(/^preview\/feature-cart-/),
    });
    const deleted = push({ ...branch("feature/cart"), after: null });
    expect(decideTrigger(deleted, templated, null)).toMatchObject({ is: "end", preview: decision.begin.deploy });
    // Made by hand, or under other settings.
    const made = decision.begin.deploy;
    expect(decideTrigger(deleted, settings, null, made)).toMatchObject({ is: "end", preview: made });
    expect(decideTrigger(push({ after: null }), templated, null)).toMatchObject({ why: "deleted" });
  });

  it("are what a pull request has from when it is opened until it is closed", () => {
    expect(pull({})).toMatchObject({
      begin: { event: "pull-request", branch: "cart", commit: a, deploy: "preview/pr-12", template: "preview" },
      reason: "pull request 12 at aaaaaaa: a release for preview/pr-12",
    });
    expect(pull({ became: "moved", commit: b }, { before: null, after: a })).toMatchObject({ is: "begin" });
    expect(pull({ became: "moved" }, { before: null, after: a })).toMatchObject({ why: "seen" });
    expect(pull({ became: "opened" }, { before: null, after: a })).toMatchObject({ is: "begin" });
    expect(pull({ became: "closed" })).toMatchObject({ is: "end", preview: "preview/pr-12" });
    expect(pull({}, null, settings)).toMatchObject({ why: "unmapped" });
  });

  it("of other repositories are refused unless they are allowed and can be had", () => {
    const from = { repository: "mallory/shop", branch: "cart" };
    const allowed = { ...templated, pullRequests: { deploy: templated.pullRequests!.deploy, forks: true } };
    expect(pull({ from })).toMatchObject({ why: "fork", reason: expect.stringContaining("is from mallory/shop") });
    expect(pull({ from: null })).toMatchObject({ why: "fork" });
    expect(pull({ from }, null, allowed)).toMatchObject({ is: "begin" });
    expect(pull({ from, isHere: false }, null, allowed)).toMatchObject({ why: "fork" });
    expect(pull({ repository: "mallory/shop", from }, null, allowed)).toMatchObject({ why: "stranger" });
    expect(pull({ from, became: "closed" })).toMatchObject({ is: "end" });
  });

  it("are made by hand of any branch", () => {
    const manual = { is: "manual", branch: "other", actor: "ada", template: environmentName("preview") } as const;
    expect(decideTrigger(manual, templated, null)).toMatchObject({
      begin: { deploy: "preview/other", template: "preview" },
    });
  });
});
