import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Finding, severities } from "../report/finding.ts";
import { judgeScan, type ScanPolicy } from "./scan.ts";

const finding = (rule: string, more: Partial<Finding> = {}): Finding => ({
  fingerprint: `print-${rule}`,
  tool: "Trivy",
  severity: "high",
  rule,
  message: "",
  file: null,
  line: null,
  package: "lodash 4.17.11",
  ...more,
});
const policy: ScanPolicy = { failOn: "high", newSince: null, waivers: [] };
const day = Date.parse("2026-11-26T12:00:00Z");
const waiver = {
  finding: "CVE-1",
  in: null,
  owner: "ada",
  reason: "unused",
  until: Date.parse("2026-12-01T00:00:00Z"),
};
const judge = (
  all: readonly Finding[],
  more: Partial<ScanPolicy> = {},
  at: Partial<Parameters<typeof judgeScan>[2]> = {},
) => judgeScan({ all, cut: false }, { ...policy, ...more }, { base: null, now: day, ...at });

describe("a scan", () => {
  it("passes with less than it fails on, and a severity that nobody tells is as bad as any", () => {
    expect(judge([finding("CVE-1", { severity: "medium" })])).toMatchObject({
      passed: true,
      says: "1 finding; none high or worse",
    });
    expect(judge([])).toMatchObject({ passed: true, says: "no findings" });
    expect(judge([finding("CVE-1"), finding("CVE-2", { severity: "low" })])).toMatchObject({
      passed: false,
      says: "2 findings; 1 high or worse: CVE-1 lodash 4.17.11",
    });
    expect(judge([finding("CVE-1", { severity: "unknown" })], { failOn: "critical" })).toMatchObject({ passed: false });
  });

  it("lets pass what the live release has, and says against which one; against none, everything is new", () => {
    const base = { release: "r41", fingerprints: new Set(["print-CVE-1"]) };
    const since = { newSince: "production" };
    expect(judge([finding("CVE-1")], since, { base })).toMatchObject({
      passed: true,
      says: "1 finding; none high or worse, new since r41, which is live in production",
    });
    expect(judge([finding("CVE-1"), finding("CVE-2")], since, { base }).blocking).toMatchObject([{ rule: "CVE-2" }]);
    const first = judge([finding("CVE-1")], since);
    expect(first.passed).toBe(false);
    expect(first.says).toContain("nothing that this step has looked at is live in production");
    // What it passes by is known to the release that comes after it.
    expect(judge([finding("CVE-1")], since, { base }).fingerprints).toEqual(["print-CVE-1"]);
  });

  it("honours a waiver to its last instant and where it holds, and names one that is over", () => {
    const waivers = [waiver];
    expect(judge([finding("CVE-1")], { waivers }, { now: waiver.until - 1 })).toMatchObject({
      passed: true,
      says: "1 finding; none high or worse; 1 waived",
      waived: [{ waiver: { owner: "ada" } }],
    });
    expect(judge([finding("CVE-1")], { waivers }, { now: waiver.until })).toMatchObject({
      passed: false,
      expired: waivers,
      says: "1 finding; 1 high or worse: CVE-1 lodash 4.17.11; the waiver of CVE-1 by ada until 2026-11-30 (unused) is over and counts no more",
    });
    const holds = (where: string, one: Finding): boolean =>
      judge([one], { waivers: [{ ...waiver, in: where }] }).passed;
    expect(holds("lodash", finding("CVE-1"))).toBe(true);
    expect(holds("minimist", finding("CVE-1"))).toBe(false);
    expect(holds("test/**", finding("CVE-1", { package: null, file: "test/a.ts" }))).toBe(true);
    expect(holds("test/**", finding("CVE-1", { package: null, file: null }))).toBe(false);
    // One that is over does not matter beside one that holds.
    const both = judge([finding("CVE-1")], { waivers: [{ ...waiver, until: day - 1 }, waiver] });
    expect(both).toMatchObject({ passed: true, expired: [] });
  });

  it("does not pass when there was more than is taken", () => {
    expect(judgeScan({ all: [], cut: true }, policy, { base: null, now: day }).passed).toBe(false);
  });

  it("is never stopped by more when it fails on worse, has known more, or is waived more", () => {
    const any = fc.array(
      fc.record({ rule: fc.constantFrom("CVE-1", "CVE-2", "CVE-3"), severity: fc.constantFrom(...severities) }),
      { maxLength: 8 },
    );
    fc.assert(
      fc.property(any, fc.boolean(), (rules, known) => {
        const all = rules.map(({ rule, severity }) => finding(rule, { severity }));
        const base = known ? { release: "r1", fingerprints: new Set(["print-CVE-2"]) } : null;
        const strict = judge(all, { failOn: "low" }).blocking.length;
        const lenient = judge(all, { failOn: "high", newSince: "p", waivers: [waiver] }, { base });
        expect(lenient.blocking.length).toBeLessThanOrEqual(strict);
        expect(lenient.passed).toBe(lenient.blocking.length === 0);
      }),
    );
  });
});
