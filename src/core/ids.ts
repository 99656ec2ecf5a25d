/**
 * Identifiers of the things Slipway keeps. Each is branded, so one cannot be passed where another is meant, and prefixed,
 * so a person who meets one in a log knows what it names. `core` never makes one up: the caller passes the random part in.
 */
declare const brand: unique symbol;
type Id<Name extends string> = string & { readonly [brand]: Name };

export type RunId = Id<"run">; // run_…
export type ReleaseId = Id<"release">; // rel_…
export type DeploymentId = Id<"deployment">; // dep_…
export type RevisionId = Id<"revision">; // rev_…: one service of one release in one environment
export type InstanceId = Id<"instance">; // <revision>.<index>
export type ServiceName = Id<"service">;
export type EnvironmentName = Id<"environment">;
/** `sha256:<64 hex>` of the content. */
export type Digest = `sha256:${string}`;

/** Milliseconds since 1970-01-01T00:00:00Z. */
export type EpochMs = number;

/** What may be written to a journal or a JSON column and read back the same. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json | undefined };

/** Names of services and environments in configs, URLs, labels and paths: DNS-label safe. Environments may hold one `/`. */
export const namePattern = /^[a-z][a-z0-9-]{0,39}$/;

export const serviceName = (text: string): ServiceName => text as ServiceName;
export const environmentName = (text: string): EnvironmentName => text as EnvironmentName;
export const runId = (text: string): RunId => text as RunId;
export const releaseId = (text: string): ReleaseId => text as ReleaseId;
export const deploymentId = (text: string): DeploymentId => text as DeploymentId;
export const revisionId = (text: string): RevisionId => text as RevisionId;
export const instanceId = (revision: RevisionId, index: number): InstanceId => `${revision}.${index}` as InstanceId;
