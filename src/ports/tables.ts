import type { Generated } from "kysely";
import type {
  DeploymentId,
  Digest,
  EnvironmentName,
  EpochMs,
  ReleaseId,
  RevisionId,
  RunId,
  ServiceName,
} from "../core/ids.ts";
import type { StepPhase } from "../core/pipeline/decide.ts";
import type { PreviewPhase } from "../core/previews/decide.ts";
import type { RunEvent } from "../core/product/pipeline.ts";
import type { TriggerSource } from "../core/triggers/event.ts";

/**
 * The tables, as rows. One schema for SQLite and PostgreSQL, so only: text, integer, bigint milliseconds, JSON as text,
 * booleans as 0 or 1. Product tables are the truth; the `workflow*` tables only answer "where was I".
 */
export interface Database {
  run: RunRow;
  run_request: RunRequestRow;
  run_step: RunStepRow;
  release: ReleaseRow;
  artifact: ArtifactRow;
  deployment: DeploymentRow;
  history: Numbered<HistoryRow>;
  environment: EnvironmentRow;
  request: RequestRow;
  gated: GatedRow;
  approval: ApprovalRow;
  approval_link: ApprovalLinkRow;
  revision: RevisionRow;
  secret: SecretRow;
  scale: ScaleRow;
  flag_setting: FlagSettingRow;
  agent_revocation: AgentRevocationRow;
  trigger_config: TriggerConfigRow;
  trigger_event: TriggerEventRow;
  trigger_ref: TriggerRefRow;
  forge_report: ForgeReportRow;
  preview: PreviewRow;
  preview_cost: PreviewCostRow;
  workflow: WorkflowRow;
  workflow_step: WorkflowStepRow;
  workflow_signal: Numbered<WorkflowSignalRow>;
  workflow_schedule: WorkflowScheduleRow;
  metric_series: Numbered<MetricSeriesRow>;
  metric_chunk: MetricChunkRow;
}

/** The store gives the row its `id`: 1, 2, 3 … in the order of writing. Leave it out when inserting. */
type Numbered<Row extends { id: number }> = Omit<Row, "id"> & { id: Generated<number> };

/** One execution of the pipeline for a commit; it ends with a release or a reason why not. */
export type RunRow = {
  id: RunId;
  product: string;
  /** Directory of the git repository on the control plane's machine. */
  repository: string;
  commit_hash: string;
  dirty: 0 | 1;
  phase: "queued" | "checking" | "building" | "succeeded" | "failed";
  /** What it does now, or why it ended; for a person. */
  reason: string;
  /** JSON of the error it ended with, or null. */
  error: string | null;
  release_id: ReleaseId | null;
  created_at: EpochMs;
  created_by: string;
  ended_at: EpochMs | null;
};

/** What a run was asked for: written with the run, never changed. Runs of before have none. */
export type RunRequestRow = {
  run_id: RunId;
  event: RunEvent;
  /** JSON of `Asked` in engine/pipeline. */
  asked: string;
};

/** One step of a run's pipeline. */
/** What somebody has set of a flag, over the config. */
export type FlagSettingRow = {
  product: string;
  environment: EnvironmentName;
  flag: string;
  /** JSON of a `FlagSetting`. */
  setting: string;
  set_at: EpochMs;
  set_by: string;
  reason: string;
};

/** The last time that an agent's tokens were taken back. */
export type AgentRevocationRow = {
  product: string;
  agent: string;
  /** Tokens of a lower one do not hold. */
  generation: number;
  revoked_at: EpochMs;
  revoked_by: string;
  reason: string;
};

export type RunStepRow = {
  run_id: RunId;
  /** 0, 1, 2 … in the order of the plan. */
  number: number;
  /** The id of the step in the pipeline. */
  name: string;
  /** JSON: what it does, as it was planned. */
  spec: string;
  phase: StepPhase;
  /** What it does now, or how it ended; for a person. */
  reason: string;
  /** 1, 2, 3 …; 0 before the first. */
  attempt: number;
  /** JSON of how it ended: last lines, reports. Null before. */
  outcome: string | null;
  started_at: EpochMs | null;
  ended_at: EpochMs | null;
};

