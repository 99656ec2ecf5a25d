import type { ServiceName } from "../ids.ts";
import { loneReason } from "../product/lone.ts";
import type { EnvironmentSpec, ServiceSpec } from "../product/spec.ts";

/** How many instances of a service an environment has been brought to, over all its releases. */
export type Held = {
  readonly instances: number;
  /** `hand`: a person has said so, and it stays until one says otherwise. */
  readonly mode: "auto" | "hand";
};

/** By service; a service that is not in it has never been scaled there. */
export type HeldCounts = ReadonlyMap<ServiceName, Held>;

export const nothingHeld: HeldCounts = new Map();

/** Whether a second instance could not run beside the first. */
export function isLone({ target }: Pick<EnvironmentSpec, "target">, { container }: ServiceSpec): boolean {
  return target.driver === "docker" && loneReason(container) !== null;
}

/**
 * How many instances of a release's service there should be at rest: as many as a person has said; else as many as there are, within
 * the release's own limits; else as many as its config says.
 */
export function instancesNow(
  spec: Pick<EnvironmentSpec, "target">,
  service: ServiceSpec,
  held: Held | undefined,
): number {
  if (service.kind === "job") return 1;
  if (held === undefined || isLone(spec, service)) return service.instances;
  if (held.mode === "hand") return held.instances;
  const { scale } = service;
  if (scale === undefined || scale.suggest) return service.instances;
  return Math.min(scale.max, Math.max(scale.min, held.instances));
}

/** Within which numbers it is at home, for a person: `1–3`, `1–3 suggested`, `by hand`. Null: its config says one number. */
export function limitsText({ scale }: Pick<ServiceSpec, "scale">, held: Held | undefined): string | null {
  const limits = scale === undefined ? null : `${scale.min}–${scale.max}${scale.suggest ? " suggested" : ""}`;
  if (held?.mode === "hand") return limits === null ? "by hand" : `${limits} by hand`;
  return limits;
}
