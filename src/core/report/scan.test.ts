import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { collected, findingReport, insideOf, mostFindings, mostShown } from "./finding.ts";
import bandit from "./recorded/bandit-1.6.2.json" with { type: "json" };
import eslint from "./recorded/eslint-10.15.0.json" with { type: "json" };
import flawfinder from "./recorded/flawfinder-2.0.19.json" with { type: "json" };
import { readScan } from "./scan.ts";
import { UnreadableReport } from "./xml.ts";

const top = "/srv/runs/run_1/source";
const read = (report: unknown) => readScan(JSON.stringify(report), top);

describe("what a scanner has written", () => {
  it("is known as npm audit's, with the advisories of a package and not those through which others are met", () => {
    // As npm 11.19 writes it; test/scan.test.ts runs npm itself.
    const advisory = {
      source: 1106913,
      name: "lodash",
      dependency: "lodash",
      title: "Command Injection in lodash",
      url: "https://github.com/advisories/GHSA-35jh-r3h4-6jhm",
      severity: "high",
      range: "<4.17.21",
    };
    const report = {
      auditReportVersion: 2,
      vulnerabilities: {
        lodash: { name: "lodash", severity: "high", via: [advisory], nodes: ["node_modules/lodash"] },
        tool: { name: "tool", severity: "high", via: ["lodash"], nodes: ["node_modules/tool"] },
      },
    };
    expect(read(report)).toMatchObject([
      { tool: "npm audit", severity: "high", rule: "GHSA-35jh-r3h4-6jhm", package: "lodash <4.17.21", file: null },
    ]);
    // What npm writes when its registry does not answer is no report without findings.
    const failed = { message: "405 Method Not Allowed - POST /-/npm/v1/security/advisories/bulk", statusCode: 405 };
    expect(() => read(failed)).toThrow("its tool has failed: 405 Method Not Allowed");
  });

  it("is known as that of pnpm, yarn and bun too, and one advisory of a package is the same finding in all of them", () => {
    const url = "https://github.com/advisories/GHSA-35jh-r3h4-6jhm";
    const told = { title: "Command Injection in lodash", severity: "high", vulnerable_versions: "<4.17.21", url };
    // pnpm 10.34.9 and 12.21.0, yarn 4.18.1 and bun 1.4.5, asked for lodash 4.17.11.
    const findings = [{ version: "4.17.11", paths: [".>lodash"], dev: false }];
    const pnpm = { advisories: { "1106913": { ...told, id: 1106913, module_name: "lodash", findings } }, metadata: {} };
    const children = {
      ID: 1106913,
      Issue: told.title,
      URL: url,
      Severity: "high",
      "Vulnerable Versions": "<4.17.21",
      "Tree Versions": ["4.17.11"],
      Dependents: ["top@workspace:."],
    };
    const old = { ID: "request (deprecation)", Issue: "request is deprecated", Severity: "moderate" };
    const yarn = [children, old].map((each) => JSON.stringify({ value: "lodash", children: each })).join("\n");
    const finding = { severity: "high", rule: "GHSA-35jh-r3h4-6jhm", package: "lodash <4.17.21", file: null };
    const all = [read(pnpm), readScan(`${yarn}\n`, top), read({ lodash: [{ ...told, id: 1106913 }] })];
    expect(all).toMatchObject([
      [{ ...finding, tool: "pnpm audit" }],
      [{ ...finding, tool: "yarn npm audit" }],
      [{ ...finding, tool: "bun audit" }],
    ]);
    expect(new Set(all.flat().map(({ fingerprint }) => fingerprint)).size).toBe(1);
    expect([read({ ...pnpm, advisories: {} }), read({})]).toEqual([[], []]);
    // pnpm, whose registry is away.
    expect(() => read({ error: { code: "ECONNREFUSED", message: "request to http://r/ failed" } })).toThrow(
      "its tool has failed",
    );
  });

  it("is known as pip-audit's, new and old, which tells no severity", () => {
    // https://github.com/pypa/pip-audit/blob/main/README.md
    const dependencies = [
      {
        name: "flask",
        version: "0.5",
        vulns: [{ id: "PYSEC-2019-179", fix_versions: ["1.0"], description: "Memory" }],
      },
      { name: "jinja2", version: "3.0.2", vulns: [] },
    ];
    const found = [{ tool: "pip-audit", severity: "unknown", rule: "PYSEC-2019-179", package: "flask 0.5" }];
    expect(read({ dependencies, fixes: [] })).toMatchObject(found);
    expect(read(dependencies)).toMatchObject(found);
  });

  it("is known as Trivy's: packages, settings and secrets, the secrets themselves left out", () => {
    // https://github.com/aquasecurity/trivy/tree/main/integration/testdata: busybox-with-lockfile, dockerfile, secrets.
    const report = {
      SchemaVersion: 2,
      ArtifactType: "repository",
      Results: [
        {
          Target: "Cargo.lock",
          Vulnerabilities: [
            {
              VulnerabilityID: "CVE-2021-38193",
              PkgName: "ammonia",
              InstalledVersion: "1.9.0",
              Title: "Incorrect handling of embedded SVG",
              Severity: "MEDIUM",
            },
          ],
        },
        {
          Target: "Dockerfile",
          Misconfigurations: [
            {
              ID: "DS002",
              Message: "Specify at least 1 USER command",
              Severity: "HIGH",
              Status: "FAIL",
              CauseMetadata: {},
            },
            { ID: "DS001", Message: "well", Severity: "HIGH", Status: "PASS" },
          ],
        },
        {
          Target: `${top}/deploy.sh`,
          Secrets: [
            {
              RuleID: "aws-access-key-id",
              Severity: "CRITICAL",
              Title: "AWS Access Key ID",
              StartLine: 3,
              Match: "AKIA1",
            },
          ],
        },
        { Target: "empty", Class: "lang-pkgs" },
      ],
    };
    expect(read(report)).toMatchObject([
      { severity: "medium", rule: "CVE-2021-38193", package: "ammonia 1.9.0" },
      { severity: "high", rule: "DS002", file: "Dockerfile", line: null },
      { severity: "critical", rule: "aws-access-key-id", file: "deploy.sh", line: 3 },
    ]);
    expect(JSON.stringify(read(report))).not.toContain("AKIA1");
  });

  it("is known as Gitleaks', without what leaked; an empty list is no leak", () => {
    // https://github.com/gitleaks/gitleaks/blob/master/testdata/expected/report/json_simple.json
    const leak = {
      Description: "",
      StartLine: 1,
      Secret: "a secret",
      Match: "x=a secret",
      File: "auth.py",
      RuleID: "rule",
    };
    expect(read([leak])).toMatchObject([
      { tool: "Gitleaks", severity: "high", rule: "rule", file: "auth.py", line: 1 },
    ]);
    expect(JSON.stringify(read([leak]))).not.toContain("a secret,");
    expect(JSON.stringify(read([leak]))).not.toContain("x=a secret");
    expect(read([])).toEqual([]);
    expect(() => read([{ some: "list" }])).toThrow("one has no RuleID");
  });

  it("is known as SARIF: by level or by security-severity, without what is well or was suppressed", () => {
    const at = { physicalLocation: { artifactLocation: { uri: "src/a.ts" }, region: { startLine: 3 } } };
    const rules = [
      { id: "R1", defaultConfiguration: { level: "error" } },
      { id: "R3", properties: { "security-severity": "9.8" } },
    ];
    const results = [
      { ruleId: "R2", message: { text: "odd" } },
      { ruleId: "R1", message: { text: "bad" }, locations: [at] },
      { ruleId: "R1", kind: "pass", message: { text: "well" } },
      { ruleId: "R1", message: { text: "known" }, suppressions: [{ kind: "external" }] },
      { ruleId: "R3", message: { text: "worst" } },
    ];
    const driver = { name: "x", rules };
    expect(read({ version: "2.1.0", runs: [{ tool: { driver }, results }] })).toMatchObject([
      { severity: "medium", rule: "R2", message: "odd", file: null },
      { severity: "high", rule: "R1", message: "bad", file: "src/a.ts", line: 3 },
      { severity: "critical", rule: "R3" },
    ]);
    const cut = { tool: { driver }, results: [], invocations: [{ executionSuccessful: false }] };
    expect(() => read({ runs: [cut] })).toThrow("has not run to its end");
  });
});

