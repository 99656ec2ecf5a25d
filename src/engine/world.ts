import type { BudgetLook } from "../core/gates/budget.ts";
import type { EnvironmentCondition } from "../core/gates/condition.ts";
import type { ProductConfig } from "../core/product/schema.ts";
import type { Secret } from "../core/secret.ts";
import type { Clock } from "../ports/clock.ts";
import type { Engine } from "../ports/engine.ts";
import type { Executor } from "../ports/executor.ts";
import type { OpenForge } from "../ports/forge.ts";
import type { Log } from "../ports/log.ts";
import type { Notifier } from "../ports/notifier.ts";
import type { Prober } from "../ports/probe.ts";
import type { Vault } from "../ports/secrets.ts";
import type { Source } from "../ports/source.ts";
import type { Store } from "../ports/store.ts";
import type { AlertDesk } from "./alerts/desk.ts";
import type { CertificateReadings } from "./certificates/readings.ts";
import type { SeenChecks } from "./forge/seen-checks.ts";
import type { SeenLooks } from "./gates/seen-looks.ts";
import type { StepConditions } from "./gates/step-conditions.ts";
import type { Changes } from "./history.ts";
import type { Judges } from "./judge/judges.ts";
import type { RuleStandings } from "./judge/standings.ts";
import type { Metrics } from "./metrics/metrics.ts";
import type { SharedSteps } from "./pipeline/cache/shared.ts";
import type { StepCache } from "./pipeline/cache/store.ts";
import type { LiveSteps } from "./pipeline/live.ts";
import type { ReadStack } from "./pipeline/step-container.ts";
import type { KeptArtifacts } from "./release/artifacts.ts";
import type { ImageWorks } from "./release/images.ts";
import type { Transfers } from "./release/transfers.ts";
import type { ScaleStandings } from "./scale/standings.ts";
import type { Targets } from "./targets.ts";
import type { EdgeSites } from "./traffic/sites.ts";

/** What releases keep sealed. */
export type Sealed = {
  /** A text that is not sealed comes back as it is. Errors: SECRET_UNREADABLE. */
  readonly open: (text: string) => string | Secret;
  /** The mark that a file of the working tree, or `$NAME` of our environment, has now; null when it is not there. */
  readonly markNow: (workingTree: string, path: string) => string | null;
};

/** Everything the engine's parts act through. Made once, in the place that wires the drivers. */
export type World = {
  readonly store: Store;
  readonly engine: Engine;
  readonly targets: Targets;
  readonly edges: EdgeSites;
  readonly judges: Judges;
  readonly notifier: Notifier;
  readonly prober: Prober;
  readonly source: Source;
  readonly executor: Executor;
  readonly openForge: OpenForge;
  /** How the checks were at the forge, of commits that wait for them. */
  readonly seenChecks: SeenChecks;
  /** How much was left of error budgets that are waited for. */
  readonly seenBudgets: SeenLooks<BudgetLook>;
  /** How what environments ask of what is live stood, where it is waited for. */
  readonly seenConditions: SeenLooks<EnvironmentCondition>;
  readonly stepCache: StepCache;
  readonly sharedSteps: SharedSteps;
  /** What the steps of runs say at this moment. */
  readonly live: LiveSteps;
  readonly artifacts: KeptArtifacts;
  readonly images: ImageWorks;
  /** Images on their way at this moment. */
  readonly transfers: Transfers;
  readonly vault: Vault;
  readonly changes: Changes;
  readonly metrics: Metrics;
  readonly alerts: AlertDesk;
  /** How the rules in force stood at the last look. */
  readonly standings: RuleStandings;
  /** How what steps of canaries have to show stood at the last look. */
  readonly stepConditions: StepConditions;
  /** What was decided of the services that scale, in the last look. */
  readonly scalings: ScaleStandings;
  /** How the certificates of edges stood at the last look. */
  readonly certificates: CertificateReadings;
  readonly clock: Clock;
  /** Twelve hex digits that nobody has had before: the random part of an id. */
  readonly newId: () => string;
  readonly log: Log;
  /**
   * Reads and checks the config in a checkout. What a Compose file needs and is not in git is looked for in the working tree, and is
   * sealed in what is answered. Errors: CONFIG_*.
   */
  readonly readConfig: (directory: string, workingTree: string) => Promise<ProductConfig>;
  /** Reads a Compose file of a checkout as what runs for a step. Never throws for what the file says. */
  readonly readStack: ReadStack;
  readonly sealed: Sealed;
  /** Where previews have their data, and what makes it. */
  readonly previewsDirectory: string;
  /** Where runs have their workspaces and logs. */
  readonly runsDirectory: string;
  /** Command that serves a static service's directory on PORT. */
  readonly staticCommand: (fallbackFile: string | null) => readonly string[];
};
