import type { CoverageReport } from "./coverage.ts";
import type { TestReport } from "./junit.ts";

export type Tested = { readonly tests: TestReport | null; readonly coverage: CoverageReport | null };

/** In a few words: `42 tests, 1 failed, 2 skipped, 87.5 % of lines`; none where nothing was told. */
export function testedText({ tests, coverage }: Tested): string {
  const parts = [
    ...(tests === null ? [] : [`${tests.tests} ${tests.tests === 1 ? "test" : "tests"}`]),
    ...(tests === null || tests.failed === 0 ? [] : [`${tests.failed} failed`]),
    ...(tests === null || tests.skipped === 0 ? [] : [`${tests.skipped} skipped`]),
    ...(coverage === null || coverage.lines === 0
      ? []
      : [`${((100 * coverage.covered) / coverage.lines).toFixed(1)} % of lines`]),
  ];
  return parts.join(", ");
}