/** Immutable once written. */
export type ReleaseRow = {
  id: ReleaseId;
  product: string;
  /** 1, 2, 3 … in a product; people say r42. */
  number: number;
  version: string;
  commit_hash: string;
  dirty: 0 | 1;
  subject: string;
  author: string;
  branch: string | null;
  config_digest: Digest;
  /** The whole resolved config of this release, as JSON: a rollback restores it. */
  config: string;
  /** JSON: service → artifact digest. */
  artifacts: string;
  /** JSON: the commits since the product's release before this one, newest first. */
  commits: string;
  created_at: EpochMs;
  created_by: string;
  pinned: 0 | 1;
  /** Artifacts have been removed by retention; the record stays. */
  pruned_at: EpochMs | null;
};

export type ArtifactRow = { digest: Digest; bytes: number; created_at: EpochMs };

export type DeploymentRow = {
  id: DeploymentId;
  product: string;
  environment: EnvironmentName;
  release_id: ReleaseId;
  /** What was live when it began; what it goes back to. */
  stable_id: ReleaseId | null;
  kind: "deploy" | "promotion" | "rollback";
  phase: string;
  /** JSON of the state machine. */
  state: string;
  /** Rises by one with every change; a writer that has an older one is refused. */
  version: number;
  /** The last reason, for a person. */
  reason: string;
  /** JSON: the commits between what was live in this environment and this release, newest first. */
  change_log: string;
  created_at: EpochMs;
  created_by: string;
  started_at: EpochMs | null;
  /** All traffic on the candidate. */
  live_at: EpochMs | null;
  /** A failure was seen. */
  detected_at: EpochMs | null;
  /** All traffic back on stable. */
  restored_at: EpochMs | null;
  ended_at: EpochMs | null;
};

/** Who, when, why: one row a change of state. Never changed, never removed. */
export type HistoryRow = {
  id: number;
  at: EpochMs;
  product: string;
  environment: EnvironmentName | null;
  deployment_id: DeploymentId | null;
  release_id: ReleaseId | null;
  /** `deployment.shifted`, `environment.locked`, `release.created` … */
  event: string;
  actor: string;
  reason: string;
  /** JSON with what was seen: the last probe, log lines, counts. */
  evidence: string;
};

export type EnvironmentRow = {
  product: string;
  name: EnvironmentName;
  /** The release at 100 %, or null before the first. */
  live_release_id: ReleaseId | null;
  locked_by: string | null;
  locked_reason: string | null;
  locked_at: EpochMs | null;
  /** JSON: which revisions should get which share of the traffic now (`Traffic` in core/deploy). The edge is brought to it. */
  traffic: string;
  updated_at: EpochMs;
};

/** What a person asked of a deployment under way, or a rule (`fail`); read by its workflow. */
export type RequestRow = {
  id: string;
  deployment_id: DeploymentId;
  kind: "cancel" | "pause" | "resume" | "promote" | "approve" | "reject" | "fail";
  actor: string;
  reason: string;
  created_at: EpochMs;
  handled_at: EpochMs | null;
};

/** A deployment that has waited, or waits, at its gates. Those that never had to have none. */
export type GatedRow = {
  deployment_id: DeploymentId;
  /** The release that its change log begins at: what was live when that was read. */
  compared_with: ReleaseId | null;
  /** What it does when all its gates are open but others are under way. */
  when_busy: "queue" | "replace" | "refuse";
  /** Why it passes the windows by; null: it keeps to them. */
  override_reason: string | null;
  /** Why the gate of an error budget is passed by; null: it holds. */
  override_budget_reason: string | null;
};

/** Somebody's yes to a deployment. Never changed, never removed. */
export type ApprovalRow = {
  id: string;
  deployment_id: DeploymentId;
  actor: string;
  reason: string;
  /** What was live then: what the person compared with. */
  live_id: ReleaseId | null;
  created_at: EpochMs;
};

