import { randomUUID } from "node:crypto";
import type { BaseImages } from "../../../core/build/dockerfile/recipe.ts";
import { officialBases } from "../../../core/build/dockerfile/recipe.ts";
import { createdLabel } from "../../../core/build/labels.ts";
import { SlipwayError } from "../../../core/errors/error.ts";
import type { EpochMs } from "../../../core/ids.ts";
import { formatDuration } from "../../../core/product/units.ts";
import { type Docker, type DockerOptions, openDocker } from "../../../lib/docker/docker.ts";
import { Layout } from "../../../lib/oci/layout.ts";
import type { Builder, BuilderCan, BuildSpec, BuiltImage } from "../../../ports/builder.ts";
import { buildByBuildKit } from "./buildkit/build.ts";
import { buildKitPlatforms, saysNoBuildKit } from "./buildkit/workers.ts";
import { refuseUnsafe, refuseWhatClassicCannot } from "./checks.ts";
import { buildClassic } from "./classic.ts";
import { oldestFileMs, type PreparedContext, prepareContext } from "./context/prepare.ts";
import { attachDocuments } from "./documents.ts";
import { alreadyKept, baseDigests, exportImage, keepNewest, removeTag } from "./engine-images.ts";
import { translate } from "./errors.ts";
import type { Job, LoginOf } from "./job.ts";
import { LayerScanner } from "./layers.ts";
import { Output } from "./output.ts";

export type DockerBuilderOptions = {
  /** What the engine's machine is called in messages. */
  readonly host: string;
  /** The local engine, or that of a build host. */
  readonly engine: DockerOptions;
  /** `auto` takes BuildKit where the engine has it, which is everywhere but in other programs that speak its API. */
  readonly how: "auto" | "buildkit" | "classic";
  /** Directory of the image layout in which images are kept, with their documents. */
  readonly layout: string;
  /** What generated Dockerfiles begin from; the official images where nothing is said. */
  readonly bases?: Partial<BaseImages>;
  readonly login?: LoginOf;
  /** Version of this program, for the documents. */
  readonly version: string;
  readonly now: () => EpochMs;
};

type How = "buildkit" | "classic";
type Engine = BuilderCan & { readonly how: How; readonly name: string };

const lookTimeoutMs = 30_000;

/**
 * Makes images by a Docker engine: by BuildKit over a build session of ours (no `docker` program is needed, and a secret never
 * leaves this process but for the instruction that mounts it), or by the classic builder. The image is then copied into the
 * image layout; on the engine only the newest of each service stays, for its cache.
 */
export function dockerBuilder(options: DockerBuilderOptions): Builder {
  const docker = openDocker(options.engine);
  const scanner = new LayerScanner();
  let looked: Promise<Engine> | null = null;

  // Shared by all who ask, so it has a limit of its own and none of theirs.
  const look = (): Promise<Engine> => {
    looked ??= lookAt(docker, options.how, AbortSignal.timeout(lookTimeoutMs)).catch((error: unknown) => {
      looked = null;
      throw translate(error, { service: "the builder", host: options.host, evidence: [] }) ?? error;
    });
    return looked;
  };

  return {
    name: nameOf(options),
    can: async (signal) => {
      signal.throwIfAborted();
      const { secrets, platforms, foreign, cacheMounts } = await look();
      return { secrets, platforms, foreign, cacheMounts };
    },
    check: async (spec, signal) => {
      signal.throwIfAborted();
      await checked({ engine: await look(), options, spec });
    },
    build: async (spec, onLine, signal) => {
      const output = new Output(onLine, Object.values(spec.secrets));
      const timeout = AbortSignal.timeout(spec.timeoutMs);
      try {
        const engine = await look();
        return await build({ docker, engine, options, scanner, spec, output }, AbortSignal.any([signal, timeout]));
      } catch (error) {
        signal.throwIfAborted();
        if (timeout.aborted) throw timedOut(spec, output);
        const failure = { service: spec.service, host: options.host, evidence: output.evidence() };
        throw translate(masked(error, output), failure) ?? error;
      }
    },
    close: () => docker.close(),
  };
}

function nameOf({ host }: DockerBuilderOptions): string {
  return `docker:${host}`;
}

