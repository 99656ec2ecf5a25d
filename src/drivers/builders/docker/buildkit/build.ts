import { randomUUID } from "node:crypto";
import { createdLabel } from "../../../../core/build/labels.ts";
import type { Docker } from "../../../../lib/docker/docker.ts";
import { answersOf } from "../answer.ts";
import type { ContextEntry } from "../context/entries.ts";
import { BuildRefused, type BuildResult, type Job } from "../job.ts";
import { Progress } from "./progress.ts";
import { serveSession, sessionHeaders } from "./session.ts";

/** How long the engine is given to end a build that is called off. */
const cancelTimeoutMs = 5_000;

/**
 * Builds by the BuildKit inside the engine. It calls back over a session for what it needs: the files, a secret, a login. Nothing
 * of that is in the request. Ends when the signal does. Errors: BuildRefused, DockerError.
 */
export async function buildByBuildKit(docker: Docker, job: Job, signal: AbortSignal): Promise<BuildResult> {
  const id = randomUUID().replaceAll("-", "");
  const connection = await docker.hijack(
    { method: "POST", path: "/session", headers: sessionHeaders(id), signal },
    "h2c",
  );
  serveSession(connection, {
    directories: new Map([
      ["context", job.context.entries],
      ["dockerfile", [dockerfileEntry(job)]],
    ]),
    secrets: job.secrets,
    login: job.login,
  });
  const cancel = (): void => {
    const late = AbortSignal.timeout(cancelTimeoutMs);
    docker.send({ method: "POST", path: "/build/cancel", query: { id }, signal: late }).catch(() => undefined);
  };
  signal.addEventListener("abort", cancel, { once: true });
  try {
    return await follow(docker, job, id, signal);
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener("abort", cancel);
    connection.destroy();
  }
}

async function follow(docker: Docker, job: Job, session: string, signal: AbortSignal): Promise<BuildResult> {
  const body = await docker.stream({
    method: "POST",
    path: "/build",
    query: {
      version: "2",
      session,
      buildid: session,
      remote: "client-session",
      dockerfile: dockerfileName,
      t: job.tag,
      buildargs: { ...sourceDate(job), ...job.args },
      labels: job.labels,
      target: job.stage ?? undefined,
      platform: job.platform ?? undefined,
    },
    timeoutMs: null,
    signal,
  });
  const stop = (): void => void body.destroy();
  signal.addEventListener("abort", stop, { once: true });
  const progress = new Progress(job.output.line);
  let id: string | null = null;
  try {
    for await (const answer of answersOf(body)) {
      if (answer.is === "trace") progress.take(answer.status);
      if (answer.is === "image") id = answer.id;
      if (answer.is === "failed") throw new BuildRefused(answer.why);
    }
  } finally {
    signal.removeEventListener("abort", stop);
    body.destroy();
  }
  if (id !== null) return { id, stages: [] };
  throw new BuildRefused("the engine ended the build without an image");
}

const dockerfileName = "Dockerfile";

function dockerfileEntry({ context }: Job): ContextEntry {
  const { dockerfile: text, entries } = context;
  const modifiedAt = entries[0]?.modifiedAt ?? 0;
  return { path: dockerfileName, mode: 0o644, modifiedAt, type: "file", size: Buffer.byteLength(text), text };
}

/** The image's own times are those of the commit, where the engine knows how (BuildKit 0.11). Steps see it only when they ask. */
function sourceDate({ labels }: Job): Record<string, string> {
  const at = Date.parse(labels[createdLabel] ?? "");
  return Number.isNaN(at) ? {} : { SOURCE_DATE_EPOCH: String(Math.floor(at / 1000)) };
}
