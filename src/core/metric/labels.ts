import type { EnvironmentName, InstanceId, ReleaseId, RevisionId, ServiceName } from "../ids.ts";

/** What a sample is about. A label that does not apply is left out: an environment's uptime has no service. */
export type Labels = {
  readonly environment?: EnvironmentName;
  readonly service?: ServiceName;
  readonly revision?: RevisionId;
  readonly release?: ReleaseId;
  readonly instance?: InstanceId;
  readonly host?: string;
  /** Name of the declared probe or metric that it comes from. */
  readonly probe?: string;
};

/** Series that carry all of these labels with these values, whatever else they carry. `null`: those without that label. */
export type Selector = { readonly [Label in keyof Labels]?: Labels[Label] | null };

/** Always in this order, so that the same labels have the same key. */
export const labelNames = ["environment", "service", "revision", "release", "instance", "host", "probe"] as const;

export function matches(labels: Labels, selector: Selector): boolean {
  return labelNames.every((name) => selector[name] === undefined || (labels[name] ?? null) === selector[name]);
}

/** The same for the same labels and only for those. */
export function labelsKey(labels: Labels): string {
  return JSON.stringify(labelNames.map((name) => labels[name] ?? null));
}

/** `production api rev_1 orders-db`: what a person needs to know which series this is. */
export function labelsText({ environment, service, revision, instance, host, probe }: Labels): string {
  const parts = [environment, service, instance ?? revision, host, probe];
  return parts.filter((part) => part !== undefined).join(" ");
}