/** An address at which one person may say yes or no to a deployment, once. Its proof is not here. */
export type ApprovalLinkRow = {
  id: string;
  deployment_id: DeploymentId;
  /** Who speaks with it. */
  person: string;
  created_by: string;
  created_at: EpochMs;
  expires_at: EpochMs;
  /** When a word was given with it. */
  used_at: EpochMs | null;
};

/** Every revision ever made; which role it has now decides traffic and what is kept. */
export type RevisionRow = {
  id: RevisionId;
  product: string;
  environment: EnvironmentName;
  service: ServiceName;
  release_id: ReleaseId;
  /** `candidate` and `stable` run; `warm` runs without traffic; `stopped` can be started again; `removed` is gone. */
  role: "candidate" | "stable" | "warm" | "stopped" | "removed";
  created_at: EpochMs;
  updated_at: EpochMs;
};

/** How many instances a service has been brought to in an environment, over all its releases. Without a row it was never scaled there. */
export type ScaleRow = {
  product: string;
  environment: EnvironmentName;
  service: ServiceName;
  /** How many take work. Rises when those that were started are healthy, falls before those that go are asked to stop. */
  instances: number;
  /** What it is being brought to by `operation`; both null at rest. */
  wanted: number | null;
  operation: string | null;
  /** `hand`: a person has said so, and it stays until one says otherwise. */
  mode: "auto" | "hand";
  /** JSON: what the autoscaler remembers of the past (`ScalePast` in core/scale). */
  past: string;
  /** Of the last change, for a person. */
  actor: string;
  reason: string;
  changed_at: EpochMs;
};

/** One version of a secret. Older ones stay as long as a release that is kept was made with them. */
export type SecretRow = {
  product: string;
  environment: EnvironmentName;
  name: string;
  /** 1, 2, 3 … of this name in this environment. */
  version: number;
  /** Enciphered with the key that lies beside the store; null: unset with this version, or no release needs it any more. */
  sealed: string | null;
  /** Keyed, so that it tells only whether two values are the same; empty when it was unset. */
  fingerprint: string;
  created_at: EpochMs;
  created_by: string;
};

/** The triggers in force. */
export type TriggerConfigRow = {
  product: string;
  /** Directory of the git repository on the control plane's machine, with the config. */
  repository: string;
  /** JSON of `TriggerSettings` in core/triggers. */
  settings: string;
  applied_at: EpochMs;
  applied_by: string;
  /** When the remote was last asked; null: never since they were applied. */
  polled_at: EpochMs | null;
  /** Why it could not be asked the last time, or null. */
  poll_error: string | null;
};

/** Something that was heard, and what it began or why not. The oldest are removed in time. */
export type TriggerEventRow = {
  id: string;
  /** 1, 2, 3 … of the product, in the order of hearing. */
  number: number;
  product: string;
  source: TriggerSource;
  /** What the source calls it: heard twice, it is the same. */
  delivery: string;
  /** Of the signed body, which cannot be sent again under another name; null where nothing is signed. */
  digest: string | null;
  /** JSON of `TriggerEvent` in core/triggers, or of a ping. */
  event: string;
  /** JSON of `Begun` in engine/triggers, or null when it begins nothing. */
  begin: string | null;
  phase: "ignored" | "begun" | "done" | "failed";
  /** What it begins, or why not, or how that ended; for a person. */
  reason: string;
  run_id: RunId | null;
  release_id: ReleaseId | null;
  deployment_id: DeploymentId | null;
  received_at: EpochMs;
  ended_at: EpochMs | null;
};

/** Where a ref stood when it was last heard of. */
export type TriggerRefRow = {
  product: string;
  /** `refs/heads/main` */
  ref: string;
  before: string | null;
  after: string;
};

