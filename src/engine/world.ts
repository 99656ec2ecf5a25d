import type { ProductConfig } from "../core/product/schema.ts";
import type { Clock } from "../ports/clock.ts";
import type { Engine } from "../ports/engine.ts";
import type { Log } from "../ports/log.ts";
import type { Prober } from "../ports/probe.ts";
import type { Source } from "../ports/source.ts";
import type { Store } from "../ports/store.ts";
import type { Changes } from "./history.ts";
import type { Judges } from "./judge/judges.ts";
import type { Metrics } from "./metrics/metrics.ts";
import type { KeptArtifacts } from "./release/artifacts.ts";
import type { ImageWorks } from "./release/images.ts";
import type { Targets } from "./targets.ts";
import type { EdgeSites } from "./traffic/sites.ts";

/** Everything the engine's parts act through. Made once, in the place that wires the drivers. */
export type World = {
  readonly store: Store;
  readonly engine: Engine;
  readonly targets: Targets;
  readonly edges: EdgeSites;
  readonly judges: Judges;
  readonly prober: Prober;
  readonly source: Source;
  readonly artifacts: KeptArtifacts;
  readonly images: ImageWorks;
  readonly changes: Changes;
  readonly metrics: Metrics;
  readonly clock: Clock;
  /** Twelve hex digits that nobody has had before: the random part of an id. */
  readonly newId: () => string;
  readonly log: Log;
  /** Reads and checks the config in a checkout. Errors: CONFIG_*. */
  readonly readConfig: (directory: string) => Promise<ProductConfig>;
  /** Where runs have their workspaces and logs. */
  readonly runsDirectory: string;
  /** Command that serves a static service's directory on PORT. */
  readonly staticCommand: (fallbackFile: string | null) => readonly string[];
};
