import type { CommitCheck } from "../core/forge/check.ts";
import type { Report } from "../core/forge/report.ts";
import type { DeploymentId, EnvironmentName } from "../core/ids.ts";
import type { Secret } from "../core/secret.ts";
import type { ReportSettings } from "../core/triggers/settings.ts";

/** Where code is kept, and where people look first. Every method rejects with a `ForgeProblem` when the forge is away or will not. */
export interface Forge {
  /** What this one has besides statuses and comments. */
  readonly can: { readonly checks: boolean; readonly deployments: boolean };
  /** Sets the status of a commit. Safe to repeat: of several under one context the newest counts. */
  setStatus(report: Report, signal: AbortSignal): Promise<void>;
  /**
   * The same as a check, with a text. `known` is what was answered before; without it the check of this `key` is looked for first, so
   * that a repeat makes no second one. Only with `can.checks`.
   */
  setCheck(report: CheckReport, known: string | null, signal: AbortSignal): Promise<string>;
  /** Tells of a deployment, which is looked for as a check is. Only with `can.deployments`. Null: the forge has no word for one that has not begun. */
  setDeployment(report: DeploymentReport, known: string | null, signal: AbortSignal): Promise<string | null>;
  /** The pull request that a commit belongs to: an open one, else the one that brought it. */
  pullRequest(commit: string, signal: AbortSignal): Promise<number | null>;
  /** The checks and statuses of a commit as they are now, each once: the newest of its name. Changes nothing. */
  checks(commit: string, signal: AbortSignal): Promise<readonly CommitCheck[]>;
  /**
   * Writes our comment there: the one that is known, else the one that begins with the marker, else a new one. An edited or removed one
   * is no trouble. Returns its id.
   */
  setComment(comment: Comment, known: string | null, signal: AbortSignal): Promise<string>;
}

export type CheckReport = Report & {
  readonly key: string;
  readonly title: string;
  /** Markdown. */
  readonly summary: string;
  readonly startedAt: number | null;
  readonly endedAt: number | null;
};

export type DeploymentReport = Report & {
  readonly key: DeploymentId;
  readonly environment: EnvironmentName;
  /** It waits for a person or a time, and not only for its turn. */
  readonly gated: boolean;
  /** Where people find it; null where nobody knows. */
  readonly environmentUrl: string | null;
};

export type Comment = { readonly pull: number; readonly marker: string; readonly body: string };

/** Opens what these settings name. `token` is asked for at each request: a secret that is set anew holds from then on. */
export type OpenForge = (settings: ReportSettings, token: () => Promise<Secret | null>) => Forge;