type Work = Checking & {
  readonly docker: Docker;
  readonly scanner: LayerScanner;
  readonly output: Output;
};

type Checking = {
  readonly engine: Engine;
  readonly options: DockerBuilderOptions;
  readonly spec: BuildSpec;
};

/** What is sent, once all that is refused before it is sent was. */
async function checked({ engine, options, spec }: Checking): Promise<PreparedContext> {
  const created = Date.parse(spec.labels[createdLabel] ?? "");
  const context = await prepareContext(spec, {
    bases: { ...officialBases, ...options.bases },
    cacheMounts: engine.cacheMounts,
    modifiedAt: Number.isNaN(created) ? oldestFileMs : created,
  });
  const { platforms: offered, foreign } = engine;
  refuseUnsafe(spec, context.dockerfile, { name: nameOf(options), offered, foreign });
  if (engine.how === "classic") refuseWhatClassicCannot(spec, context.dockerfile);
  return context;
}

async function build(work: Work, signal: AbortSignal): Promise<BuiltImage> {
  const { docker, engine, options, spec, output } = work;
  const startedAt = options.now();
  const context = await checked(work);
  signal.throwIfAborted();
  const repository = `slipway-build/${spec.product}/${spec.service}`;
  const job: Job = {
    // A name of its own, so that no other build of the service takes the image away before it is copied.
    tag: `${repository}:${randomUUID()}`,
    context,
    stage: spec.stage,
    platform: spec.platforms[0] ?? null,
    args: spec.args,
    labels: spec.labels,
    secrets: spec.secrets,
    login: options.login ?? (async () => null),
    output,
  };
  try {
    const { id, stages } = await (engine.how === "buildkit" ? buildByBuildKit : buildClassic)(docker, job, signal);
    const layout = await Layout.open(options.layout);
    const kept = (await alreadyKept(layout, id)) ?? (await exportImage(docker, job.tag, layout, signal));
    const documents = await attachDocuments(
      {
        spec,
        context,
        kept,
        bases: await baseDigests(docker, context.dockerfile, spec.args, signal),
        contents: await work.scanner.scan(layout, kept.digest, signal),
        how: engine.how,
        engine: engine.name,
        version: options.version,
        invocation: job.tag.slice(repository.length + 1),
        startedAt,
        finishedAt: options.now(),
      },
      layout,
    );
    await keepNewest(docker, { repository, image: job.tag, as: "newest" }, signal);
    for (const [i, image] of stages.entries()) {
      await keepNewest(docker, { repository, image, as: `newest-stage-${i}` }, signal);
    }
    return {
      image: { kind: "image", digest: kept.digest, id: kept.id, repository: null, layout: layout.directory },
      bytes: kept.bytes,
      platforms: [kept.platform],
      dockerfile: context.dockerfile,
      ...documents,
    };
  } finally {
    await removeTag(docker, job.tag);
  }
}

async function lookAt(docker: Docker, wanted: DockerBuilderOptions["how"], signal: AbortSignal): Promise<Engine> {
  const version = await docker.version(signal);
  const name = `docker ${version.engine}`;
  const classic: Engine = {
    how: "classic",
    name,
    secrets: false,
    foreign: false,
    cacheMounts: false,
    platforms: [`${version.os}/${version.arch}`],
  };
  if (wanted === "classic") return classic;
  try {
    const platforms = await buildKitPlatforms(docker, signal);
    return { how: "buildkit", name, secrets: true, foreign: true, cacheMounts: true, platforms };
  } catch (error) {
    if (wanted === "auto" && saysNoBuildKit(error)) return classic;
    throw error;
  }
}

function timedOut(spec: BuildSpec, output: Output): SlipwayError {
  return new SlipwayError("BUILD_FAILED", {
    message: `the build of ${spec.service} was stopped after ${formatDuration(spec.timeoutMs)}, its timeout`,
    evidence: output.evidence(),
    hint: "raise the build's timeout, or see above what it waits for",
  });
}

/** The engine repeats the failed command in its own words. */
function masked(error: unknown, output: Output): unknown {
  if (error instanceof Error) error.message = output.mask(error.message);
  return error;
}
