import { type InstanceId, instanceId, type RevisionId } from "../../core/ids.ts";
import { afterExit, type Backoff, noBackoff } from "../../lib/supervisor/backoff.ts";
import type {
  InstanceState,
  InstanceStatus,
  LastExit,
  LogLine,
  RevisionSpec,
  RevisionStatus,
} from "../../ports/target.ts";
import { type Condition, conditionOf, type Program } from "./service.ts";
import type { Due, Timeline } from "./timeline.ts";

/** Who ended an instance, or keeps it from answering: the control plane, the program itself, or what befell its host. */
export type Cause = "slipway" | "program" | "fault";

export type Instance = {
  readonly id: InstanceId;
  readonly revision: Revision;
  readonly index: number;
  readonly host: number;
  readonly address: string;
  state: InstanceState | "starting" | "gone";
  pid: number | null;
  startedAt: number | null;
  /** When it began to listen, in the time of the world; null while it does not. */
  readyAtMs: number | null;
  restarts: number;
  lastExit: LastExit | null;
  /** Why it does not answer, while it does not. */
  downBy: Cause;
  /** Fails its health check and every request until it is started again. */
  sick: boolean;
  /** Until then at least one request is in flight. */
  busyUntilMs: number;
  /** Time of a processor that it has used, and what a look at it has found last. */
  workMs: number;
  usage: { readonly atMs: number; readonly workMs: number; readonly share: number | null };
  backoff: Backoff;
  bornMs: number;
  /** What is to happen to it next. */
  next: Due | null;
};

export type Revision = {
  readonly spec: RevisionSpec;
  readonly program: Program;
  wanted: number;
  readonly instances: Map<number, Instance>;
};

type Deps = {
  readonly timeline: Timeline;
  readonly hosts: number;
  readonly programOf: (spec: RevisionSpec) => Program;
  /** Time of a processor that a request takes; null where nobody looks at what instances use. */
  readonly requestCpuMs: number | null;
  /** Share of answers that fail now for what all instances need: a database, another company. */
  readonly shared: () => number;
  /** Called before anything changes that decides how requests are answered. */
  readonly beforeChange: () => void;
  /** Requests were in flight at an instance that has ended. */
  readonly onCut: (instance: Instance, cause: Cause) => void;
  readonly tell: (event: string, instance: Instance) => void;
};

/** From the request to start until the process exists. */
const spawnMs = 8;
/** The least time over which it is said what an instance uses. */
const cpuLookMs = 1_000;
/** So long after it was refused a revision need not run yet: who asked has looked several times by then. */
const refusalLastsMs = 60_000;
/** From when a host is back until what it had starts there. */
const bootMs = 1_500;
/** From its first answer until the edge must have been told that it is there. */
const tellingMs = 1_000;
/** Instances that are kept of what was started and removed. */
const goneKept = 64;
/** Lines that are kept of a revision. */
const linesKept = 20;

/**
 * The hosts and what runs on them. It goes on by itself, whoever asked for it: processes start, answer, crash and are started
 * again with the back-off of the real supervisor, whether a control plane lives or not.
 */
