import { SlipwayError } from "../../../core/errors/error.ts";
import type { EpochMs, InstanceId, RevisionId } from "../../../core/ids.ts";
import { linkedSignal } from "../../../lib/linked-signal.ts";
import type { Supervisor } from "../../../lib/supervisor/client.ts";
import type { UnitReport, UnitSpec } from "../../../lib/supervisor/contract.ts";
import type { Restarts } from "../../../ports/restarts.ts";
import { freshPrefix, type Session, type SessionSpec, type Sessions } from "../../../ports/session.ts";
import type {
  LogLine,
  LogQuery,
  RevisionSelector,
  RevisionSpec,
  RevisionStatus,
  Target,
  TargetCan,
} from "../../../ports/target.ts";
import { instanceEnvironment, instanceVariable } from "./environment.ts";
import { asSlipwayError, needsContainers, startFailed } from "./errors.ts";
import { labelsOf, logLineOf, preparedOf, selectorOf, statusOf } from "./labels.ts";
import { RevisionFiles } from "./revision-files.ts";
import { openProcessSession, type Place, placeOf } from "./session.ts";

/** The port's limit of `tail`. */
const maxTail = 10_000;

export type ProcessTargetOptions = {
  /** Where revisions are unpacked: `<directory>/revisions/<revision>`. */
  readonly directory: string;
  /** Whose revisions these are. Others in the same supervisor are never seen nor touched. */
  readonly product: string;
  readonly supervisor: Supervisor;
};

/**
 * Revisions as local processes, kept running by the supervisor: they outlive the control plane and are found again by their
 * labels. Nothing of the control plane's environment reaches them. Does not close the supervisor it was given.
 */
export function processTarget(options: ProcessTargetOptions): Target & Sessions & Restarts {
  return new ProcessTarget(options);
}

class ProcessTarget implements Target, Sessions, Restarts {
  readonly name = "process";
  readonly can: TargetCan;
  readonly #product: string;
  readonly #supervisor: Supervisor;
  readonly #files: RevisionFiles;
  readonly #closed = new AbortController();

  constructor({ directory, product, supervisor }: ProcessTargetOptions) {
    this.#product = product;
    this.#supervisor = supervisor;
    this.#files = new RevisionFiles(directory);
    this.#files.sweep(freshPrefix);
    // Memory is held by the kernel where it lets us, else by sampling and a restart; a share of CPU only by the kernel.
    this.can = {
      jobs: true,
      warm: true,
      endsWithMachine: true,
      memoryLimit: true,
      cpuLimit: supervisor.limits.cpu === "hard",
      artifacts: ["directory"],
      accessories: false,
      volumes: false,
    };
  }

  async ensure(spec: RevisionSpec, instances: number, signal: AbortSignal): Promise<RevisionStatus> {
    return this.#wrapped(signal, async (until) => {
      if (spec.artifact.kind !== "directory" || spec.mode === "accessory") throw needsContainers(spec);
      const isNew = instances === 0 && (await this.#find(spec.id, until)) === null;
      if (instances > 0 || isNew) await this.#files.unpack(spec.id, spec.artifact, until);
      if (isNew) return preparedOf(spec);
      const unit = this.#unitOf(spec, spec.mode);
      try {
        return statusOf(await this.#supervisor.ensure(unit, instances, until));
      } catch (error) {
        throw startFailed(error, unit);
      }
    });
  }

