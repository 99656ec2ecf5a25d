import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { nothingSeen } from "../forge/check.ts";
import { releaseId } from "../ids.ts";
import type { ApprovalSpec, GatesSpec } from "../product/gates-spec.ts";
import { shortened } from "../release/commit.ts";
import { type Approval, readApprovals, whyNotCounted } from "./approval.ts";
import { decideGates, type GateInput } from "./decide.ts";
import { authorsOf, isNamed, personOf } from "./person.ts";
import { policiesOf } from "./policy.ts";

const live = releaseId("rel_live");
const other = releaseId("rel_other");
const spec = (more: Partial<ApprovalSpec> = {}): ApprovalSpec => ({
  from: "ops",
  people: ["ada", "grace", "linus@desk"],
  count: 1,
  authorMayApprove: false,
  expiresMs: 1_000,
  ...more,
});
const asked = { at: 5_000, authors: ["ken@desk"], live };
const yes = (by: string, more: Partial<Approval> = {}): Approval => ({ by, at: 0, reason: "fine", live, ...more });
const input = (more: Partial<GateInput> = {}): GateInput => ({
  asked: { ...asked, release: releaseId("rel_new") },
  policies: [{ gates: { approval: spec(), windows: [], freezes: [], waitMs: 0, bakedMs: 0 }, of: "r2" }],
  approvals: [],
  override: null,
  before: null,
  loadTests: [],
  budgets: [],
  conditions: [],
  overrideBudget: null,
  checks: nothingSeen,
  locked: null,
  ahead: [],
  ...more,
});

describe("a person", () => {
  it("is the same from every machine, whatever the letters; named with a machine, only from there", () => {
    expect(["Ada", "ada@laptop", " ada@example.org"].map((name) => personOf(name))).toEqual(["ada", "ada", "ada"]);
    expect([isNamed("ada", "ADA@ci"), isNamed("linus@desk", "linus@ci"), isNamed("linus@desk", "Linus@desk")]).toEqual([
      true,
      false,
      true,
    ]);
  });

  it("who wrote a commit is known by name and by address", () => {
    const commit = { hash: "c0ffee", author: "Ken T", email: "ken@example.org", at: 0, subject: "", body: "" };
    const authors = authorsOf([commit, commit]);
    expect(authors).toEqual(["Ken T", "ken@example.org"]);
    expect(whyNotCounted(spec({ people: null }), { authors }, "ken@laptop")).toContain("somebody else has to approve");
  });

  it("is found by the login in the address that a forge writes for those who hide theirs", () => {
    const hidden = ["1024+ada@users.noreply.github.com", "7-ada@users.noreply.gitlab.com", "7-ada@example.org"];
    expect(hidden.map((name) => personOf(name))).toEqual(["ada", "ada", "7-ada"]);
  });

  it("who wrote it with the author wrote it too", () => {
    const body =
      "Together.\n\nCo-authored-by: Grace H <grace@example.org>\nco-authored-by:<1+ada@users.noreply.github.com>\nCo-authored-by: nobody";
    const commit = { hash: "c0ffee", author: "Ken", email: "ken@example.org", at: 0, subject: "", body };
    const authors = authorsOf([commit]);
    const counts = ["grace", "ada", "ken", "nobody", "linus"].map(
      (by) => whyNotCounted(spec({ people: null }), { authors }, by) === null,
    );
    expect(counts).toEqual([false, false, false, true, true]);
    const long = shortened({ ...commit, body: `${"x".repeat(5_000)}\n${body}` });
    expect(authorsOf([long])).toEqual(authors);
  });

  it("is one under all the names that a config says", () => {
    const otherNames = { "ada lovelace": "ada", "lovelace@example.org": "ada", al: "ada" };
    const known = spec({ people: ["ada", "grace"], count: 2, otherNames });
    expect(whyNotCounted(known, { authors: ["Lovelace@example.org"] }, "ada@laptop")).toContain("somebody else");
    expect(whyNotCounted(known, { authors: ["lovelace@elsewhere.org"] }, "ada@laptop")).toBeNull();
    expect(whyNotCounted(known, { authors: ["ken"] }, "AL@desk")).toBeNull();
    expect(readApprovals(known, asked, [yes("al@desk"), yes("ada")]).open).toBe(false);
    expect(readApprovals(known, asked, [yes("al@desk"), yes("grace")]).open).toBe(true);
  });
});

