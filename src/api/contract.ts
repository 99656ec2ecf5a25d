import { z } from "zod";
import { self } from "../core/actor.ts";
import type { Failure } from "../core/deploy/deployment.ts";
import type { Plan } from "../core/deploy/plan.ts";
import type { Evidence, WireError } from "../core/errors/error.ts";
import type { GateReading } from "../core/gates/reading.ts";
import type { DeploymentId, EnvironmentName, EpochMs, ReleaseId, RevisionId, RunId, ServiceName } from "../core/ids.ts";
import type { StepPhase } from "../core/pipeline/decide.ts";
import type { ScanVerdict } from "../core/pipeline/scan.ts";
import { type RunEvent, runEvents } from "../core/product/pipeline.ts";
import type { Restore } from "../core/recover/restore.ts";
import type { AccessoryState } from "../engine/accessories/state.ts";
import type { AccessoryOutcome } from "../engine/accessories/workflow.ts";
import type { AccessoryPlan } from "../engine/commands/accessories.ts";
import type { Scaled } from "../engine/commands/scale.ts";
import type { Left } from "../engine/deploy/stop-all.ts";
import type { GateEvidence } from "../engine/gates/evidence.ts";
import type { RuleReading } from "../engine/judge/standings.ts";
import type { MetricReading, ProbeReading, UptimeReading } from "../engine/metrics/view.ts";
import type { PipelineNow } from "../engine/pipeline/describe.ts";
import type { LogPiece } from "../engine/pipeline/read-log.ts";
import type { Reports } from "../engine/pipeline/read-reports.ts";
import type { PreviewsNow } from "../engine/previews/view.ts";
import type { ReleaseRecord } from "../engine/release/records.ts";
import type { ScaleReading } from "../engine/scale/standings.ts";
import type { ScaleOutcome } from "../engine/scale/workflow.ts";
import type { SecretView as KeptSecret } from "../engine/secrets/secrets.ts";
import type { TriggersNow } from "../engine/triggers/view.ts";
import type { CanaryView } from "./canary-view.ts";
import type { TransferView } from "./transfer-contract.ts";

/** What the CLI, the dashboard and scripts say to a control plane, and what they get back. Everything else is private. */
export const name = z.string().min(1).max(80);
export const person = z
  .string()
  .min(1)
  .max(120)
  .refine((who) => who !== self, `${self} is what does things by itself here, and nobody's name`);
export const reason = z.string().max(500);

/** What a CI says of its job. */
export const ciFactsBody = z.strictObject({
  ci: z.enum(["github", "gitlab", "jenkins", "woodpecker", "circleci"]),
  commit: z.string().regex(/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/),
  branch: z.string().max(255).nullable(),
  tag: z.string().max(255).nullable(),
  pullRequest: z.string().max(20).nullable(),
  actor: person.nullable(),
  url: z.string().max(2_000).nullable(),
});

/** Of who asks, so that a question that is asked again, because its answer was lost, begins nothing twice. */
const ownId = (prefix: "dep" | "run") => z.string().regex(new RegExp(`^${prefix}_[0-9a-f]{12}$`));

/** By name, each of the type that the config gives it, or a text that says the same. */
export const parametersBody = z.record(name, z.union([z.string().max(4_096), z.number(), z.boolean()]));

