import { existsSync, lstatSync, readFileSync, realpathSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { nodeVersion, readManifest } from "../../core/build/dockerfile/node-packages.ts";
import { type FoundFiles, generatedIgnore, toldBy } from "../../core/build/dockerfile/recipe.ts";
import { type Ignore, readIgnore } from "../../core/build/ignore.ts";
import { SlipwayError } from "../../core/errors/error.ts";
import { planRun } from "../../core/pipeline/plan.ts";
import { resolveParameters, resolvePipeline } from "../../core/pipeline/resolve.ts";
import { environmentNames, resolveEnvironment } from "../../core/product/resolve.ts";
import type { ProductConfig } from "../../core/product/schema.ts";
import type { ServiceSpec } from "../../core/product/spec.ts";
import { artifactOf } from "../../core/synth/mark.ts";
import type { ServiceTree, SynthProduct, SynthStep } from "../../core/synth/product.ts";
import { synthSettings } from "../../core/synth/settings.ts";
import { commandsOf, looker } from "../../engine/pipeline/plan-steps.ts";
import { listFiles } from "./git.ts";

/** Names of files that synth may have written: only these are looked into for its mark. */
const perhapsOurs =
  /(?:^|\/)(?:scripts\/ci\/(?:.*\/)?[^/]+\.sh|(?:[\w-]+\.)?Dockerfile|\.dockerignore|\.slipway-build\/[\w.-]+|docker-compose\.(?:prod|integration)\.yml|Caddyfile|\.env\.[^/]+\.template|init-server\.sh|Jenkinsfile|DEPLOYMENT\.md|\.github\/(?:dependabot|workflows\/slipway[^/]*)\.yml)$/;

const maxTextBytes = 4 * 1024 * 1024;

export type WorkingTree = {
  readonly product: SynthProduct;
  /** Absolute: of the repository, and of the config. */
  readonly top: string;
  readonly directory: string;
  /** Files with a mark of synth, relative to the top. */
  readonly written: readonly string[];
};

/** All that the files are made from: the config, and what git has or would take. Reads only. Errors: GIT_*, PIPELINE_INVALID. */
export async function readWorkingTree(configFile: string, config: ProductConfig): Promise<WorkingTree> {
  const directory = realpathSync(dirname(configFile));
  const listed = listFiles(directory);
  const top = realpathSync(listed.top);
  const prefix = relative(top, directory).split(sep).join("/") || ".";
  const all = listed.files.filter((path) => isFile(join(top, path)));
  const written = all.filter((path) => perhapsOurs.test(path) && artifactOf(read(join(top, path)) ?? "") !== null);
  const ours = new Set(written);
  const files = all.filter((path) => !ours.has(path));
  const beside = filesIn(files, prefix);
  const settings = synthSettings(config);
  const environments = environmentNames(config)
    .map((name) => resolveEnvironment(config, name))
    .filter(({ previews }) => previews === undefined);
  const environment = resolveEnvironment(config, settings.environment);
  const found = foundIn(directory, beside, readIgnore(generatedIgnore));
  const isThere = (name: RegExp): boolean => beside.some((path) => name.test(path));
  return {
    top,
    directory,
    written,
    product: {
      settings,
      name: config.name,
      environment,
      environments,
      steps: await stepsOf(config, directory),
      parameters: resolveParameters(config.pipeline ?? {}),
      services: Object.fromEntries(
        Object.values(environment.services).map((service) => [service.name, serviceTree(service, directory, beside)]),
      ),
      files,
      prefix,
      node: isThere(/(?:^|\/)package\.json$/) ? nodeVersion(found, readManifest(found.text("package.json"))) : null,
      python: isThere(/(?:^|\/)(?:pyproject\.toml|requirements\.txt|uv\.lock|poetry\.lock)$/)
        ? (/^\s*(3\.\d{1,2})/.exec(found.text(".python-version") ?? "")?.[1] ?? "3.13")
        : null,
    },
  };
}

/** In an order in which they can be run; with what each runs. */
async function stepsOf(config: ProductConfig, directory: string): Promise<readonly SynthStep[]> {
  const pipeline = resolvePipeline(config);
  if (pipeline === null) return [];
  const look = looker(directory);
  const steps: SynthStep[] = [];
  const missing: (readonly [string, string])[] = [];
  for (const { step } of planRun(pipeline, { event: "manual", branch: null, changed: null, steps: [], services: [] })) {
    // What tests a live environment is begun by whoever asks for it, where Slipway is.
    if (step.load !== null) continue;
    // Images are made where they are released.
    if (step.work.is === "built-in" && step.work.uses === "image") continue;
    const found = await commandsOf(step, look);
    if (typeof found === "string") missing.push([step.id, found]);
    else steps.push({ step, commands: found.commands, directory: found.atTop ? "." : step.path });
  }
  if (missing.length === 0) return steps;
  throw new SlipwayError("PIPELINE_INVALID", {
    message: "built-in steps have nothing to run here, so no script can be written for them",
    evidence: missing,
  });
}

function serviceTree(service: ServiceSpec, directory: string, beside: readonly string[]): ServiceTree {
  const files = filesIn(beside, service.path);
  const context = join(directory, service.path);
  const ignore = files.includes(".dockerignore") ? read(join(context, ".dockerignore")) : null;
  const usual = files.includes("Dockerfile") ? "Dockerfile" : null;
  return {
    found: foundIn(context, files, readIgnore(ignore ?? generatedIgnore)),
    dockerfile: service.image.dockerfile ?? usual,
    ignore: ignore !== null,
  };
}

/** As the builder sees a context: what is ignored is not there. */
function foundIn(directory: string, files: readonly string[], ignore: Ignore): FoundFiles {
  const paths = new Set(files.filter((path) => !ignore.ignores(path)));
  const names = new Set(toldBy);
  return { paths, text: (path) => (paths.has(path) && names.has(path) ? read(join(directory, path)) : null) };
}

function filesIn(files: readonly string[], directory: string): readonly string[] {
  if (directory === ".") return files;
  return files.flatMap((path) => (path.startsWith(`${directory}/`) ? [path.slice(directory.length + 1)] : []));
}

function isFile(path: string): boolean {
  return existsSync(path) && lstatSync(path).isFile();
}

function read(path: string): string | null {
  return lstatSync(path).size > maxTextBytes ? null : readFileSync(path, "utf8");
}
