import { readFile, realpath, stat } from "node:fs/promises";
import { join, relative } from "node:path";
import { reasonOf } from "../../core/errors/error.ts";
import type { StepReports } from "../../core/pipeline/step.ts";
import { addCoverage, type CoverageReport, readCoverage } from "../../core/report/coverage.ts";
import {
  collected,
  type Finding,
  type FindingReport,
  type Findings,
  findingReport,
} from "../../core/report/finding.ts";
import { addTests, readJunit, type TestReport } from "../../core/report/junit.ts";
import { addLoads, type LoadReport, readLoad } from "../../core/report/load.ts";
import { readScan } from "../../core/report/scan.ts";
import { masked } from "../../lib/mask.ts";
import { filesOf } from "./cache/files.ts";

/** What a step's reports say; null where it has none of the kind. */
export type Reports = {
  readonly tests: TestReport | null;
  readonly coverage: CoverageReport | null;
  readonly findings: FindingReport | null;
  /** Reports that were to be there and could not be read. */
  readonly problems: readonly string[];
};

const mostFiles = 200;
const mostBytes = 32 * 1024 * 1024;

type From = {
  /** Top of the checkout: what leads out of it is not read. */
  readonly top: string;
  readonly directory: string;
  readonly secrets: readonly string[];
};

/** What a step has written. */
export type ReadReports = {
  /** Null where it has none. */
  readonly reports: Reports | null;
  /** All that its scans have found. */
  readonly found: Findings;
  /** Why a scan or a load test could not be read. */
  readonly unread: readonly string[];
  /** What its load test has measured; null where it is none, or none of its reports could be read. */
  readonly load: LoadReport | null;
};

/** Reads what a step has written, whatever it is. Never fails: what cannot be read is said. */
export async function readReports(asked: StepReports, from: From): Promise<ReadReports> {
  // A step that was planned by the program before has neither.
  const scans = [...asked.sarif, ...(asked.scan ?? [])];
  const loads = asked.load ?? [];
  const nothing = { all: [], cut: false };
  if (asked.junit.length + asked.coverage.length + scans.length + loads.length === 0)
    return { reports: null, found: nothing, unread: [], load: null };
  const problems: string[] = [];
  const all = async <T>(
    patterns: readonly string[],
    read: (text: string) => T,
    add: (a: T, b: T) => T,
  ): Promise<T | null> => {
    if (patterns.length === 0) return null;
    const paths = await filesOf(from.directory, patterns);
    if (paths.length === 0) problems.push(`no file is ${patterns.join(" or ")}`);
    if (paths.length > mostFiles)
      problems.push(`${paths.length} files are ${patterns.join(" or ")}; ${mostFiles} of them were read`);
    let sum: T | null = null;
    for (const path of paths.slice(0, mostFiles)) {
      try {
        const one = read(masked(await textOf(from, path), from.secrets));
        sum = sum === null ? one : add(sum, one);
      } catch (error) {
        problems.push(`${path} was not read: ${reasonOf(error)}`);
      }
    }
    return sum;
  };
  const tests = await all(asked.junit, readJunit, addTests);
  const coverage = await all(asked.coverage, readCoverage, addCoverage);
  const before = problems.length;
  const top = await realpath(from.top);
  const findings = await all<readonly Finding[]>(
    scans,
    (text) => readScan(text, top),
    (a, b) => [...a, ...b],
  );
  const load = await all(loads, readLoad, addLoads);
  const found = findings === null ? nothing : collected(findings);
  const reports = { tests, coverage, findings: findings === null ? null : findingReport(found), problems };
  return { reports, found, unread: problems.slice(before), load };
}

async function textOf({ top, directory }: From, path: string): Promise<string> {
  const real = await realpath(join(directory, path));
  if (/^\.\.(\/|$)/.test(relative(await realpath(top), real))) throw new Error("it leads out of the workspace");
  // Before it is opened: a pipe would keep us waiting for ever.
  const found = await stat(real);
  if (!found.isFile()) throw new Error("it is no file");
  if (found.size > mostBytes) throw new Error(`it is larger than ${mostBytes} bytes`);
  return readFile(real, "utf8");
}
