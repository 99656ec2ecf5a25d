import type { Secret } from "../../../core/secret.ts";
import type { PreparedContext } from "./context/prepare.ts";
import type { Output } from "./output.ts";

export type RegistryLogin = { readonly user: string; readonly password: Secret };
/** For base images that are not public, by the registry's host name; null asks as nobody. */
export type LoginOf = (registry: string) => Promise<RegistryLogin | null>;

/** One build, whichever way it is done. */
export type Job = {
  /** The name under which the engine keeps the image. */
  readonly tag: string;
  readonly context: PreparedContext;
  readonly stage: string | null;
  readonly platform: string | null;
  readonly args: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly secrets: Readonly<Record<string, Secret>>;
  readonly login: LoginOf;
  readonly output: Output;
};

export type BuildResult = {
  /** The image's id on the engine. */
  readonly id: string;
  /** Images that are only kept as cache, and would lie around without a name. */
  readonly stages: readonly string[];
};

/** The engine's own words for why there is no image. */
export class BuildRefused extends Error {
  override readonly name = "BuildRefused";
}
