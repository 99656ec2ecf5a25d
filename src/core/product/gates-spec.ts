import type { OtherNames } from "../gates/person.ts";

/** What must be open before a deployment begins. */
export type GatesSpec = {
  readonly approval: ApprovalSpec | null;
  /** Deployments begin only in one of them; none: at any time. */
  readonly windows: readonly WindowSpec[];
  /** And in none of these. */
  readonly freezes: readonly FreezeSpec[];
  /** So long after it was asked for; 0: at once. */
  readonly waitMs: number;
  /** So long must the release have lived in the environment before; 0: it need not. */
  readonly bakedMs: number;
  /** Whether the load tests of the environment before must have passed with it. Absent: they need not. */
  readonly loadTest?: boolean;
  /** What the forge must say of the commit. Nothing where nothing is asked. */
  readonly checks?: ChecksSpec;
  /** Of which error budget something must be left. Absent: of none. */
  readonly budget?: BudgetSpec;
  /** What must hold of what is live, each as it is written. Absent: nothing. */
  readonly conditions?: readonly string[];
};

export type BudgetSpec = {
  /** The share of requests that must succeed, below 1. */
  readonly objective: number;
  readonly overMs: number;
  /** Null: all of them together. */
  readonly service: string | null;
  /** Null: the one that is deployed to. */
  readonly environment: string | null;
};

export type ChecksSpec = { readonly names: readonly string[]; readonly expiresMs: number };

/** What must be open before a canary takes the step after one. */
export type StepGatesSpec = Pick<GatesSpec, "approval" | "windows" | "freezes"> & {
  /** So long after the step has passed; 0: at once. */
  readonly waitMs: number;
  /** What must hold of the candidate, each as it is written; the grammar is in `gates/condition.ts`. */
  readonly conditions: readonly string[];
};

/** Open at the times of its cron, for so long. */
export type WindowSpec = { readonly cron: string; readonly durationMs: number; readonly timeZone: string };
export type FreezeSpec = WindowSpec & { readonly reason: string | null };

export type ApprovalSpec = {
  /** For a person: `ops, ada`, or `anybody`. */
  readonly from: string;
  /** Everybody who may approve; null is anybody. */
  readonly people: readonly string[] | null;
  /** What else people are called. Absent: nobody is called anything else. */
  readonly otherNames?: OtherNames;
  readonly count: number;
  readonly authorMayApprove: boolean;
  /** Notifiers that are told that a deployment waits. Absent: none. */
  readonly notify?: readonly string[];
  readonly expiresMs: number;
};
