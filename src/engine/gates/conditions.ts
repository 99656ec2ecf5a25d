import { type EnvironmentCondition, parseGateCondition } from "../../core/gates/condition.ts";
import type { EnvironmentName, ReleaseId } from "../../core/ids.ts";
import { evaluate, queriesOf, quietRule } from "../../core/judge/rule/evaluate.ts";
import type { DeploymentRow } from "../../ports/tables.ts";
import { findEnvironment } from "../environment.ts";
import { lookAtWindows } from "../judge/windows.ts";
import type { World } from "../world.ts";
import { policiesIn } from "./read.ts";

/** Looks at what the gates of a release ask of what is live there. Outside of every transaction. */
export async function refreshConditions(
  world: Pick<World, "store" | "clock" | "metrics" | "seenConditions">,
  at: Pick<DeploymentRow, "product" | "environment" | "release_id">,
): Promise<void> {
  const { db } = world.store;
  const live = (await findEnvironment(db, at))?.live_release_id ?? null;
  const policies = await policiesIn(db, { release: at.release_id, environment: at.environment, live });
  const texts = new Set(policies.flatMap(({ gates }) => gates.conditions ?? []));
  if (texts.size === 0) return;
  const looks = await Promise.all([...texts].map((text) => lookAtCondition(world, text, { ...at, live })));
  world.seenConditions.note(at, looks);
}

/** How one stands now, of what is live. */
export async function lookAtCondition(
  { clock, metrics }: Pick<World, "clock" | "metrics">,
  text: string,
  { environment, live }: { readonly environment: EnvironmentName; readonly live: ReleaseId | null },
): Promise<EnvironmentCondition> {
  const parsed = parseGateCondition(text, null, "environment");
  const at = clock.now();
  // A later version may know more words than this one: what is not understood does not hold.
  if (parsed.is === "wrong") return { text, look: { is: "unknown", reason: parsed.why }, at };
  if (live === null) return { text, look: { is: "firing", reason: "nothing is live there yet" }, at };
  const now = metrics.time.now();
  const windows = await lookAtWindows(metrics, queriesOf(parsed.rule, { environment, release: live }), {
    before: [],
    now,
  });
  const seen = windows.map(({ measured }) => measured);
  const { is, reason } = evaluate(parsed.rule, seen, quietRule, now);
  return { text, look: { is, reason }, at };
}