  async observe(selector: RevisionSelector): Promise<readonly RevisionStatus[]> {
    return this.#wrapped(null, async (until) => {
      return (await this.#supervisor.observe(selectorOf(this.#product, selector), until)).map(statusOf);
    });
  }

  async *watch(selector: RevisionSelector, signal: AbortSignal): AsyncGenerator<readonly RevisionStatus[]> {
    try {
      const until = this.#until(signal);
      for await (const units of this.#supervisor.watch(selectorOf(this.#product, selector), until)) {
        yield units.map(statusOf);
      }
    } catch (error) {
      throw asSlipwayError(error);
    }
  }

  async remove(revision: RevisionId, signal: AbortSignal): Promise<void> {
    await this.#wrapped(signal, async (until) => {
      const unit = await this.#find(revision, until);
      if (unit === "another-product's") return;
      if (unit !== null) await this.#supervisor.remove(revision, until);
      await this.#files.remove(revision);
    });
  }

  async *logs(query: LogQuery, signal: AbortSignal): AsyncGenerator<LogLine> {
    try {
      const selector = selectorOf(this.#product, query);
      const tail = query.tail === undefined ? null : Math.min(query.tail, maxTail);
      const request = { selector, tail, follow: query.follow === true };
      for await (const record of this.#supervisor.logs(request, this.#until(signal))) yield logLineOf(record);
    } catch (error) {
      throw asSlipwayError(error);
    }
  }

  async session({ place, command, terminal }: SessionSpec, signal: AbortSignal): Promise<Session> {
    const until = this.#until(signal);
    return this.#wrapped(null, async () => {
      if ("instance" in place)
        return openProcessSession({ command, terminal }, await this.#placeOf(place.instance, until), until);
      const { fresh } = place;
      if (fresh.artifact.kind !== "directory") throw needsContainers(fresh);
      await this.#files.unpack(fresh.id, fresh.artifact, until);
      const at = { cwd: this.#files.directoryOf(fresh.id), env: instanceEnvironment(fresh, process.env) };
      const remove = (): Promise<void> => this.#files.remove(fresh.id);
      try {
        const session = await openProcessSession({ command, terminal }, at, until);
        return { ...session, exit: session.exit.finally(remove) };
      } catch (error) {
        await remove();
        throw error;
      }
    });
  }

  async #placeOf(instance: InstanceId, signal: AbortSignal): Promise<Place> {
    const unit = await this.#find(instance.slice(0, instance.lastIndexOf(".")), signal);
    const known = unit === null || unit === "another-product's" ? [] : statusOf(unit).instances;
    const pid = known.find(({ id, state }) => id === instance && state === "running")?.pid ?? null;
    const place = pid === null ? null : placeOf(pid);
    if (place !== null) return place;
    throw new SlipwayError("INSTANCE_NOT_FOUND", { message: `no instance ${instance} runs here` });
  }

  async reach(instance: InstanceId, signal: AbortSignal): Promise<string> {
    return this.#wrapped(signal, async (until) => {
      const unit = await this.#find(instance.slice(0, instance.lastIndexOf(".")), until);
      const known = unit === null || unit === "another-product's" ? [] : statusOf(unit).instances;
      const address = known.find(({ id }) => id === instance)?.address ?? null;
      if (address === null) {
        throw new SlipwayError("INSTANCE_NOT_FOUND", { message: `no instance ${instance} listens here` });
      }
      return address;
    });
  }

  async restart(instance: InstanceId, startedAt: EpochMs, signal: AbortSignal): Promise<void> {
    await this.#wrapped(signal, async (until) => {
      const unit = await this.#find(instance.slice(0, instance.lastIndexOf(".")), until);
      if (unit === null || unit === "another-product's")
        throw new SlipwayError("INSTANCE_NOT_FOUND", { message: `no instance ${instance} is here` });
      await this.#supervisor.restart(instance, startedAt, until);
    });
  }

  async close(): Promise<void> {
    this.#closed.abort();
    this.#files.close();
  }

  async #find(key: string, signal: AbortSignal): Promise<UnitReport | null | "another-product's"> {
    const [unit] = await this.#supervisor.observe({ key }, signal);
    if (unit === undefined) return null;
    return unit.labels.product === this.#product ? unit : "another-product's";
  }

  #unitOf(spec: RevisionSpec, mode: UnitSpec["mode"]): UnitSpec {
    return {
      key: spec.id,
      labels: labelsOf(spec),
      notes: { configDigest: spec.configDigest },
      mode,
      command: spec.command,
      cwd: this.#files.directoryOf(spec.id),
      env: instanceEnvironment(spec, process.env),
      idVariable: instanceVariable,
      port: spec.listens,
      stopGraceMs: spec.stopGraceMs,
      memoryBytes: spec.memoryBytes,
      cpus: spec.cpus,
    };
  }

  async #wrapped<T>(signal: AbortSignal | null, work: (until: AbortSignal) => Promise<T>): Promise<T> {
    const { signal: until, release } = linkedSignal([...(signal === null ? [] : [signal]), this.#closed.signal]);
    try {
      return await work(until);
    } catch (error) {
      signal?.throwIfAborted();
      throw asSlipwayError(error);
    } finally {
      release();
    }
  }

  /** For what goes on after the call that asks for it. */
  #until(signal: AbortSignal): AbortSignal {
    return AbortSignal.any([signal, this.#closed.signal]);
  }
}
