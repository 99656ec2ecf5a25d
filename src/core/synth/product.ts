import type { FoundFiles } from "../build/dockerfile/recipe.ts";
import type { Parameter } from "../pipeline/parameter.ts";
import type { PipelineStep } from "../pipeline/step.ts";
import type { EnvironmentSpec } from "../product/spec.ts";
import type { SynthSettings } from "./settings.ts";

/** A step with what is really run, as it is found in the working tree. */
export type SynthStep = {
  readonly step: PipelineStep;
  /** One after the other, while they pass. */
  readonly commands: readonly (readonly string[])[];
  /** Relative to the config's directory. */
  readonly directory: string;
};

/** What is found in the path of a service. Files that synth has written are not there. */
export type ServiceTree = {
  readonly found: FoundFiles;
  /** The Dockerfile that a person has written, relative to the service's path. */
  readonly dockerfile: string | null;
  readonly ignore: boolean;
};

/** All that the files are made from. Two products that are equal in this give equal files. */
export type SynthProduct = {
  readonly settings: SynthSettings;
  readonly name: string;
  /** What docker-compose.prod.yml, the Caddyfile and the template are of. */
  readonly environment: EnvironmentSpec;
  readonly environments: readonly EnvironmentSpec[];
  /** In an order in which they can be run one after the other. */
  readonly steps: readonly SynthStep[];
  /** What may be said when a run is begun by hand; none where there is no step that could read it. */
  readonly parameters: readonly Parameter[];
  readonly services: Readonly<Record<string, ServiceTree>>;
  /** What git has, relative to the top of the repository. */
  readonly files: readonly string[];
  /** The config's directory, relative to the top of the repository; `.` is that. */
  readonly prefix: string;
  /** What is run to set up: which majors, null where there is none of it. */
  readonly node: string | null;
  readonly python: string | null;
};

/** A path beside the config, seen from the top of the repository. */
export function fromTop({ prefix }: Pick<SynthProduct, "prefix">, path: string): string {
  if (prefix === ".") return path;
  return path === "." ? prefix : `${prefix}/${path}`;
}
