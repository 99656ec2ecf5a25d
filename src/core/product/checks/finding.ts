import type { ComposedEnvironment } from "../composed.ts";
import type { Merged } from "../merge.ts";
import type { Path } from "../problems.ts";
import type { EnvironmentSpec } from "../spec.ts";

/** Something that no single key shows: two keys that do not go together. */
export type Finding = {
  readonly at: Path;
  readonly message: string;
  readonly severity: "error" | "warning";
  readonly guess?: string;
  /** Other places it was concluded from: when one of them is already refused, this finding may be false, and is dropped. */
  readonly because?: readonly Path[];
};

/** One environment, as it is after the merge. */
export type Place = {
  readonly name: string;
  readonly merged: Merged;
  readonly spec: EnvironmentSpec;
  /** Where a key of the product is written: in the environment when that has it, else in the product. */
  readonly where: (path: Path) => Path;
  /** What its Compose file has; null where there is none. */
  readonly composed: ComposedEnvironment | null;
};

export const error = (at: Path, message: string, more: Partial<Finding> = {}): Finding => ({
  at,
  message,
  severity: "error",
  ...more,
});

export const warning = (at: Path, message: string, more: Partial<Finding> = {}): Finding => ({
  at,
  message,
  severity: "warning",
  ...more,
});