describe("what real tools have written", () => {
  it("as Bandit 1.6.2: the same line in two files is two, and stays when it moves; a file that it could not read is no clean one", () => {
    const findings = read(bandit);
    expect(findings.slice(0, 5).map(({ severity, rule, file, line }) => [severity, rule, file, line])).toEqual([
      ["low", "B404", "py/app.py", 2],
      ["low", "B101", "py/app.py", 7],
      ["high", "B602", "py/app.py", 8],
      ["medium", "B303", "py/app.py", 9],
      ["medium", "B506", "py/app.py", 13],
    ]);
    expect(findings.slice(5).map(({ rule, file }) => [rule, file])).toEqual(
      findings.slice(0, 5).map(({ rule }) => [rule, "py/copy.py"]),
    );
    expect(collected(findings).all).toHaveLength(10);
    const [first] = bandit.results;
    const at = (line_number: number, code: string) =>
      read({ ...bandit, results: [{ ...first, line_number, code }] })[0]?.fingerprint;
    expect(at(12, "11 \n12 import subprocess\n")).toBe(findings[0]?.fingerprint);
    expect(at(12, "11 \n12 import subprocess as other\n")).not.toBe(findings[0]?.fingerprint);
    const errors = [{ filename: "py/broken.py", reason: "syntax error while parsing AST from file" }];
    expect(() => read({ ...bandit, errors })).toThrow("could not read py/broken.py: syntax error");
  });

  it("as ESLint 10.15 with Microsoft's formatter 3.1: whole paths, levels, and what the source says may stay", () => {
    expect(read(eslint).map(({ tool, severity, rule, file, line }) => [tool, severity, rule, file, line])).toEqual([
      ["ESLint", "high", "no-unused-vars", "src/app.js", 2],
      ["ESLint", "medium", "eqeqeq", "src/app.js", 6],
      ["ESLint", "medium", "no-debugger", "src/app.js", 6],
      ["ESLint", "high", "no-eval", "src/app.js", 7],
    ]);
    // As it was when a file could not be parsed: of that file nothing is known.
    const notification = { level: "error", message: { text: "Parsing error: Unexpected token ;" } };
    const invocations = [{ toolConfigurationNotifications: [notification], executionSuccessful: false }];
    expect(() => read({ runs: eslint.runs.map((run) => ({ ...run, invocations })) })).toThrow("not run to its end");
  });

  it("as Flawfinder 2.0.19: the same line in two files is two findings, although it calls both the same", () => {
    const findings = read(flawfinder);
    expect(findings.map(({ severity, rule, file, line }) => [severity, rule, file, line])).toEqual([
      ["high", "FF1001", "src/copy.c", 4],
      ["high", "FF1016", "src/copy.c", 5],
      ["high", "FF1014", "src/copy.c", 7],
      ["high", "FF1001", "src/again.c", 3],
    ]);
    expect(new Set(flawfinder.runs[0]?.results.map((each) => each.fingerprints["contextHash/v1"])).size).toBe(3);
    expect(collected(findings).all).toHaveLength(4);
  });
});