export const startRunBody = z.strictObject({
  /** The name that the run gets; where there is one of that name, it is answered. Default: a new one. */
  id: ownId("run").optional(),
  product: name,
  repository: z.string().min(1).max(4_096),
  revision: z.string().min(1).max(255),
  dirty: z.boolean(),
  actor: person,
  /** What of the pipeline, and why. Default: all of it, and a release when it has passed. */
  asked: z
    .strictObject({
      event: z.enum(runEvents),
      branch: z.string().min(1).max(255).nullable(),
      steps: z.array(z.string().max(200)).max(200),
      services: z.array(name).max(200),
      parameters: parametersBody,
      loadTest: name.optional(),
      cache: z.boolean(),
      release: z.boolean(),
      ci: ciFactsBody.optional(),
    })
    .optional(),
});
/** What can be asked of the pipeline of a commit, branch or tag. */
export const pipelineBody = z.strictObject({ product: name, revision: z.string().min(1).max(255) });
export const cancelRunBody = z.strictObject({ actor: person, reason });
export const runLogsQuery = z.object({
  step: z.string().max(200).optional(),
  follow: z.enum(["true", "false"]).optional(),
});
export const startDeploymentBody = z.strictObject({
  /** The name that the deployment gets; where there is one of that name, it is answered. Default: a new one. */
  id: ownId("dep").optional(),
  environment: name,
  release: z.string().max(80),
  kind: z.enum(["deploy", "promotion"]),
  actor: person,
  reason,
  whenBusy: z.enum(["queue", "replace", "refuse"]).optional(),
  /** Begin outside the windows and in a freeze; the reason says why. */
  overrideWindow: z.boolean().optional(),
  /** Begin although the error budget that is looked at is spent; the reason says why. */
  overrideBudget: z.boolean().optional(),
  /** Of the CI's job that asks for it; for the history. */
  ci: ciFactsBody.optional(),
});
/** Of a release, or of what one would be made of. */
export const planBody = z.union([
  z.strictObject({ environment: name, release: z.string().max(80) }),
  z.strictObject({
    environment: name,
    product: name,
    repository: z.string().min(1).max(4_096),
    revision: z.string().min(1).max(255),
    dirty: z.boolean(),
  }),
]);
export const rollbackBody = z.strictObject({
  product: name,
  environment: name,
  to: z.string().max(80).nullable(),
  force: z.boolean(),
  actor: person,
  reason,
  /** When the person asked, ms since 1970: what has gone back since then is the answer, so that it may be asked again. */
  askedAt: z.int().min(0).optional(),
});
export const rollbackPlanBody = z.strictObject({ product: name, environment: name });
export const askBody = z.strictObject({
  kind: z.enum(["cancel", "pause", "resume", "promote"]),
  actor: person,
  reason,
  /** With `promote`: only while the canary is at this step, counted from 1. */
  step: z.int().min(1).max(100).optional(),
});
/** Somebody's yes or no to a deployment that waits at its gates. */
export const wordBody = z.strictObject({
  verdict: z.enum(["approved", "rejected"]),
  actor: person,
  reason: reason.min(1),
  /** The id of what was live when the person looked; null: nothing was. */
  live: z.string().max(80).nullable().optional(),
});
/** A link at which one person may say yes or no, once. */
export const linkBody = z.strictObject({
  person,
  actor: person,
  forMs: z
    .int()
    .min(1_000)
    .max(14 * 86_400_000),
});
export const lockBody = z.strictObject({
  product: name,
  environment: name,
  actor: person,
  reason,
  locked: z.boolean(),
});
export const scaleBody = z.strictObject({
  product: name,
  environment: name,
  service: name,
  /** Null gives the number back to the config and to what is measured. */
  instances: z.int().min(1).max(100).nullable(),
  actor: person,
  reason,
});
export const scaleQuery = z.object({ product: name.optional(), environment: name.optional() });
const secretName = { product: name, environment: name, name: z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/) };
/** As large as an environment variable may be on Linux, with room for its name. */
const maxSecretChars = 100_000;
export const secretBody = z.strictObject({
  ...secretName,
  value: z.string().min(1).max(maxSecretChars),
  actor: person,
  reason,
});
export const unsetSecretBody = z.strictObject({ ...secretName, actor: person, reason });
const terminalSize = z.strictObject({
  columns: z.number().int().min(1).max(10_000),
  rows: z.number().int().min(1).max(10_000),
});
export const commandBody = z.strictObject({
  product: name,
  environment: name,
  service: name,
  instance: z.string().max(200).nullable(),
  release: z.string().max(80).nullable(),
  where: z.enum(["beside", "fresh"]),
  command: z.array(z.string().max(32_768)).min(1).max(256),
  terminal: terminalSize.nullable(),
  actor: person,
  reason,
});
export const resizeBody = terminalSize;
const accessoryName = {
  product: name,
  environment: name,
  name,
  what: z.enum(["restart", "replace"]),
};
export const accessoryPlanBody = z.strictObject(accessoryName);
export const accessoryBody = z.strictObject({ ...accessoryName, actor: person, reason });
export const backupBody = z.strictObject({ file: z.string().min(1).max(4_096) });
/** Queries come as text, and a key that is there twice as a list, which no route takes. */
export const productQuery = z.object({ product: name });
export const listQuery = z.object({
  product: name,
  environment: name.optional(),
  limit: z.coerce.number().int().min(1).optional(),
});
export const metricsQuery = z.object({
  environment: name.optional(),
  service: name.optional(),
  /** How far back the plots go. */
  windowS: z.coerce.number().int().min(30).max(7_200).default(300),
});
export const applyTriggersBody = z.strictObject({
  product: name,
  repository: z.string().min(1).max(4_096),
  actor: person,
});
export const beginTriggerBody = z.strictObject({ product: name, branch: z.string().min(1).max(255), actor: person });
export const createPreviewBody = z.strictObject({
  product: name,
  branch: z.string().min(1).max(255),
  /** Left out where there is one. */
  template: name.optional(),
  actor: person,
});
export const previewBody = z.strictObject({ product: name, name, actor: person, reason });
export const rulesQuery = z.object({ environment: name.optional() });
export const uptimeQuery = z.object({
  environment: name.optional(),
  service: name.optional(),
  days: z.coerce.number().int().min(1).max(31).default(30),
});
export const logsQuery = z.object({
  environment: name.optional(),
  service: name.optional(),
  revision: z.string().max(200).optional(),
  tail: z.coerce.number().int().min(0).optional(),
  follow: z.enum(["true", "false"]).optional(),
});
export const pinBody = z.strictObject({ pinned: z.boolean(), actor: person, reason });
export const stopBody = z.strictObject({ everything: z.boolean() });
/** Who ends now, and what still runs though everything was to stop. */
export type StopView = { readonly pid: number; readonly left: readonly Left[] };

