import type { ContainerSettings } from "./spec.ts";

/** What a container has that its successor cannot have at the same time. */
export type LoneReason = "volumes" | "hostPorts";

/** Why a revision cannot run beside its successor; null when it can. */
export function loneReason({ volumes, hostPorts }: ContainerSettings): LoneReason | null {
  if (hostPorts.length > 0) return "hostPorts";
  return volumes.some(({ readOnly }) => !readOnly) ? "volumes" : null;
}
