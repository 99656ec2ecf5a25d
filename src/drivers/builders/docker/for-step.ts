import { officialBases } from "../../../core/build/dockerfile/recipe.ts";
import { SlipwayError } from "../../../core/errors/error.ts";
import { serviceName } from "../../../core/ids.ts";
import type { Docker } from "../../../lib/docker/docker.ts";
import type { BuildSpec } from "../../../ports/builder.ts";
import { buildByBuildKit } from "./buildkit/build.ts";
import { buildKitPlatforms, saysNoBuildKit } from "./buildkit/workers.ts";
import { refuseWhatClassicCannot } from "./checks.ts";
import { buildClassic } from "./classic.ts";
import { oldestFileMs, prepareContext } from "./context/prepare.ts";
import { translate } from "./errors.ts";
import type { Job } from "./job.ts";
import { Output } from "./output.ts";

/** What is built, all of it in the checkout. */
export type StepImage = {
  /** As messages name it. */
  readonly name: string;
  readonly tag: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly checkout: string;
  readonly context: string;
  /** Null: `Dockerfile` in the context. */
  readonly dockerfile: string | null;
  readonly stage: string | null;
  readonly args: Readonly<Record<string, string>>;
};

/**
 * Builds an image that stays on the engine, under its tag, until somebody removes it: for a step's services, whose engine it is. Its
 * layers stay in the engine's cache. Errors: BUILD_FAILED, HOST_AWAY.
 */
export async function buildForStep(
  docker: Docker,
  { name, tag, labels, checkout, context, dockerfile, stage, args }: StepImage,
  onLine: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const service = serviceName(name);
  const output = new Output(onLine, []);
  const spec: BuildSpec = {
    product: "pipeline",
    service,
    context,
    checkout,
    dockerfile: dockerfile ?? "Dockerfile",
    stage,
    args,
    secrets: {},
    platforms: [],
    labels,
    command: [],
    port: null,
    healthPath: null,
    // Whoever asks has a limit.
    timeoutMs: Number.POSITIVE_INFINITY,
  };
  try {
    const prepared = await prepareContext(spec, { bases: officialBases, cacheMounts: false, modifiedAt: oldestFileMs });
    const job: Job = {
      tag,
      context: prepared,
      stage,
      platform: null,
      args,
      labels,
      secrets: {},
      login: async () => null,
      output,
    };
    if (await hasBuildKit(docker, signal)) await buildByBuildKit(docker, job, signal);
    else {
      refuseWhatClassicCannot(spec, prepared.dockerfile);
      await buildClassic(docker, job, signal);
    }
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof SlipwayError) throw error;
    throw translate(error, { service, host: docker.url, evidence: output.evidence() }) ?? error;
  }
}

async function hasBuildKit(docker: Docker, signal: AbortSignal): Promise<boolean> {
  try {
    await buildKitPlatforms(docker, signal);
    return true;
  } catch (error) {
    if (saysNoBuildKit(error)) return false;
    throw error;
  }
}