describe("approvals", () => {
  it("count from those who are named, and say who is missing", () => {
    const seen = readApprovals(spec({ count: 2 }), asked, [yes("ada@laptop"), yes("mallory")]);
    expect(seen).toEqual({
      gate: "approval",
      open: false,
      opensAt: null,
      says: "approved by ada@laptop (fine); waits for 1 more approval from ops (ada, grace, linus@desk); mallory is not among those who may approve: ops (ada, grace, linus@desk)",
    });
    expect(readApprovals(spec({ count: 2 }), asked, [yes("ada"), yes("grace")])).toMatchObject({ open: true });
  });

  it("count a person once, from two machines too", () => {
    expect(readApprovals(spec({ count: 2 }), asked, [yes("ada@a"), yes("ada@b")]).open).toBe(false);
  });

  it("of an author count only where that was said", () => {
    const own = [yes("ken")];
    expect(readApprovals(spec({ people: null }), asked, own)).toMatchObject({
      open: false,
      says: "waits for 1 approval from ops; ken wrote, made or asked for it, and somebody else has to approve",
    });
    expect(readApprovals(spec({ people: null, authorMayApprove: true }), asked, own).open).toBe(true);
  });

  it("count only for what was live when they were given; who looks again is counted, and the first look is forgotten", () => {
    const before = yes("ada", { live: other });
    expect(readApprovals(spec(), asked, [before]).says).toBe(
      "waits for 1 approval from ops (ada, grace, linus@desk); ada approved before another release went live",
    );
    expect(readApprovals(spec(), asked, [before, yes("ada")])).toMatchObject({
      open: true,
      says: "approved by ada (fine)",
    });
  });

  it("open exactly when enough different people who may have said yes to what is live", () => {
    const who = fc.constantFrom("ada@x", "ada@y", "grace", "linus@desk", "linus@ci", "ken", "mallory");
    const one = fc.record({ by: who, at: fc.nat(), reason: fc.string(), live: fc.constantFrom(live, other, null) });
    fc.assert(
      fc.property(fc.array(one), fc.integer({ min: 1, max: 3 }), fc.boolean(), (all, count, authorMayApprove) => {
        const people = ["ada", "grace", "linus@desk", "ken"];
        const good = all
          .filter((each) => each.live === live && each.by !== "mallory" && each.by !== "linus@ci")
          .filter((each) => authorMayApprove || each.by !== "ken")
          .map((each) => each.by.replace(/@.*/, ""));
        const reading = readApprovals(spec({ people, count, authorMayApprove }), asked, all);
        expect(reading.open).toBe(new Set(good).size >= count);
      }),
    );
  });
});

describe("gates", () => {
  it("are open only all together; a lock, one under way, or a release that has failed before it keep them shut", () => {
    const approvals = [yes("ada")];
    expect(decideGates(input({ approvals }), 5_500)).toMatchObject({ is: "open", reason: "approved by ada (fine)" });
    const shut: Partial<GateInput>[] = [
      { locked: { by: "bob", reason: "audit" } },
      { ahead: ["dep_1"] },
      { before: { environment: "staging", standing: "bad", life: { live: [], troubles: [] } } },
    ];
    expect(
      shut.map((more) => decideGates(input({ approvals, ...more }), 5_500)).map(({ is, reason }) => [is, reason]),
    ).toEqual([
      ["waits", "locked by bob: audit"],
      ["waits", "waits for dep_1 to end"],
      ["waits", "it has failed in staging since"],
    ]);
  });

  it("wait for people until the time is over, and no longer; what is approved does not expire behind a lock", () => {
    expect(decideGates(input(), 5_999)).toMatchObject({ is: "waits", lookAt: 6_000 });
    expect(decideGates(input(), 6_000)).toMatchObject({
      is: "over",
      code: "APPROVAL_EXPIRED",
      reason: "not approved within 1s: waits for 1 approval from ops (ada, grace, linus@desk)",
    });
    const locked = { by: "bob", reason: "audit" };
    expect(decideGates(input({ locked, approvals: [yes("ada")] }), 9_000)).toMatchObject({ is: "waits", lookAt: null });
  });

  it("ask nobody about what is live already", () => {
    expect(decideGates(input({ asked: { ...asked, live, release: live } }), 5_000).is).toBe("open");
  });
});

describe("the gates that hold", () => {
  const side = (number: number, gates?: GatesSpec) => ({
    number,
    spec: gates === undefined ? {} : { gates },
  });

  it("are the release's own and those of what is live: a config that takes them away does not get past them", () => {
    const strict = { approval: spec({ count: 2 }), windows: [], freezes: [], waitMs: 0, bakedMs: 0 };
    expect(policiesOf(side(2), null)).toEqual([]);
    expect(policiesOf(side(2), side(1))).toEqual([]);
    expect(policiesOf(side(2, strict), side(1, { ...strict }))).toEqual([{ gates: strict, of: "r2" }]);
    const policies = policiesOf(side(2), side(1, strict));
    expect(policies.map(({ of }) => of)).toEqual(["r2", "r1"]);
    expect(decideGates(input({ policies, approvals: [yes("ada")] }), 5_100)).toMatchObject({
      is: "waits",
      reason: expect.stringMatching(/waits for 1 more approval from ops .*, as r1 asks, which is live$/),
    });
  });
});