describe("a fingerprint", () => {
  const sarif = (line: number, uri: string, more: object = {}) =>
    read({
      runs: [
        {
          results: [
            {
              ruleId: "R",
              message: { text: "m" },
              locations: [{ physicalLocation: { artifactLocation: { uri }, region: { startLine: line } } }],
              ...more,
            },
          ],
        },
      ],
    })[0]?.fingerprint;

  it("stays when lines move and the workspace is another, and is the tool's own where it has one", () => {
    expect(sarif(1, "src/a.ts")).toBe(sarif(9, `file://${top}/src/a.ts`));
    expect(sarif(1, "src/a.ts")).not.toBe(sarif(1, "src/b.ts"));
    const partialFingerprints = { primaryLocationLineHash: "39fa2ee980eb94b0:1" };
    expect(sarif(1, "src/a.ts", { partialFingerprints, message: { text: "other words" } })).toBe(
      sarif(9, "src/a.ts", { partialFingerprints }),
    );
    expect(sarif(1, "src/a.ts", { partialFingerprints })).not.toBe(sarif(1, "src/b.ts", { partialFingerprints }));
  });

  it("makes one of an advisory on a package, whichever tool and version", () => {
    const trivy = { VulnerabilityID: "CVE-1", PkgName: "flask", InstalledVersion: "1", Severity: "LOW" };
    const findings = [
      ...read({ SchemaVersion: 2, Results: [{ Vulnerabilities: [trivy] }] }),
      ...read({ dependencies: [{ name: "flask", version: "2", vulns: [{ id: "CVE-1" }] }] }),
    ];
    expect(findings).toHaveLength(2);
    expect(collected(findings).all).toMatchObject([{ severity: "low" }]);
  });
});

