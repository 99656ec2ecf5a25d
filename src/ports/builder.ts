import type { Digest, ServiceName } from "../core/ids.ts";
import type { Secret } from "../core/secret.ts";
import type { ImageArtifact } from "./target.ts";

/** What the planner may ask of a builder. What is false is refused with words before anything is built. */
export type BuilderCan = {
  /** Mounts a secret for one instruction; it is in no layer and no history. */
  readonly secrets: boolean;
  /** `os/arch[/variant]` whose programs it can run in a build. */
  readonly platforms: readonly string[];
  /** Builds for any other too, where nothing of it is run. */
  readonly foreign: boolean;
  readonly cacheMounts: boolean;
};

export type BuildSpec = {
  readonly product: string;
  readonly service: ServiceName;
  /** Directory of a clean checkout; `.dockerignore` in it is honoured, `<Dockerfile>.dockerignore` before it. */
  readonly context: string;
  /** Top of the checkout, where a Dockerfile may be that is not inside the context. Default: the context. */
  readonly checkout?: string;
  /** Relative to the context, inside the checkout; null has one generated for what is found there. */
  readonly dockerfile: string | null;
  /**
   * For a service that is files and no program: what is served, relative to the context, after it was built where there is a
   * build script. Only for a generated Dockerfile.
   */
  readonly site?: { readonly directory: string; readonly fallback: string | null } | null;
  /** Stage to build; null is the last. */
  readonly stage: string | null;
  readonly args: Readonly<Record<string, string>>;
  readonly secrets: Readonly<Record<string, Secret>>;
  /** Empty: the builder's own. */
  readonly platforms: readonly string[];
  /** Also `org.opencontainers.image.*`. */
  readonly labels: Readonly<Record<string, string>>;
  /** Argument array the service is started with; a generated Dockerfile makes it its CMD. */
  readonly command: readonly string[];
  /** Port a generated Dockerfile exposes and asks for health; null for a service that does not listen. */
  readonly port: number | null;
  readonly healthPath: string | null;
  readonly timeoutMs: number;
};

export type BuiltImage = {
  readonly image: ImageArtifact;
  readonly bytes: number;
  readonly platforms: readonly string[];
  /** The Dockerfile it was made with, as written or as generated. */
  readonly dockerfile: string;
  /** Content of the attached documents in the layout: SPDX or CycloneDX, and SLSA v1 provenance. */
  readonly sbom: Digest | null;
  readonly provenance: Digest | null;
};

/** Makes images. */
export interface Builder {
  readonly name: string;
  /** Asks the engine. Errors: HOST_AWAY. */
  can(signal: AbortSignal): Promise<BuilderCan>;
  /**
   * Refuses what `build` of the same would refuse before it sends anything: a platform or a secret that it cannot, a Dockerfile that is
   * not there. Reads the context; changes nothing; may be repeated. Errors: IMAGE_WRONG_PLATFORM, BUILD_FAILED, HOST_AWAY.
   */
  check(spec: BuildSpec, signal: AbortSignal): Promise<void>;
  /**
   * Builds and keeps the image, with its documents, in the store's image layout. May be repeated: what is unchanged comes from
   * the layer cache. `onLine` gets the build's output, secrets masked. Errors: BUILD_FAILED, HOST_AWAY, DISK_FULL.
   */
  build(spec: BuildSpec, onLine: (line: string) => void, signal: AbortSignal): Promise<BuiltImage>;
  close(): Promise<void>;
}
