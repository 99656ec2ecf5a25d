import { existsSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { formatSize } from "../../../core/product/units.ts";
import { DiskWatch } from "../../../lib/disk-watch.ts";
import {
  type Container,
  createContainer,
  inspectContainer,
  killContainer,
  startContainer,
} from "../../../lib/docker/containers.ts";
import type { Docker } from "../../../lib/docker/docker.ts";
import { DockerError } from "../../../lib/docker/errors.ts";
import { createNetwork } from "../../../lib/docker/networks.ts";
import { readJsonFile, writeJsonFile } from "../../../lib/json-file.ts";
import type { Executor, JobContainer, JobEnd, StepJob } from "../../../ports/executor.ts";
import { nameOf, needImage, startBeside, whyNotReady } from "./beside.ts";
import { containerOf, secretsOf, secretsText } from "./container.ts";
import { StepEngines } from "./engines.ts";
import { clearAway, labelsOf, ofAttempt, selecting, stepsOn } from "./labels.ts";
import { ContainerLog } from "./output.ts";

const lookMs = 250;
/** Between two tries to reach an engine that went away under a step. */
const againMs = 1_000;

/**
 * Steps as containers of an engine on this machine, with what they need beside them in a network of their own. They outlive the
 * control plane, which finds them again by their names, and are removed with their network when they have ended. `owner` tells what
 * is ours from what another control plane has there.
 */
export function dockerExecutor({ owner, file }: { readonly owner: string; readonly file: string }): Executor & {
  close(): Promise<void>;
} {
  const engines = new StepEngines(file);
  const disks = new DiskWatch();
  const forEver = new AbortController().signal;
  return {
    name: "docker",
    run: async (job, onOutput, signal) =>
      new Attempt(await placeOf(engines, owner, job), disks, onOutput, signal).run(),
    stop: async (labels) => {
      for (const docker of await engines.all())
        await unlessAway(clearAway(docker, selecting(owner, labels), forEver), undefined);
    },
    running: async () => {
      const all = (await engines.all()).map((docker) => unlessAway(stepsOn(docker, owner, forEver), []));
      return (await Promise.all(all)).flat();
    },
    close: () => engines.close(),
  };
}

/** An engine that is away keeps no other step from being stopped; what it still has is removed at the next start. */
async function unlessAway<T>(work: Promise<T>, otherwise: T): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof DockerError && (error.code === "AWAY" || error.code === "DENIED")) return otherwise;
    throw error;
  }
}

type Place = {
  readonly docker: Docker;
  readonly owner: string;
  readonly job: StepJob;
  readonly container: JobContainer;
  /** Of the step's container, and of the network of what is beside it. */
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
};

async function placeOf(engines: StepEngines, owner: string, job: StepJob): Promise<Place> {
  const { container } = job;
  if (container === null) throw new Error(`${job.key} has no image`);
  const docker = await engines.at(container.engine);
  return { docker, owner, job, container, name: `slipway-${job.key}`, labels: labelsOf(owner, job) };
}

/** One attempt of a step, begun or found again. */
class Attempt {
  readonly #place: Place;
  readonly #disks: DiskWatch;
  readonly #onOutput: (chunk: Buffer) => void;
  readonly #signal: AbortSignal;
  readonly #files: Readonly<Record<"log" | "end" | "begun" | "secrets", string>>;

  constructor(place: Place, disks: DiskWatch, onOutput: (chunk: Buffer) => void, signal: AbortSignal) {
    this.#place = place;
    this.#disks = disks;
    this.#onOutput = onOutput;
    this.#signal = signal;
    const { room } = place.job;
    const [log, end, begun] = [join(room, "log"), join(room, "end.json"), join(room, "begun")];
    this.#files = { log, end, begun, secrets: join(room, "secrets") };
  }