describe("a hostile report", () => {
  it("is refused with words, or cut", () => {
    expect(() => readScan("[".repeat(1_000_000), top)).toThrow("nested more than 100 deep");
    expect(() => readScan(`[${"{},".repeat(1_100_000)}{}]`, top)).toThrow("more than 1000000 objects");
    expect(() => readScan(`["${"[".repeat(500)}\\"${"[".repeat(500)}"]`, top)).toThrow("one has no RuleID");
    for (const [text, why] of [
      ["", "it is empty"],
      ["hello", "it is no JSON"],
      ['{"runs":3}', "it is no SARIF log"],
      ['{"a":1}', "it is none of the audits"],
      ["3", "it is none of the audits"],
      ['{"auditReportVersion":2}', "it has no vulnerabilities"],
      ['{"SchemaVersion":2,"Results":[{"Vulnerabilities":[{}]}]}', "a finding has no id"],
    ] as const)
      expect(() => readScan(text, top)).toThrow(why);
    const results = Array.from({ length: mostFindings + 1 }, (_, index) => ({
      message: { text: `${index} ${"x".repeat(900)}` },
    }));
    const many = collected(read({ runs: [{ results }] }));
    expect(many).toMatchObject({ cut: true });
    expect(findingReport(many)).toMatchObject({ counts: { medium: mostFindings } });
    expect(findingReport(many).findings).toHaveLength(mostShown);
    expect(findingReport(many).findings[0]?.message).toHaveLength(500);
  });

  it("shows no path outside the checkout, and moves no terminal", () => {
    for (const path of [
      "/etc/passwd",
      "../../etc/passwd",
      "a/../../b",
      "file:///etc/passwd",
      "https://x/y",
      "C:\\x",
      "",
    ])
      expect(insideOf(path, top)).toBeNull();
    expect(insideOf("./src//a.ts", top)).toBe("src/a.ts");
    const [finding] = read([{ RuleID: "r\u001b[2Jx\u202e", File: "a\u0007.py", Description: "one\r\ntwo\u0000" }]);
    expect(finding).toMatchObject({ rule: "r [2Jx", file: "a .py", message: "one two" });
  });

  it("of any JSON at all is read or refused, and nothing else happens", () => {
    const keys = [
      "runs",
      "results",
      "auditReportVersion",
      "vulnerabilities",
      "via",
      "SchemaVersion",
      "Results",
      "Vulnerabilities",
      "Secrets",
      "dependencies",
      "vulns",
      "RuleID",
      "__proto__",
    ];
    const value = fc.letrec((tie) => ({
      any: fc.oneof(
        { maxDepth: 6 },
        fc.constantFrom(null, true, 0, "x", ""),
        fc.array(tie("any"), { maxLength: 3 }),
        fc.dictionary(fc.constantFrom(...keys), tie("any"), { maxKeys: 4 }),
      ),
    })).any;
    fc.assert(
      fc.property(value, (report) => {
        try {
          for (const { severity, fingerprint } of read(report))
            expect(`${severity} ${fingerprint}`).toMatch(/^\w+ \w{16}$/);
        } catch (error) {
          expect(error).toBeInstanceOf(UnreadableReport);
        }
      }),
    );
  });
});
