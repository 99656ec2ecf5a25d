import { Readable } from "node:stream";
import { readDockerfile } from "../../../core/build/dockerfile/read.ts";
import { ownDirectory } from "../../../core/build/dockerfile/recipe.ts";
import type { Docker } from "../../../lib/docker/docker.ts";
import { answersOf } from "./answer.ts";
import { withFiles } from "./context/prepare.ts";
import { tarOf } from "./context/tar-stream.ts";
import { BuildRefused, type BuildResult, type Job } from "./job.ts";

const dockerfilePath = `${ownDirectory}.Dockerfile`;

/**
 * Builds by the engine's old builder: the whole context goes over as one archive, and every step is a container. Ends when the
 * signal does: the engine stops when the connection is gone. Errors: BuildRefused, DockerError.
 */
export async function buildClassic(docker: Docker, job: Job, signal: AbortSignal): Promise<BuildResult> {
  const { context } = job;
  const body = await docker.stream({
    method: "POST",
    path: "/build",
    query: {
      version: "1",
      dockerfile: context.dockerfilePath ?? dockerfilePath,
      t: job.tag,
      buildargs: job.args,
      labels: job.labels,
      target: job.stage ?? undefined,
      platform: job.platform ?? undefined,
      rm: true,
      forcerm: true,
    },
    headers: { "x-registry-config": await registryConfig(job) },
    body: Readable.from(tarOf(sent(job)), { objectMode: false }),
    timeoutMs: null,
    signal,
  });
  const stop = (): void => void body.destroy();
  signal.addEventListener("abort", stop, { once: true });
  try {
    return await follow(body, job);
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener("abort", stop);
    body.destroy();
  }
}

/** A Dockerfile that is not in the context goes along under a name of ours, and the engine is told to take it out again. */
function sent(job: Job) {
  const { dockerfile, dockerfilePath: path, entries } = job.context;
  if (path !== null) return entries;
  const modifiedAt = entries[0]?.modifiedAt ?? 0;
  return withFiles(
    entries,
    { [dockerfilePath]: dockerfile, ".dockerignore": `.dockerignore\n${dockerfilePath}\n` },
    modifiedAt,
  );
}

async function follow(body: Readable, job: Job): Promise<BuildResult> {
  let id: string | null = null;
  const stages = new Stages();
  let line = "";
  for await (const answer of answersOf(body)) {
    if (answer.is === "failed") throw new BuildRefused(answer.why);
    if (answer.is === "image") id = answer.id;
    if (answer.is !== "text") continue;
    const lines = (line + answer.text).split("\n");
    line = lines.pop() ?? "";
    for (const each of lines) {
      stages.take(each);
      job.output.line(each);
    }
  }
  if (line !== "") job.output.line(line);
  if (id === null) throw new BuildRefused("the engine ended the build without an image");
  return { id, stages: stages.ended };
}

/** The image that each stage but the last ended with: nothing names them, and they are the cache of the next build. */
class Stages {
  readonly ended: string[] = [];
  #current: string | null = null;

  take(line: string): void {
    const image = /^ ---> ([0-9a-f]{12})$/.exec(line)?.[1];
    if (image !== undefined) this.#current = image;
    if (!/^Step \d+\/\d+ : FROM /i.test(line)) return;
    if (this.#current !== null) this.ended.push(this.#current);
    this.#current = null;
  }
}

/** Logins for the registries that the Dockerfile names, as the engine wants them: in a header, never in the query that it logs. */
async function registryConfig({ context, args, login }: Job): Promise<string> {
  const config: Record<string, { username: string; password: string }> = {};
  for (const base of readDockerfile(context.dockerfile, args).bases) {
    const registry = registryOf(base);
    const found = await login(registry);
    if (found === null) continue;
    const key = registry === "docker.io" ? "https://index.docker.io/v1/" : registry;
    config[key] = { username: found.user, password: found.password.reveal() };
  }
  // With its padding: without it an engine takes it for nothing, and says nothing.
  return Buffer.from(JSON.stringify(config)).toString("base64").replaceAll("+", "-").replaceAll("/", "_");
}

export function registryOf(image: string): string {
  const [first = "", ...others] = image.split("/");
  return others.length > 0 && (/[.:]/.test(first) || first === "localhost") ? first : "docker.io";
}
