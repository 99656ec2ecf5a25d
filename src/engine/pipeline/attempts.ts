import type { PipelineStep } from "../../core/pipeline/step.ts";
import type { World } from "../world.ts";

/** In which attempt it was, with why there may be several. */
export function again({ retryReason }: Pick<PipelineStep, "retryReason">, attempt: number): string {
  return `in attempt ${attempt}${retryReason === null ? "" : ` (${retryReason})`}`;
}

/** The pause after an attempt, twice as long each time. */
export function untilNext(
  { clock }: Pick<World, "clock">,
  { retryWaitMs }: Pick<PipelineStep, "retryWaitMs">,
  attempt: number,
  signal: AbortSignal,
): Promise<void> {
  return clock.sleep(retryWaitMs * 2 ** (attempt - 1), signal);
}