export class Machine {
  readonly revisions = new Map<RevisionId, Revision>();
  readonly #deps: Deps;
  readonly #byAddress = new Map<string, Instance>();
  readonly #watchers = new Set<() => void>();
  readonly #stopped = new Map<RevisionId, Cause>();
  /** Revisions that the control plane wanted started, and that the hosts refused; until when they refuse them. */
  readonly #refused = new Map<RevisionId, number>();
  /** Hosts that are away, with all that ran there. */
  readonly #lost = new Set<number>();
  #losses = 0;
  readonly #lines = new Map<RevisionId, { readonly product: string; readonly lines: LogLine[] }>();
  #ports = 20_000;
  #pids = 100;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  get hosts(): number {
    return this.#deps.hosts;
  }

  /** How often a host was lost until now: what was begun before is not known to be done. */
  get losses(): number {
    return this.#losses;
  }

  isLost(host: number): boolean {
    return this.#lost.has(host);
  }

  /** A host goes away as if its power was cut. What runs there answers nobody, and nothing starts there. */
  lose(host: number): void {
    this.#deps.beforeChange();
    this.#lost.add(host);
    this.#losses += 1;
    for (const instance of this.#on(host)) {
      if (instance.next !== null) instance.next.off = true;
      if (instance.readyAtMs !== null || instance.state === "running") this.#down(instance, "fault");
      // What was only being made is not there, and what was being stopped has ended.
      if (instance.state === "starting" || instance.state === "stopping") this.#drop(instance);
      this.#deps.tell("cut off", instance);
    }
    this.#changed();
  }

  /** It is back, and starts what it had; a job that was cut off has ended. Does nothing where it is not away. */
  find(host: number): void {
    if (!this.#lost.delete(host)) return;
    for (const instance of this.#on(host)) {
      if (instance.revision.spec.mode !== "job") {
        instance.state = "backoff";
        this.#then(instance, bootMs, () => {
          instance.restarts += 1;
          this.#spawn(instance);
        });
      } else if (instance.state === "running") this.#exit(instance, { code: null, signal: "SIGKILL" }, "fault");
    }
    this.#changed();
  }

  /** How many instances of a revision there are to be on hosts that can be had; null where all it has is on one that is lost. */
  wantedOf({ wanted, instances }: Revision): number | null {
    const lost = [...instances.values()].filter(({ host, index }) => index < wanted && this.isLost(host)).length;
    return lost > 0 && lost === wanted ? null : wanted - lost;
  }

  #on(host: number): Instance[] {
    const all = [...this.revisions.values()].flatMap(({ instances }) => [...instances.values()]);
    return all.filter((instance) => instance.host === host);
  }

  /** No more of its revision. Who still asks it finds out why it does not answer. */
  #drop(instance: Instance): void {
    instance.state = "gone";
    instance.pid = null;
    instance.revision.instances.delete(instance.index);
  }

  at(address: string): Instance | undefined {
    return this.#byAddress.get(address);
  }

  isListening(instance: Instance | undefined): instance is Instance {
    return instance !== undefined && instance.readyAtMs !== null;
  }

  conditionOf(instance: Instance): Condition {
    const { timeline, shared } = this.#deps;
    if (instance.sick) return { errorRatio: 1, latencyFactor: 1, healthy: false };
    const readyForMs = timeline.nowMs - (instance.readyAtMs ?? timeline.nowMs);
    return conditionOf(instance.revision.program, { readyForMs, host: instance.host, shared: shared() });
  }

  /** Calls back after every change of what `statusOf` says; returns the way to end that. */
  watch(tell: () => void): () => void {
    this.#watchers.add(tell);
    return () => void this.#watchers.delete(tell);
  }

  /** What its instances have written, also when they are gone; oldest first. */
  linesOf(id: RevisionId, product: string): readonly LogLine[] {
    const kept = this.#lines.get(id);
    return kept?.product === product ? kept.lines : [];
  }

  /** The hosts have refused to start it. Until it answers, and the control plane had time for that, nobody else is to blame. */
  refuse(id: RevisionId): void {
    this.#refused.set(id, this.#deps.timeline.nowMs + refusalLastsMs);
  }

  #isRefused(id: RevisionId): boolean {
    return (this.#refused.get(id) ?? 0) > this.#deps.timeline.nowMs;
  }

  #endRefusal(id: RevisionId): void {
    const until = this.#refused.get(id);
    if (until !== undefined) this.#refused.set(id, Math.min(until, this.#deps.timeline.nowMs + tellingMs));
  }

  /** Why a revision has nothing that answers: what ended the last of it, or keeps it from being started. */
  downBy(id: RevisionId): Cause {
    if (this.#isRefused(id)) return "fault";
    const revision = this.revisions.get(id);
    if (revision === undefined) return this.#stopped.get(id) ?? "slipway";
    const [first] = [...revision.instances.values()].filter((each) => each.index < revision.wanted);
    return first?.downBy ?? "slipway";
  }

  /**
   * As `Target.ensure`: resolves when the wanted processes have been started and the surplus ones have ended, or a host was lost meanwhile. What
   * is on a host that is `leftOut` starts on another.
   */
  async ensure(spec: RevisionSpec, wanted: number, leftOut: ReadonlySet<number> = new Set()): Promise<RevisionStatus> {
    const losses = this.#losses;
    this.#deps.beforeChange();
    let revision = this.revisions.get(spec.id);
    if (revision === undefined) {
      revision = { spec, program: this.#deps.programOf(spec), wanted, instances: new Map() };
      this.revisions.set(spec.id, revision);
    }
    revision.wanted = wanted;
    if (wanted === 0) this.#refused.delete(spec.id);
    const lost = [...revision.instances.values()].filter(({ host }) => leftOut.has(host));
    for (const instance of lost) this.#drop(instance);
    // What takes the place of one that a fault has ended does not answer for that reason, until it does.
    for (const { index } of lost) if (index < wanted) this.#start(revision, index, "fault");
    for (let index = 0; index < wanted; index += 1) this.#start(revision, index);
    for (const instance of [...revision.instances.values()]) if (instance.index >= wanted) this.#stop(instance);
    this.#changed();
    await this.#until(() => revision.wanted !== wanted || isAsWanted(revision) || this.#losses !== losses);
    return this.statusOf(revision);
  }

  async remove(id: RevisionId): Promise<void> {
    const revision = this.revisions.get(id);
    if (revision === undefined) return;
    this.#deps.beforeChange();
    revision.wanted = 0;
    this.#refused.delete(id);
    for (const instance of [...revision.instances.values()]) this.#stop(instance);
    this.#changed();
    await this.#until(() => revision.instances.size === 0 || revision.wanted > 0);
    if (revision.wanted > 0) return;
    this.revisions.delete(id);
    this.#stopped.set(id, "slipway");
    if (this.#stopped.size > goneKept) this.#stopped.delete(this.#stopped.keys().next().value ?? id);
    this.#changed();
  }

  statusOf({ spec, wanted, instances }: Revision): RevisionStatus {
    const { id, product, environment, service, release, configDigest } = spec;
    const listed = [...instances.values()].filter(({ state }) => state !== "starting" && state !== "gone");
    const statuses = listed.sort((a, b) => a.index - b.index).map((instance) => this.#instanceStatus(instance));
    return { id, product, environment, service, release, configDigest, wanted, instances: statuses };
  }

  /** What befalls an instance: it ends now, and is started again as after a crash. */
  strike(instance: Instance, cause: Cause = "fault"): void {
    if (instance.state !== "running" || this.isLost(instance.host)) return;
    this.#exit(instance, { code: null, signal: "SIGKILL" }, cause);
  }

  /** Whoever listens there has so many requests more to answer. */
  give(address: string, count: number): void {
    const instance = this.#byAddress.get(address);
    if (instance !== undefined) instance.workMs += count * (this.#deps.requestCpuMs ?? 0);
  }

  /** From now on it lives, and is not well. */
  sicken(instance: Instance, sick: boolean): void {
    this.#deps.beforeChange();
    instance.sick = sick;
  }

  /** As `Restarts.restart`: another life begins at the same address. What the sick one did not answer is not lost by that. */
  restart(instance: Instance, startedAt: number): void {
    if (instance.state !== "running" || instance.startedAt !== startedAt) return;
    this.#down(instance, "program");
    instance.state = "starting";
    this.#deps.tell("restarting", instance);
    this.#then(instance, instance.revision.program.stopMs + spawnMs, () => this.#spawn(instance));
    this.#changed();
  }

  #instanceStatus(instance: Instance): InstanceStatus {
    const { spec } = instance.revision;
    const isHere = instance.state === "running" || instance.state === "backoff" || instance.state === "crash-looping";
    return {
      id: instance.id,
      index: instance.index,
      host: this.hosts === 1 ? null : `host-${instance.host}`,
      state: instance.state as InstanceState,
      address: spec.listens && isHere ? instance.address : null,
      pid: instance.pid,
      startedAt: instance.startedAt,
      restarts: instance.restarts,
      lastExit: instance.lastExit,
      cpu: this.#deps.requestCpuMs === null ? null : this.#cpuOf(instance),
      memoryBytes: null,
    };
  }

  /** Between two looks, as engines count it; unknown until a first second is over. An instance has one processor. */
  #cpuOf(instance: Instance): number | null {
    if (instance.state !== "running") return null;
    this.#deps.beforeChange();
    const { nowMs } = this.#deps.timeline;
    const { atMs, workMs } = instance.usage;
    const tookMs = nowMs - atMs;
    if (tookMs >= cpuLookMs) {
      const share = Math.min(1, (instance.workMs - workMs) / tookMs);
      instance.usage = { atMs: nowMs, workMs: instance.workMs, share };
    }
    return instance.usage.share;
  }

  #start(revision: Revision, index: number, downBy: Cause = "slipway"): void {
    const known = revision.instances.get(index);
    // One that is being stopped is waited for, and started when it has ended.
    if (known !== undefined) return;
    const there = Array.from({ length: this.hosts }, (_, host) => host).filter((host) => !this.isLost(host));
    const host = there[index % there.length] ?? 0;
    const instance: Instance = {
      id: instanceId(revision.spec.id, index),
      revision,
      index,
      host,
      address: `10.0.${host}.1:${this.#ports++}`,
      state: "starting",
      pid: null,
      startedAt: null,
      readyAtMs: null,
      restarts: 0,
      lastExit: null,
      downBy: this.#isRefused(revision.spec.id) ? "fault" : downBy,
      sick: false,
      busyUntilMs: 0,
      workMs: 0,
      usage: { atMs: 0, workMs: 0, share: null },
      backoff: noBackoff,
      bornMs: 0,
      next: null,
    };
    revision.instances.set(index, instance);
    this.#byAddress.set(instance.address, instance);
    this.#then(instance, spawnMs, () => this.#spawn(instance));
  }

  #spawn(instance: Instance): void {
    const { timeline } = this.#deps;
    const { program, spec } = instance.revision;
    instance.state = "running";
    instance.sick = false;
    instance.pid = this.#pids++;
    instance.startedAt = Math.round(timeline.wallMs);
    instance.bornMs = timeline.nowMs;
    instance.usage = { atMs: timeline.nowMs, workMs: instance.workMs, share: null };
    this.#deps.tell("started", instance);
    this.#write(instance, program.says ?? { stream: "stderr", text: `simulated: ${program.ailment.is}` });
    const { ailment } = program;
    if (ailment.is === "dead-on-start")
      this.#then(instance, program.readyMs / 2, () =>
        this.#exit(instance, { code: ailment.code ?? 1, signal: null }, "program"),
      );
    else if (spec.mode === "job") {
      const code = ailment.is === "job-fails" ? ailment.code : 0;
      this.#then(instance, program.readyMs, () => this.#exit(instance, { code, signal: null }, "program"));
    } else if (ailment.is !== "never-ready") this.#then(instance, program.readyMs, () => this.#ready(instance));
    this.#changed();
  }

  #ready(instance: Instance): void {
    const { timeline, beforeChange } = this.#deps;
    const { ailment } = instance.revision.program;
    beforeChange();
    this.#endRefusal(instance.revision.spec.id);
    if (instance.revision.spec.listens) instance.readyAtMs = timeline.nowMs;
    if (ailment.is === "crash-loop")
      this.#then(instance, ailment.afterMs, () => this.#exit(instance, { code: 1, signal: null }, "program"));
  }

  #exit(instance: Instance, exit: Pick<LastExit, "code" | "signal">, cause: Cause): void {
    const { timeline, tell } = this.#deps;
    this.#down(instance, cause);
    instance.lastExit = { ...exit, at: Math.round(timeline.wallMs) };
    if (instance.revision.spec.mode === "job") instance.state = "exited";
    else {
      instance.backoff = afterExit(instance.backoff, timeline.nowMs - instance.bornMs, timeline.nowMs);
      instance.state = instance.backoff.looping ? "crash-looping" : "backoff";
      this.#then(instance, instance.backoff.delayMs, () => {
        instance.restarts += 1;
        this.#spawn(instance);
      });
    }
    tell("exited", instance);
    this.#changed();
  }

  #stop(instance: Instance): void {
    if (instance.state === "stopping" || instance.state === "gone") return;
    if (this.isLost(instance.host)) {
      this.#drop(instance);
      return;
    }
    const { program, spec } = instance.revision;
    const lives = instance.state === "running";
    this.#down(instance, "slipway");
    instance.state = "stopping";
    this.#deps.tell("stopping", instance);
    this.#then(instance, lives ? Math.min(program.stopMs, spec.stopGraceMs) : 0, () => {
      instance.state = "gone";
      instance.pid = null;
      instance.revision.instances.delete(instance.index);
      this.#byAddress.delete(instance.address);
      if (instance.index < instance.revision.wanted) this.#start(instance.revision, instance.index);
      this.#changed();
    });
  }

  /** From now on it answers nothing; what it was answering is lost: it is a program that ends at once, as many do. */
  #down(instance: Instance, cause: Cause): void {
    this.#deps.beforeChange();
    if (instance.readyAtMs !== null && instance.busyUntilMs > this.#deps.timeline.nowMs)
      this.#deps.onCut(instance, cause);
    instance.readyAtMs = null;
    instance.downBy = cause;
    if (instance.state === "running") instance.pid = null;
  }

  #write({ id, revision: { spec }, startedAt }: Instance, line: Pick<LogLine, "stream" | "text">): void {
    const { product, service, release } = spec;
    const kept = this.#lines.get(spec.id) ?? { product, lines: [] };
    kept.lines.push({ ...line, at: (startedAt ?? 0) + 1, service, release, revision: spec.id, instance: id });
    if (kept.lines.length > linesKept) kept.lines.shift();
    this.#lines.set(spec.id, kept);
  }

  #then(instance: Instance, ms: number, happen: () => void): void {
    if (instance.next !== null) instance.next.off = true;
    instance.next = this.#deps.timeline.after(ms, happen);
  }

  #changed(): void {
    for (const tell of [...this.#watchers]) tell();
  }

  async #until(is: () => boolean): Promise<void> {
    while (!is()) {
      await new Promise<void>((resolve) => {
        const end = this.watch(() => {
          end();
          resolve();
        });
      });
    }
  }
}

function isAsWanted({ wanted, instances }: Revision): boolean {
  if (instances.size !== wanted) return false;
  return [...instances.values()].every(
    ({ index, state }) => index < wanted && state !== "starting" && state !== "stopping",
  );
}
