import type { StepView } from "../../../src/api/contract.ts";
import { testedText } from "../../../src/core/report/summary.ts";
import type { Tone } from "../words.ts";
import { Mark } from "./mark.tsx";

type Finding = NonNullable<NonNullable<StepView["reports"]>["findings"]>["findings"][number];

const severityTones: Readonly<Record<Finding["severity"], Tone>> = {
  critical: "bad",
  high: "bad",
  medium: "warn",
  low: "quiet",
  unknown: "quiet",
};

/** What the reports of a step say: tests with what has failed, coverage, findings, and what could not be read. */
export function Reports({ step: { reports, scan } }: { readonly step: StepView }) {
  if (reports === null && scan === null) return null;
  const tested = reports === null ? "" : testedText(reports);
  return (
    <div className="reports">
      {reports !== null && tested !== "" && (
        <Mark tone={reports.tests !== null && reports.tests.failed > 0 ? "bad" : "good"}>{tested}</Mark>
      )}
      {reports?.tests?.failing.map(({ suite, name, message }) => (
        <details key={`${suite} ${name}`} className="failing">
          <summary>
            <span className="quiet">{suite}</span> {name}
          </summary>
          <pre>{message}</pre>
        </details>
      ))}
      {scan !== null && <Mark tone={scan.passed ? "good" : "bad"}>{scan.says}</Mark>}
      {reports?.findings != null && reports.findings.findings.length > 0 && (
        <ul className="findings" aria-label="Findings">
          {reports.findings.findings.map((finding) => (
            <li key={finding.fingerprint}>
              <Mark tone={severityTones[finding.severity]}>{finding.severity}</Mark>
              <span>
                <strong>{finding.rule}</strong> {finding.message}{" "}
                <span className="quiet">
                  {[finding.package, finding.file === null ? null : placeOf(finding)].filter(Boolean).join(" · ")}
                </span>
              </span>
            </li>
          ))}
        </ul>
      )}
      {reports?.problems.map((problem) => (
        <p key={problem} className="note warn">
          {problem}
        </p>
      ))}
    </div>
  );
}

const placeOf = ({ file, line }: Finding): string => (line === null ? `${file}` : `${file}:${line}`);
