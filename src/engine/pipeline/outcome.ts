import type { ScanVerdict } from "../../core/pipeline/scan.ts";
import { formatDuration, formatSize } from "../../core/product/units.ts";
import type { JobEnd } from "../../ports/executor.ts";
import type { KeptArtifacts } from "./artifacts.ts";
import type { LoadOutcome } from "./load.ts";
import type { Reports } from "./read-reports.ts";

/** How a step ended. */
export type StepOutcome = {
  readonly phase: "passed" | "restored" | "failed";
  readonly reason: string;
  readonly attempt: number;
  /** The last lines of its log, without colours. */
  readonly lines: readonly string[];
  /** Of all that it depends on; null where it has no inputs. */
  readonly key: string | null;
  readonly reports: Reports | null;
  /** Absent where it has left none. */
  readonly artifacts?: KeptArtifacts;
  /** Of a scan step that has looked. */
  readonly scan?: ScanVerdict;
  /** Of a load test that has run to its end. */
  readonly load?: LoadOutcome;
};

/** Why an attempt did not pass; null when it did. */
export function whyFailed(end: JobEnd): string | null {
  switch (end.is) {
    case "exited":
      return end.code === 0 ? null : `exit code ${end.code}`;
    case "killed":
      return `killed by ${end.by}`;
    case "timed-out":
      return `stopped after ${formatDuration(end.afterMs)}, its timeout`;
    case "too-large":
      return end.what === "output"
        ? `stopped: it printed more than ${formatSize(end.maxBytes)}`
        : `stopped: the run's workspace holds more than ${formatSize(end.maxBytes)}, its bound`;
    case "not-started":
      return `could not be started: ${end.why}`;
    case "lost":
      return `how it ended is not known: ${end.why ?? "the machine went down under it"}`;
  }
}
