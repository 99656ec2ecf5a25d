import type { ContainerSettings } from "./spec.ts";

/** What a container has that its successor cannot have at the same time; or that it was said so. */
export type LoneReason = "volumes" | "hostPorts" | "asked";

/** Why a revision cannot run beside its successor; null when it can. */
export function loneReason({ volumes, hostPorts, stopFirst }: ContainerSettings): LoneReason | null {
  // A port has room for one, whatever is asked.
  if (hostPorts.length > 0) return "hostPorts";
  if (stopFirst !== undefined) return stopFirst ? "asked" : null;
  return volumes.some(({ readOnly }) => !readOnly) ? "volumes" : null;
}
