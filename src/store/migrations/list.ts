import { spine } from "./001-spine.ts";
import { metrics } from "./002-metrics.ts";
import { secrets } from "./003-secrets.ts";
import { pipeline } from "./004-pipeline.ts";
import { gates } from "./005-gates.ts";
import { scale } from "./006-scale.ts";
import { triggers } from "./007-triggers.ts";
import { forge } from "./008-forge.ts";
import { previews } from "./009-previews.ts";
import { approvalLinks } from "./010-approval-links.ts";
import { flags } from "./011-flags.ts";
import { agents } from "./012-agents.ts";
import { budgetGate } from "./013-budget-gate.ts";
import type { Migration } from "./migration.ts";

/** Every schema there has been, oldest first. A new one is added at the end, with golden rows in `golden.ts`. */
export const migrations: readonly Migration[] = [
  spine,
  metrics,
  secrets,
  pipeline,
  gates,
  scale,
  triggers,
  forge,
  previews,
  approvalLinks,
  flags,
  agents,
  budgetGate,
];
