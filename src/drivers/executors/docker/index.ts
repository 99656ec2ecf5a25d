import { existsSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { StackService } from "../../../core/compose/stack.ts";
import { reasonOf } from "../../../core/errors/error.ts";
import { formatDuration, formatSize } from "../../../core/product/units.ts";
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
import { connectNetwork, createNetwork } from "../../../lib/docker/networks.ts";
import { createVolume } from "../../../lib/docker/volumes.ts";
import { readJsonFile, writeJsonFile } from "../../../lib/json-file.ts";
import { linkedSignal } from "../../../lib/linked-signal.ts";
import type { Executor, JobContainer, JobEnd, StepJob } from "../../../ports/executor.ts";
import {
  makeContainer,
  nameOf,
  needImage,
  networkName,
  startBeside,
  volumeName,
  type Where,
  whyNotYetThere,
} from "./beside.ts";
import { containerOf, secretsOf, secretsText } from "./container.ts";
import { StepEngines } from "./engines.ts";
import { type ImageMaker, imageFor } from "./image.ts";
import { clearAway, labelsOf, ofAttempt, selecting, stepsOn } from "./labels.ts";
import { ContainerLog } from "./output.ts";

const lookMs = 250;
/** Between two tries to reach an engine that went away under a step. */
const againMs = 1_000;
/** An engine that does not say within this time what it is counts as away. */
const versionMs = 5_000;
/** How far what a service depends on is waited for. */
const untils = {
  service_started: "started",
  service_healthy: "ready",
  service_completed_successfully: "ended",
} as const;

export type ContainerExecutor = Executor & {
  /** Why an engine does not answer; null when it does. */
  whyAway(engine: string): Promise<string | null>;
  close(): Promise<void>;
};

/**
 * Steps as containers of an engine on this machine, with what they need beside them in a network of their own. They outlive the
 * control plane, which finds them again by their names, and are removed with their network when they have ended. `owner` tells what
 * is ours from what another control plane has there.
 */
export function dockerExecutor({
  owner,
  file,
  makeImage,
}: {
  readonly owner: string;
  readonly file: string;
  readonly makeImage: ImageMaker;
}): ContainerExecutor {
  const engines = new StepEngines(file);
  const disks = new DiskWatch();
  const forEver = new AbortController().signal;
  const underWay = new Set<UnderWay>();
  return {
    name: "docker",
    run: async (job, onOutput, given) => {
      const place = await placeOf(engines, owner, job);
      const off = new AbortController();
      const { signal, release } = linkedSignal([given, off.signal]);
      const end = new Attempt(place, { disks, makeImage, onOutput, signal }).run().catch((error: unknown): JobEnd => {
        if (off.signal.aborted && !given.aborted) return { is: "killed", by: "SIGKILL" };
        throw error;
      });
      const attempt: UnderWay = { labels: job.labels, off, over: end.then(noMatter, noMatter) };
      underWay.add(attempt);
      try {
        return await end;
      } finally {
        underWay.delete(attempt);
        release();
      }
    },
    stop: async (labels) => {
      const called = [...underWay].filter((each) => hasAll(each.labels, labels));
      // What is still being brought up would else go on after it was cleared away.
      for (const { off } of called) off.abort(new Error("it was called off"));
      await Promise.all(called.map(({ over }) => over));
      for (const docker of await engines.all())
        await unlessAway(clearAway(docker, selecting(owner, labels), forEver), undefined);
    },
    running: async () => {
      const all = (await engines.all()).map((docker) => unlessAway(stepsOn(docker, owner, forEver), []));
      return (await Promise.all(all)).flat();
    },
    // A container sees nothing of the machine but its mount.
    unfenced: async () => null,
    whyAway: async (engine) => {
      try {
        await (await engines.at(engine)).version(AbortSignal.timeout(versionMs));
        return null;
      } catch (error) {
        return reasonOf(error);
      }
    },
    close: () => engines.close(),
  };
}

type UnderWay = {
  readonly labels: Readonly<Record<string, string>>;
  readonly off: AbortController;
  /** When nothing more is done for it. */
  readonly over: Promise<void>;
};

const noMatter = (): void => undefined;

function hasAll(labels: Readonly<Record<string, string>>, wanted: Readonly<Record<string, string>>): boolean {
  return Object.entries(wanted).every(([name, value]) => labels[name] === value);
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

type Means = {
  readonly disks: DiskWatch;
  readonly makeImage: ImageMaker;
  readonly onOutput: (chunk: Buffer) => void;
  readonly signal: AbortSignal;
};

/** One attempt of a step, begun or found again. */
class Attempt {
  readonly #place: Place;
  readonly #disks: DiskWatch;
  readonly #makeImage: ImageMaker;
  readonly #onOutput: (chunk: Buffer) => void;
  readonly #signal: AbortSignal;
  /** For what makes something on the engine: it is not let go of half-way, or it would be there after it was cleared away. */
  readonly #whole = new AbortController().signal;
  readonly #files: Readonly<Record<"log" | "end" | "begun" | "secrets", string>>;

  constructor(place: Place, { disks, makeImage, onOutput, signal }: Means) {
    this.#place = place;
    this.#disks = disks;
    this.#makeImage = makeImage;
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
    const { docker, owner, job } = this.#place;
    const signal = this.#signal;
    if (existsSync(this.#files.begun)) return null;
    await clearAway(docker, ofAttempt(owner, job.key), signal);
    const why = (await this.#makeImages()) ?? (await this.#bringUp());
    if (why !== null) return { is: "not-started", why };
    const id = await this.#make();
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

  /** All that it needs, before anything is started: what is built is in the log of its service. Why not, when it cannot be. */
  async #makeImages(): Promise<string | null> {
    const { docker, job, container } = this.#place;
    if (container.runs.is === "command") await needImage(docker, container.runs.image, this.#signal);
    const limit = AbortSignal.timeout(job.timeoutMs);
    for (const service of this.#services()) {
      if (service.build === null) {
        await needImage(docker, service.image ?? "", this.#signal);
        continue;
      }
      const log = await ContainerLog.open(this.#besideLog(service), job.secrets);
      try {
        const { name: step, labels } = this.#place;
        const made = {
          ...service.build,
          name: service.name,
          checkout: container.mount,
          tag: imageFor(step, service),
          labels,
        };
        await this.#makeImage(docker, made, (line) => log.line(line), AbortSignal.any([this.#signal, limit]));
      } catch (error) {
        this.#signal.throwIfAborted();
        if (limit.aborted) return `${service.name} was not built within ${formatDuration(job.timeoutMs)}`;
        return `${service.name} could not be built: ${reasonOf(error)}`;
      } finally {
        await log.close();
      }
    }
    return null;
  }

  /** What is beside it, until it is ready. Why not, when it does not become so. */
  async #bringUp(): Promise<string | null> {
    const { docker, labels, container } = this.#place;
    const signal = this.#signal;
    const where = this.#where;
    // What is beside it is met in no other network, and without an outside nor does anything leave it.
    for (const { key, internal } of container.networks) {
      const closed = { internal: internal || container.network === "none" };
      signal.throwIfAborted();
      await createNetwork(docker, networkName(where, key), labels, this.#whole, closed);
    }
    for (const key of container.volumes) {
      signal.throwIfAborted();
      await createVolume(docker, volumeName(where, key), labels, this.#whole);
    }
    const { readyMs } = container;
    for (const service of container.beside) {
      const why = await this.#whyNotYet(service, container.beside);
      if (why !== null) return why;
      signal.throwIfAborted();
      await startBeside(docker, service, { image: this.#imageOf(service), where }, this.#whole);
    }
    // Once more when the last is ready: one of the first may have ended while the others were waited for.
    for (const service of [...container.beside, ...container.beside]) {
      const why = await whyNotYetThere(docker, service, { where, readyMs, until: "ready" }, signal);
      if (why !== null) return why;
    }
    return container.runs.is === "service" ? this.#whyNotYet(container.runs.service, container.beside) : null;
  }

  /** Null when what a service waits for is as far as it asks. */
  async #whyNotYet({ after }: StackService, all: readonly StackService[]): Promise<string | null> {
    const { docker, container } = this.#place;
    for (const { name, until } of after) {
      const service = all.find((each) => each.name === name);
      if (service === undefined) continue;
      const how = { where: this.#where, readyMs: container.readyMs, until: untils[until] };
      const why = await whyNotYetThere(docker, service, how, this.#signal);
      if (why !== null) return why;
    }
    return null;
  }

  /** The container whose end is the step's. */
  async #make(): Promise<string> {
    const { docker, job, container, name, labels } = this.#place;
    const signal = this.#whole;
    const where = this.#where;
    this.#signal.throwIfAborted();
    if (container.runs.is === "service") {
      const { memoryBytes, cpus } = container;
      const { service } = container.runs;
      const bounded = { ...service, memoryBytes: service.memoryBytes ?? memoryBytes, cpus: service.cpus ?? cpus };
      return makeContainer(docker, bounded, { container: name, image: this.#imageOf(service), where }, signal);
    }
    const secrets = secretsOf(job);
    const file = Object.keys(secrets).length === 0 ? null : this.#files.secrets;
    if (file !== null) await writeFile(file, secretsText(secrets), { mode: 0o600 });
    const [first, ...others] = container.networks;
    const network =
      first === undefined ? (container.network === "none" ? "none" : "bridge") : networkName(where, first.key);
    const at = { image: container.runs.image, network, labels, secrets: file };
    const id = await createContainer(docker, name, containerOf(job, container, at), signal);
    for (const { key } of others) await connectNetwork(docker, networkName(where, key), id, [], signal);
    return id;
  }

  get #where(): Where {
    const { name, labels } = this.#place;
    return { name, labels };
  }

  /** All but a command of its own. */
  #services(): readonly StackService[] {
    const { runs, beside } = this.#place.container;
    return runs.is === "service" ? [...beside, runs.service] : beside;
  }

  #imageOf(service: StackService): string {
    return service.build === null ? (service.image ?? "") : imageFor(this.#place.name, service);
  }

  #besideLog({ name }: StackService): string {
    return join(this.#place.job.room, `beside-${name}.log`);
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
    const { runs, memoryBytes } = this.#place.container;
    const limit = runs.is === "service" ? (runs.service.memoryBytes ?? memoryBytes) : memoryBytes;
    if (OOMKilled) return { is: "killed", by: `its memory limit of ${formatSize(limit)}` };
    if (error !== "") return { is: "not-started", why: error };
    return { is: "exited", code: ExitCode };
  }

  /** Its end is written down before anything of it is removed. What is left when the engine is away goes at the next start. */
  async #conclude(end: JobEnd): Promise<JobEnd> {
    const { docker, owner, job } = this.#place;
    const isFailure = end.is !== "exited" || end.code !== 0;
    if (isFailure) await this.#keepOthersLogs();
    // What was built said something, which nobody misses then.
    else for (const service of this.#services()) await rm(this.#besideLog(service), { force: true });
    await writeJsonFile(this.#files.end, end, { mode: 0o600, durable: false });
    await rm(this.#files.secrets, { force: true });
    try {
      await clearAway(docker, ofAttempt(owner, job.key), this.#signal);
    } catch (error) {
      if (!(error instanceof DockerError)) throw error;
    }
    return end;
  }

  /** Of everything beside it, for whoever looks into a failure. What was built and never made has that of its build. */
  async #keepOthersLogs(): Promise<void> {
    const { docker, job, container } = this.#place;
    for (const service of container.beside) {
      const id = nameOf(this.#where, service.name);
      try {
        if ((await inspectContainer(docker, id, this.#signal)) === null) continue;
        const log = await ContainerLog.open(this.#besideLog(service), job.secrets);
        try {
          await log.take(docker, id, false, this.#signal);
        } finally {
          await log.close();
        }
      } catch (error) {
        // It was removed meanwhile, or the engine is away.
        if (!(error instanceof DockerError)) throw error;
      }
    }
  }
}
