import { type Finding, insideOf, printOf, severityOf } from "./finding.ts";
import { fieldOf, isObject, lineOf, listOf, parseReport, textOf } from "./json.ts";
import { readNodeAudit, yarnAudit, yarnLines } from "./node-audits.ts";
import { packaged } from "./packaged.ts";
import { readSarif } from "./sarif.ts";
import { UnreadableReport } from "./xml.ts";

/**
 * What a scanner has found: the JSON of the audits of npm, pnpm, yarn and bun, of pip-audit, Bandit, Trivy or Gitleaks, or SARIF, told apart by what it is made of. Their
 * shapes: npm 11's and Bandit 1.6's own output; https://github.com/pypa/pip-audit/blob/main/README.md;
 * https://github.com/aquasecurity/trivy/tree/main/integration/testdata;
 * https://github.com/gitleaks/gitleaks/tree/master/testdata/expected/report. `top`: where the checkout was. Errors: UnreadableReport.
 */
export function readScan(text: string, top: string): readonly Finding[] {
  const lines = yarnLines(text);
  if (lines !== null) return yarnAudit(lines);
  const report = parseReport(text);
  if (fieldOf(report, "runs") !== undefined) return readSarif(report, top);
  const audited = readNodeAudit(report);
  if (audited !== null) return audited;
  if (fieldOf(report, "SchemaVersion") !== undefined) return trivy(report, top);
  if (isObject(fieldOf(report, "metrics")) && Array.isArray(fieldOf(report, "results"))) return bandit(report, top);
  if (Array.isArray(fieldOf(report, "dependencies"))) return pipAudit(listOf(fieldOf(report, "dependencies")));
  // An older pip-audit writes the list itself, and so does Gitleaks; of an empty one it is the same.
  if (Array.isArray(report))
    return report.some((one) => fieldOf(one, "vulns") !== undefined) ? pipAudit(report) : gitleaks(report, top);
  const why =
    textOf(fieldOf(report, "message")) ||
    textOf(fieldOf(report, "error", "summary") ?? fieldOf(report, "error", "message"));
  if (why !== "") throw new UnreadableReport(`its tool has failed: ${why}`);
  throw new UnreadableReport(
    "it is none of the audits of npm, pnpm, yarn, bun and pip, Bandit, Trivy, Gitleaks and SARIF",
  );
}

function pipAudit(dependencies: readonly unknown[]): readonly Finding[] {
  return dependencies.flatMap((dependency) =>
    listOf(fieldOf(dependency, "vulns")).map((vulnerability) =>
      // It tells no severity.
      packaged("pip-audit", {
        severity: "unknown",
        rule: fieldOf(vulnerability, "id"),
        message: fieldOf(vulnerability, "description"),
        name: fieldOf(dependency, "name"),
        version: fieldOf(dependency, "version"),
      }),
    ),
  );
}

function bandit(report: unknown, top: string): readonly Finding[] {
  const [unread] = listOf(fieldOf(report, "errors"));
  if (unread !== undefined) {
    const [file, reason] = [fieldOf(unread, "filename"), fieldOf(unread, "reason")].map(textOf);
    throw new UnreadableReport(`its tool could not read ${file}: ${reason}`);
  }
  return listOf(fieldOf(report, "results")).map((result) => {
    const rule = textOf(fieldOf(result, "test_id"));
    if (rule === "") throw new UnreadableReport("it is no report of Bandit: a finding has no test_id");
    const file = insideOf(textOf(fieldOf(result, "filename")), top);
    const line = lineOf(fieldOf(result, "line_number"));
    const message = textOf(fieldOf(result, "issue_text"));
    return {
      fingerprint: printOf("Bandit", rule, file, message, lineIn(fieldOf(result, "code"), line)),
      tool: "Bandit",
      severity: severityOf(fieldOf(result, "issue_severity")),
      rule,
      message,
      file,
      line,
      package: null,
    };
  });
}

/** The line of an excerpt whose lines begin with their numbers, without that. */
function lineIn(code: unknown, line: number | null): string {
  const lines = typeof code === "string" ? code.split("\n") : [];
  return textOf(lines.find((each) => each.startsWith(`${line} `))?.slice(`${line} `.length));
}

function trivy(report: unknown, top: string): readonly Finding[] {
  return listOf(fieldOf(report, "Results")).flatMap((result) => {
    const file = insideOf(textOf(fieldOf(result, "Target")), top);
    const inFile = (one: unknown, rule: unknown, line: unknown, message: unknown): Finding => ({
      fingerprint: printOf("Trivy", textOf(rule), file, textOf(message)),
      tool: "Trivy",
      severity: severityOf(fieldOf(one, "Severity")),
      rule: textOf(rule),
      message: textOf(message),
      file,
      line: lineOf(line),
      package: null,
    });
    return [
      ...listOf(fieldOf(result, "Vulnerabilities")).map((one) =>
        packaged("Trivy", {
          severity: fieldOf(one, "Severity"),
          rule: fieldOf(one, "VulnerabilityID"),
          message: fieldOf(one, "Title") ?? fieldOf(one, "Description"),
          name: fieldOf(one, "PkgName"),
          version: fieldOf(one, "InstalledVersion"),
        }),
      ),
      ...listOf(fieldOf(result, "Misconfigurations"))
        .filter((one) => fieldOf(one, "Status") !== "PASS")
        .map((one) =>
          inFile(one, fieldOf(one, "ID"), fieldOf(one, "CauseMetadata", "StartLine"), fieldOf(one, "Message")),
        ),
      // What it matched is the secret.
      ...listOf(fieldOf(result, "Secrets")).map((one) => {
        const found = inFile(one, fieldOf(one, "RuleID"), fieldOf(one, "StartLine"), fieldOf(one, "Title"));
        // With its line: two secrets of one file are two.
        return { ...found, fingerprint: printOf("Trivy", found.rule, file, found.message, found.line) };
      }),
    ];
  });
}

function gitleaks(leaks: readonly unknown[], top: string): readonly Finding[] {
  return leaks.map((leak) => {
    const rule = textOf(fieldOf(leak, "RuleID"));
    if (rule === "") throw new UnreadableReport("it is a list of what is no finding: one has no RuleID");
    const path = textOf(fieldOf(leak, "File"));
    const file = insideOf(path, top);
    const line = lineOf(fieldOf(leak, "StartLine"));
    return {
      // With its line: two secrets of one file are two. Secret and Match are read by nobody.
      fingerprint: printOf("Gitleaks", rule, textOf(fieldOf(leak, "Commit")), file, line),
      tool: "Gitleaks",
      // It tells none; a secret in a repository is out.
      severity: "high",
      rule,
      message: textOf(fieldOf(leak, "Description")) || "a secret",
      file,
      line,
      package: null,
    };
  });
}