export type StartRunBody = z.infer<typeof startRunBody>;
export type StartDeploymentBody = z.infer<typeof startDeploymentBody>;
export type RollbackBody = z.infer<typeof rollbackBody>;
export type AskBody = z.infer<typeof askBody>;
export type CommandBody = z.infer<typeof commandBody>;
export type LockBody = z.infer<typeof lockBody>;

export type RunView = {
  readonly id: RunId;
  readonly product: string;
  readonly phase: "queued" | "checking" | "building" | "succeeded" | "failed";
  readonly reason: string;
  readonly error: WireError | null;
  readonly release: ReleaseId | null;
  readonly commit: string;
  readonly event: RunEvent;
  readonly createdAt: EpochMs;
  readonly createdBy: string;
  readonly endedAt: EpochMs | null;
  /** How many steps of its pipeline stand how. */
  readonly counts: Readonly<Partial<Record<StepPhase, number>>>;
};

/** A run with the steps of its pipeline; none where it has no pipeline. */
export type RunDetail = RunView & {
  readonly steps: readonly StepView[];
  /** Images on their way to registries. */
  readonly transfers: readonly TransferView[];
};

export type StepView = {
  readonly number: number;
  readonly id: string;
  readonly service: ServiceName | null;
  readonly needs: readonly string[];
  readonly phase: StepPhase;
  readonly reason: string;
  readonly allowFailure: boolean;
  readonly attempt: number;
  readonly startedAt: EpochMs | null;
  readonly endedAt: EpochMs | null;
  /** While it runs: what it has printed last, without colours. */
  readonly lastLine: string | null;
  /** When it has ended: the last lines of its log, without colours. */
  readonly lines: readonly string[];
  /** Tests, coverage and findings of its reports; null where it has none, or has not ended. */
  readonly reports: ReportsView | null;
  /** What it has left to be looked at; null where it has none. */
  readonly artifacts: { readonly bytes: number; readonly files: number } | null;
  /** Of a scan step that has looked: why it has passed or not, what stops it, and which waivers hold or are over. */
  readonly scan: ScanView | null;
};