  async run(): Promise<JobEnd> {
    await mkdir(this.#place.job.room, { recursive: true, mode: 0o700 });
    const before = await readJsonFile<JobEnd>(this.#files.end).catch(() => null);
    if (before !== null) return this.#conclude(before);
    try {
      return await this.#conclude((await this.#begin()) ?? (await this.#untilEnd()));
    } catch (error) {
      this.#signal.throwIfAborted();
      if (!(error instanceof DockerError) || existsSync(this.#files.begun)) throw error;
      return this.#conclude({ is: "not-started", why: error.message });
    }
  }

  /** Why it could not be begun; null when it has been. A start of which nothing is left is not repeated. */
  async #begin(): Promise<JobEnd | null> {
    const { docker, owner, job, container, name, labels } = this.#place;
    const signal = this.#signal;
    if (existsSync(this.#files.begun)) return null;
    await clearAway(docker, ofAttempt(owner, job.key), signal);
    await needImage(docker, container.image, signal);
    const hasNetwork = container.beside.length > 0;
    // What is beside it is met in no other network, and without an outside nor does anything leave it.
    if (hasNetwork) await createNetwork(docker, name, labels, signal, { internal: container.network === "none" });
    for (const beside of container.beside) await startBeside(docker, beside, { network: name, labels }, signal);
    for (const beside of container.beside) {
      const why = await whyNotReady(docker, beside, { network: name, readyMs: container.readyMs }, signal);
      if (why !== null) return { is: "not-started", why };
    }
    const secrets = secretsOf(job);
    const file = Object.keys(secrets).length === 0 ? null : this.#files.secrets;
    if (file !== null) await writeFile(file, secretsText(secrets), { mode: 0o600 });
    const network = hasNetwork ? name : container.network === "none" ? "none" : "bridge";
    const config = containerOf(job, container, { network, labels, secrets: file });
    const id = await createContainer(docker, name, config, signal);
    await writeFile(this.#files.begun, "");
    try {
      await startContainer(docker, id, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof DockerError && error.code === "REFUSED") return { is: "not-started", why: error.message };
      throw error;
    }
    return null;
  }

  /** An engine that goes away under it is waited for, as long as the step may take. */
  async #untilEnd(): Promise<JobEnd> {
    const { job } = this.#place;
    let lostAt: number | null = null;
    for (;;) {
      try {
        return await this.#follow();
      } catch (error) {
        this.#signal.throwIfAborted();
        if (!(error instanceof DockerError)) throw error;
        lostAt ??= Date.now();
        if (Date.now() - lostAt > job.timeoutMs) return { is: "lost" };
        await new Promise((resolve) => setTimeout(resolve, againMs));
      }
    }
  }

  async #follow(): Promise<JobEnd> {
    const { docker, name, job } = this.#place;
    const seen = await inspectContainer(docker, name, this.#signal);
    // Somebody else has ended it: then it is called off. After a crash before its start nothing has happened.
    if (seen === null) return { is: "killed", by: "SIGKILL" };
    if (seen.State.Status === "created") await startContainer(docker, name, this.#signal);
    const log = await ContainerLog.open(this.#files.log, job.secrets, this.#onOutput);
    const unwatch = this.#disks.watch(job.disk.directory);
    const over = new AbortController();
    const stopped = this.#limits(log, seen, over.signal);
    stopped.catch(() => {});
    try {
      await log.take(docker, name, true, this.#signal);
    } finally {
      over.abort();
      unwatch();
      await log.close();
    }
    const why = await stopped;
    if (why !== null) return why;
    return this.#exitOf(await inspectContainer(docker, name, this.#signal));
  }

  /** Kills it when it takes too long, prints too much, or fills the disk; then its output ends. */
  async #limits(log: ContainerLog, { State }: Container, over: AbortSignal): Promise<JobEnd | null> {
    const { docker, name, job } = this.#place;
    const begunAt = State.StartedAt ?? Date.now();
    for (;;) {
      if (over.aborted) return null;
      const { directory, maxBytes } = job.disk;
      const end: JobEnd | null =
        Date.now() - begunAt > job.timeoutMs
          ? { is: "timed-out", afterMs: job.timeoutMs }
          : log.bytes > job.outputBytes
            ? { is: "too-large", what: "output", maxBytes: job.outputBytes }
            : this.#disks.bytes(directory) > maxBytes
              ? { is: "too-large", what: "workspace", maxBytes }
              : null;
      if (end !== null) {
        await killContainer(docker, name, "SIGKILL", this.#signal).catch((error: unknown) => {
          // It has ended by itself meanwhile.
          if (!(error instanceof DockerError) || error.code !== "REFUSED") throw error;
        });
        return end;
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(done, lookMs);
        over.addEventListener("abort", done, { once: true });
        function done(): void {
          clearTimeout(timer);
          over.removeEventListener("abort", done);
          resolve();
        }
      });
    }
  }

  #exitOf(seen: Container | null): JobEnd {
    if (seen === null) return { is: "killed", by: "SIGKILL" };
    const { OOMKilled, ExitCode, Error: error } = seen.State;
    const limit = this.#place.container.memoryBytes;
    if (OOMKilled) return { is: "killed", by: `its memory limit of ${formatSize(limit)}` };
    if (error !== "") return { is: "not-started", why: error };
    return { is: "exited", code: ExitCode };
  }

  /** Its end is written down before anything of it is removed. What is left when the engine is away goes at the next start. */
  async #conclude(end: JobEnd): Promise<JobEnd> {
    const { docker, owner, job } = this.#place;
    const isFailure = end.is !== "exited" || end.code !== 0;
    if (isFailure) await this.#keepOthersLogs();
    await writeJsonFile(this.#files.end, end, { mode: 0o600, durable: false });
    await rm(this.#files.secrets, { force: true });
    try {
      await clearAway(docker, ofAttempt(owner, job.key), this.#signal);
    } catch (error) {
      if (!(error instanceof DockerError)) throw error;
    }
    return end;
  }

  /** Of everything beside it, for whoever looks into a failure. */
  async #keepOthersLogs(): Promise<void> {
    const { docker, job, container, name } = this.#place;
    for (const beside of container.beside) {
      const log = await ContainerLog.open(join(job.room, `beside-${beside.name}.log`), job.secrets);
      try {
        await log.take(docker, nameOf(name, beside), false, this.#signal);
      } catch (error) {
        // It was never made, or the engine is away.
        if (!(error instanceof DockerError)) throw error;
      } finally {
        await log.close();
      }
    }
  }
}