/** What the forge was told of a run or deployment in one way, and what it still has to be told. */
export type ForgeReportRow = {
  subject: RunId | DeploymentId;
  channel: "status" | "check" | "deployment" | "comment";
  product: string;
  /** Of a comment: the pull request's number. */
  place: number | null;
  /** What the forge calls it; null before it is known. */
  remote_id: string | null;
  /** The state that it was told last; null: nothing yet. */
  told: string | null;
  /** How often telling it the newest has failed in a row, since when, and when it is tried again. */
  failures: number;
  since: EpochMs | null;
  next_at: EpochMs | null;
  /** Why it has failed the last time, or was given up. */
  error: string | null;
  /** Its end was told, or given up. */
  over: 0 | 1;
  updated_at: EpochMs;
};

/** An environment that a branch or pull request has: from before its first deployment until nothing of it is left. */
export type PreviewRow = {
  product: string;
  name: EnvironmentName;
  template: EnvironmentName;
  /** Whose it is: `refs/heads/cart`, `pull-request/12`. */
  ref: string;
  host: string;
  phase: PreviewPhase;
  /** The last change of its phase, for a person. */
  reason: string;
  made_at: EpochMs;
  made_by: string;
  /** The last push, or when somebody asked for it. */
  pushed_at: EpochMs;
  /** The last request, as far as anybody has seen it; to the minute. */
  asked_at: EpochMs | null;
  /** JSON of `Prepared` in engine/previews: what has been done for its data, and what is to be done when it goes. Null: nothing yet. */
  prepared: string | null;
  /** How many instances run, for what it costs; 0 while it sleeps. */
  instances: number;
  /** Instance milliseconds until `charged_at`. */
  instance_ms: number;
  charged_at: EpochMs;
};

/** What the previews of a template have run in a month, also those that are gone. */
export type PreviewCostRow = {
  product: string;
  template: EnvironmentName;
  /** `2026-11`, of UTC. */
  month: string;
  instance_ms: number;
};

export type WorkflowRow = {
  id: string;
  /** 1, 2, 3 … in the order of starting, whatever the clock did; decides whose turn it is among those with one lock key. */
  number: number;
  /** With its version: `deploy.v1`. */
  kind: string;
  status: "queued" | "running" | "succeeded" | "failed" | "cancelled";
  /** Workflows with the same key run one at a time, in the order in which they were started. */
  lock_key: string | null;
  input: string;
  output: string | null;
  error: string | null;
  cancel_reason: string | null;
  created_at: EpochMs;
  started_at: EpochMs | null;
  ended_at: EpochMs | null;
};

export type WorkflowStepRow = {
  workflow_id: string;
  seq: number;
  name: string;
  kind: "step" | "tx" | "sleep" | "wait";
  /** `pending`: a sleep or wait whose due time is fixed, or a step that failed and is tried again at `due_at`. */
  status: "pending" | "done" | "failed";
  /** How often a step or tx was performed to get this outcome; 0 for a sleep or wait. */
  attempts: number;
  output: string | null;
  error: string | null;
  due_at: EpochMs | null;
  started_at: EpochMs;
  ended_at: EpochMs | null;
};

export type WorkflowSignalRow = {
  id: number;
  workflow_id: string;
  topic: string;
  /** A second signal with the same key is the same signal. */
  key: string;
  payload: string;
  created_at: EpochMs;
  consumed_seq: number | null;
};

export type WorkflowScheduleRow = {
  name: string;
  cron: string;
  time_zone: string;
  kind: string;
  input: string;
  next_at: EpochMs;
  last_at: EpochMs | null;
};

/** A series whose past is kept. */
export type MetricSeriesRow = {
  id: number;
  metric: string;
  /** JSON of the labels, in a fixed order (`labelsKey`). */
  labels: string;
  /** How many counters it has; 0 is a number. */
  columns: number;
  created_at: EpochMs;
};

/** Some slots of a series at one level. Metrics may lose their last seconds when power fails: nothing rests on them. */
export type MetricChunkRow = {
  series_id: number;
  slot_ms: number;
  start_at: EpochMs;
  /** JSON, as `core/metric/slots.ts` writes it. */
  slots: string;
};