export type PipelineView = PipelineNow;
export type ReportsView = Reports;
export type ScanView = Omit<ScanVerdict, "fingerprints">;

/** A piece of a step's log, as it was printed: colours and all. */
export type LogPieceView = LogPiece;

export type ReleaseView = {
  readonly id: ReleaseId;
  readonly product: string;
  readonly number: number;
  readonly version: string;
  readonly commit: string;
  readonly dirty: boolean;
  readonly subject: string;
  readonly author: string;
  readonly createdAt: EpochMs;
  readonly createdBy: string;
  readonly pinned: boolean;
  readonly pruned: boolean;
  /** Environments where it is at 100 %. */
  readonly live: readonly EnvironmentName[];
  /** How it has fared, in each environment that it was deployed to. */
  readonly records: readonly ReleaseRecord[];
};

export type HistoryView = {
  readonly at: EpochMs;
  readonly environment: EnvironmentName | null;
  readonly deployment: DeploymentId | null;
  readonly event: string;
  readonly actor: string;
  readonly reason: string;
  readonly evidence: readonly Evidence[];
};

export type DeploymentView = {
  readonly id: DeploymentId;
  readonly product: string;
  readonly environment: EnvironmentName;
  readonly kind: "deploy" | "promotion" | "rollback";
  readonly release: {
    readonly id: ReleaseId;
    readonly number: number;
    readonly version: string;
    readonly subject: string;
  };
  readonly stable: { readonly id: ReleaseId; readonly number: number; readonly version: string } | null;
  readonly phase: string;
  readonly ended: boolean;
  readonly reason: string;
  readonly failure: Failure | null;
  readonly bakeUntil: EpochMs | null;
  /** How far a canary is; null for other deployments. */
  readonly canary: CanaryView | null;
  /** While it waits at its gates, or at those of a canary's step: how each stands. Else null. */
  readonly gates: readonly GateReading[] | null;
  readonly createdAt: EpochMs;
  readonly createdBy: string;
  readonly startedAt: EpochMs | null;
  /** The first share of traffic was on the candidate. */
  readonly exposedAt: EpochMs | null;
  readonly liveAt: EpochMs | null;
  readonly detectedAt: EpochMs | null;
  readonly restoredAt: EpochMs | null;
  /** Of an automatic rollback that is over: what it took, against the budget of each service. */
  readonly restore: Restore | null;
  readonly endedAt: EpochMs | null;
};

/** A deployment with the steps it has taken. */
export type DeploymentDetail = DeploymentView & {
  readonly history: readonly HistoryView[];
  readonly services: readonly ServiceTraffic[];
  /** Images on their way to hosts. */
  readonly transfers: readonly TransferView[];
  /** What it waits for at this moment: accessories that are not well yet, and what is seen of them. */
  readonly awaits: readonly { readonly what: string; readonly seen: string }[];
};

export type ServiceTraffic = {
  readonly service: ServiceName;
  /** Within which numbers the live release's instances come and go: `1–3`, `by hand`; null where its config says one number. */
  readonly limits: string | null;
  readonly revisions: readonly {
    readonly revision: RevisionId;
    readonly release: ReleaseId;
    readonly number: number;
    readonly role: string;
    /** Hundredths of a percent; null for a service that takes no requests. */
    readonly weight: number | null;
    readonly instances: readonly InstanceView[];
    readonly requests: number;
    readonly errors: number;
  }[];
};

