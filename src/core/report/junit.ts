import { scanXml, UnreadableReport } from "./xml.ts";

export type FailedTest = {
  /** Class, suite or file, as the report has it; may be empty. */
  readonly suite: string;
  readonly name: string;
  /** What was expected and seen, cut where it is long. */
  readonly message: string;
};

export type TestReport = {
  readonly tests: number;
  readonly failed: number;
  readonly skipped: number;
  readonly ms: number;
  /** The first of them. */
  readonly failing: readonly FailedTest[];
};

export const mostFailing = 50;
const mostMessage = 2_000;
const mostName = 300;

/** A JUnit XML report: counted by its test cases, whatever its totals say. Errors: UnreadableReport. */
export function readJunit(text: string): TestReport {
  let report = { tests: 0, failed: 0, skipped: 0, ms: 0 };
  const failing: FailedTest[] = [];
  let test: { suite: string; name: string; failed: boolean; skipped: boolean; message: string; ms: number } | null =
    null;
  let suites = 0;
  let inFailure = false;
  scanXml(text, {
    open: (name, attributes) => {
      if (name === "testsuite" || name === "testsuites") suites += 1;
      if (name === "testcase") {
        const suite = attributes.get("classname") ?? attributes.get("file") ?? "";
        const seconds = Number(attributes.get("time") ?? 0);
        const ms = Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : 0;
        test = { suite, name: attributes.get("name") ?? "", failed: false, skipped: false, message: "", ms };
      } else if (test !== null && (name === "failure" || name === "error")) {
        test.failed = true;
        inFailure = true;
        test.message ||= (attributes.get("message") ?? "").slice(0, mostMessage);
      } else if (test !== null && name === "skipped") test.skipped = true;
    },
    text: (said) => {
      // The text holds the message and the stack; where there is no message it is all there is.
      if (inFailure && test !== null && test.message.length < mostMessage && !test.message.includes(said.trim()))
        test.message = `${test.message}\n${said.trim()}`.trim().slice(0, mostMessage);
    },
    close: (name) => {
      if (name === "failure" || name === "error") inFailure = false;
      if (name !== "testcase" || test === null) return;
      report = {
        tests: report.tests + 1,
        failed: report.failed + (test.failed ? 1 : 0),
        skipped: report.skipped + (test.skipped ? 1 : 0),
        ms: report.ms + test.ms,
      };
      if (test.failed && failing.length < mostFailing)
        failing.push({
          suite: test.suite.slice(0, mostName),
          name: test.name.slice(0, mostName),
          message: test.message,
        });
      test = null;
    },
  });
  if (suites === 0) throw new UnreadableReport("it is no JUnit report: it has no test suite");
  return { ...report, ms: Math.round(report.ms), failing };
}

export function addTests(a: TestReport, b: TestReport): TestReport {
  return {
    tests: a.tests + b.tests,
    failed: a.failed + b.failed,
    skipped: a.skipped + b.skipped,
    ms: a.ms + b.ms,
    failing: [...a.failing, ...b.failing].slice(0, mostFailing),
  };
}