export type InstanceView = {
  readonly id: string;
  /** Which of the target's hosts it is on; null where there is only one. */
  readonly host: string | null;
  readonly state: string;
  readonly address: string | null;
  /** When its place was seen last; null: it is seen now. */
  readonly lastSeen: EpochMs | null;
  readonly restarts: number;
  /** As it answers its health check now, past the edge; null: not known, or it takes no requests. */
  readonly healthy: boolean | null;
  readonly cpu: number | null;
  readonly memoryBytes: number | null;
};

export type EnvironmentView = {
  readonly product: string;
  readonly name: EnvironmentName;
  readonly url: string | null;
  readonly live: {
    readonly id: ReleaseId;
    readonly number: number;
    readonly version: string;
    readonly subject: string;
    readonly commit: string;
    readonly since: EpochMs;
    /** Who asked for the deployment that made it live; null where that is not known any more. */
    readonly by: string | null;
  } | null;
  readonly locked: { readonly by: string; readonly reason: string; readonly at: EpochMs } | null;
  readonly deployment: DeploymentView | null;
  /** The newest automatic rollback: whether users were off the bad release soon enough. Null before the first. */
  readonly restore: { readonly at: EpochMs; readonly met: boolean; readonly reason: string } | null;
  readonly queued: number;
  /** Those that wait at their gates, oldest first; they hold nothing. */
  readonly gated: readonly DeploymentView[];
  readonly services: readonly ServiceTraffic[];
  readonly accessories: readonly AccessoryView[];
  /** Rules that fire now. */
  readonly firing: readonly { readonly rule: string; readonly says: string }[];
  /** Hosts that do not answer, and what is done about them. */
  readonly away: readonly { readonly host: string; readonly says: string }[];
  /** Certificates of its edge that are not well, as they were seen last. */
  readonly certificates: readonly { readonly hosts: readonly string[]; readonly is: string; readonly says: string }[];
};

export type StatusView = {
  readonly version: string;
  readonly pid: number;
  readonly startedAt: EpochMs;
  readonly edge: { readonly generation: number; readonly sampleAgeMs: number | null } | null;
  readonly environments: readonly EnvironmentView[];
};

/** What a person is shown before they say yes. */
export type EvidenceView = GateEvidence;
export type PlanView = Plan;
/** What going back would mean now: the deployment under way is called off, or a release is deployed again. */
export type RollbackPlanView =
  | { readonly is: "call off"; readonly deployment: DeploymentView }
  | { readonly is: "release"; readonly release: ReleaseId; readonly plan: PlanView };

/** Names and versions; a value is never given out. */
export type SecretView = KeptSecret;
export type AccessoryView = AccessoryState;
export type AccessoryPlanView = AccessoryPlan;
/** One restart or replacement; `outcome` is null until it has ended. */
export type AccessoryWorkView = { readonly id: string; readonly outcome: AccessoryOutcome | null };

export type CheckView = {
  readonly name: string;
  readonly ok: boolean;
  readonly says: string;
  readonly hint: string | null;
};
export type ErrorBody = { readonly error: WireError };

/** What is measured now. Everything may be unknown, which is neither zero nor good. */
/** The rules in force, as they stood at the last look. */
export type RulesView = { readonly at: EpochMs; readonly rules: readonly RuleReading[] };

/** How many instances the live services have, within which limits, and why. */
export type ScalesView = { readonly at: EpochMs; readonly services: readonly ScaleReading[] };
/** One change of a number of instances; `outcome` is null until it has ended. */
export type ScaleWorkView = { readonly id: string; readonly outcome: ScaleOutcome | null };
export type ScaledView = Scaled;

/** The triggers in force, and what was heard last. */
export type TriggersView = TriggersNow;

/** The previews there are, and what is in force for them. */
export type PreviewsView = PreviewsNow;

export type MetricsView = {
  readonly at: EpochMs;
  readonly metrics: readonly MetricReading[];
  readonly probes: readonly ProbeReading[];
};

export type UptimeView = { readonly at: EpochMs; readonly days: number; readonly uptime: readonly UptimeReading[] };
