import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterExit, type Backoff, noBackoff } from "./backoff.ts";
import { type Cgroups, killCgroup, removeCgroup } from "./cgroup.ts";
import type { Exit, InstanceReport, InstanceState, StartFailure, UnitSpec } from "./contract.ts";
import { OutputTail, outputLimits } from "./output-tail.ts";
import { type Ports, portIsFree } from "./ports.ts";
import {
  adoptProcess,
  type Ended,
  killGroup,
  killMarked,
  type LiveProcess,
  markVariable,
  startProcess,
  terminate,
} from "./process.ts";

/** What a restarted daemon needs to find the instance again. */
export type SavedInstance = {
  readonly index: number;
  readonly state: InstanceState;
  readonly pid: number | null;
  readonly startTicks: number | null;
  readonly port: number | null;
  readonly startedAt: number | null;
  readonly restarts: number;
  readonly lastExit: Exit | null;
  readonly failure: StartFailure | null;
  readonly cgroup: string | null;
};

export type Line = {
  readonly at: number;
  readonly stream: "stdout" | "stderr" | "supervisor";
  readonly instance: string;
  readonly text: string;
};

/** What an instance uses of the daemon. */
export type Surroundings = {
  readonly ports: Ports;
  readonly cgroups: Cgroups | null;
  readonly outputDirectory: string;
  readonly mark: (id: string) => string;
  readonly changed: () => void;
  readonly write: (lines: readonly Line[]) => void;
};

/** A port that is taken by a stranger so often in a row, just when it is needed, is given up. */
const portPatience = 2;
/** Samples above the limit, a second apart, until a watched instance is restarted. */
const memoryPatience = 2;
const dropReportMs = 1_000;

/**
 * One process that is kept running.
 *
 *   waiting -> running           the command was executed
 *   waiting -> backoff           it could not be
 *   running -> backoff           it ended (a service); crash-looping after the fifth time in a minute
 *   running -> exited            it ended (a job)
 *   backoff, crash-looping -> waiting   when its time has come
 *   any -> stopping -> stopped   on request; `keep` starts it again
 */
export class Instance {
  readonly id: string;
  readonly index: number;
  readonly #spec: () => UnitSpec;
  readonly #around: Surroundings;
  #state: InstanceState = "stopped";
  #wanted = false;
  #loop: Promise<void> | null = null;
  #live: LiveProcess | null = null;
  #terminating: Promise<{ readonly forced: boolean }> | null = null;
  #wake: (() => void) | null = null;
  #port: number | null = null;
  #portTaken = 0;
  #cgroup: string | null = null;
  #startedAt: number | null = null;
  #startedMonotonicMs = 0;
  #restarts = 0;
  #lastExit: Exit | null = null;
  #failure: StartFailure | null = null;
  #backoff: Backoff = noBackoff;
  #tails: { readonly stream: "stdout" | "stderr"; readonly tail: OutputTail }[] = [];
  #droppedBytes = 0;
  #droppedSaidMs = 0;
  #usage: { readonly cpu: number | null; readonly memoryBytes: number } | null = null;
  #overMemory = 0;

  constructor(key: string, index: number, spec: () => UnitSpec, around: Surroundings) {
    this.id = `${key}.${index}`;
    this.index = index;
    this.#spec = spec;
    this.#around = around;
  }

  /** Takes up what an earlier daemon left: `pid` may live still, have ended, or belong to another process by now. */
  restore(saved: SavedInstance, sameBoot: boolean): void {
    this.#restarts = saved.restarts;
    this.#lastExit = saved.lastExit;
    this.#failure = saved.failure;
    this.#cgroup = saved.cgroup;
    if (saved.port !== null && this.#around.ports.claim(saved.port)) this.#port = saved.port;
    this.#state = saved.state;
    const lived = saved.state === "running" || saved.state === "stopping";
    const live = lived && saved.pid !== null && sameBoot ? adoptProcess(saved.pid, saved.startTicks) : null;
    if (live !== null) this.adopt(live, saved.startedAt ?? Date.now());
    else if (lived) this.#noteUnseenEnd();
    else if (saved.state === "waiting") this.#state = "stopped";
  }

  /** Goes on with a process that already runs. */
  adopt(live: LiveProcess, startedAt: number, port: number | null = null): void {
    this.#live = live;
    if (this.#port === null && port !== null && this.#around.ports.claim(port)) this.#port = port;
    this.#startedAt = startedAt;
    this.#startedMonotonicMs = performance.now();
    this.#state = "running";
    this.#openTails();
    this.#wanted = true;
    this.#begin();
  }

  /** From now on it runs. Does nothing when it does already, or when it is a job that has ended. */
  keep(): void {
    const ended = this.#state === "exited" && this.#failure === null;
    if (this.#loop !== null || ended) return;
    this.#wanted = true;
    this.#begin();
  }

  /** From now on it does not. Returns when nothing of it lives. */
  async stop(): Promise<void> {
    this.#wanted = false;
    this.#wake?.();
    if (this.#live !== null) this.#terminate();
    else if (this.#loop === null) this.#rest();
    await this.#loop;
  }

  /** Ends the process that was started then, and lets the loop start another. Another life, or none, is left alone. */
  async restart(startedAt: number): Promise<void> {
    const live = this.#live;
    if (live === null || this.#startedAt !== startedAt || !this.#wanted) return;
    this.#say("restarted on request");
    this.#terminate();
    await live.ended;
  }

  /** Lets go of everything but the process: for a daemon that ends. */
  detach(): void {
    for (const { tail } of this.#tails.splice(0)) tail.close();
  }

  /** Removes what it left on disk, and gives its port back. It must be stopped. */
  forget(): void {
    this.detach();
    if (this.#port !== null) this.#around.ports.release(this.#port);
    if (this.#cgroup !== null) removeCgroup(this.#cgroup);
    for (const name of ["out", "out.read", "err", "err.read"]) {
      rmSync(join(this.#around.outputDirectory, `${this.id}.${name}`), { force: true });
    }
  }

  /** Reads what the process wrote. True when there is more than one look takes. */
  pump(flush = false): boolean {
    const lines: Line[] = [];
    let more = false;
    const at = Date.now();
    for (const { stream, tail } of this.#tails) {
      const look = tail.look(performance.now(), flush);
      for (const text of look.lines) lines.push({ at, stream, instance: this.id, text });
      this.#droppedBytes += look.droppedBytes;
      more ||= look.more || look.droppedBytes > 0;
    }
    if (this.#droppedBytes > 0 && (flush || performance.now() - this.#droppedSaidMs > dropReportMs)) {
      lines.push(this.#line(`dropped ${this.#droppedBytes} bytes of output: it writes faster than is logged`));
      this.#droppedBytes = 0;
      this.#droppedSaidMs = performance.now();
    }
    if (lines.length > 0) this.#around.write(lines);
    return more;
  }

  /** Takes a sample in; over the memory limit, where the kernel does not hold it, the instance is restarted. */
  sampled(usage: { readonly cpu: number | null; readonly memoryBytes: number }): void {
    this.#usage = usage;
    const limit = this.#spec().memoryBytes;
    if (limit === null || this.#around.cgroups?.limits.memory === "hard") return;
    this.#overMemory = usage.memoryBytes > limit ? this.#overMemory + 1 : 0;
    if (this.#overMemory < memoryPatience || this.#terminating !== null || this.#live === null) return;
    this.#say(`restarted: it uses ${usage.memoryBytes} bytes of memory, its limit is ${limit}`);
    this.#terminate();
  }

  get runningGroup(): number | null {
    return this.#live?.pid ?? null;
  }

  get state(): InstanceState {
    return this.#state;
  }

  /** Neither running nor about to. */
  get atRest(): boolean {
    return this.#loop === null;
  }

  get failure(): StartFailure | null {
    return this.#failure;
  }

  report(): InstanceReport {
    return {
      id: this.id,
      index: this.index,
      state: this.#state,
      port: this.#port,
      pid: this.#live?.pid ?? null,
      startedAt: this.#live === null ? null : this.#startedAt,
      restarts: this.#restarts,
      lastExit: this.#lastExit,
      failure: this.#failure,
      cpu: this.#usage?.cpu ?? null,
      memoryBytes: this.#usage?.memoryBytes ?? null,
    };
  }

  save(): SavedInstance {
    return {
      index: this.index,
      state: this.#state,
      pid: this.#live?.pid ?? null,
      startTicks: this.#live?.startTicks ?? null,
      port: this.#port,
      startedAt: this.#startedAt,
      restarts: this.#restarts,
      lastExit: this.#lastExit,
      failure: this.#failure,
      cgroup: this.#cgroup,
    };
  }

  #environment(): Record<string, string> {
    const spec = this.#spec();
    return {
      ...spec.env,
      ...(spec.idVariable !== null && { [spec.idVariable]: this.id }),
      ...(spec.port && this.#port !== null && { PORT: String(this.#port), HOST: "127.0.0.1" }),
    };
  }

  #begin(): void {
    // Not in this call: what the loop changes makes the unit look at its instances again.
    this.#loop = Promise.resolve()
      .then(() => this.#keepRunning())
      .finally(() => {
        this.#loop = null;
        this.#around.changed();
      });
  }

  async #keepRunning(): Promise<void> {
    const restarting = this.#state === "backoff" || this.#state === "crash-looping"; // under an earlier daemon
    if (this.#live === null) this.#restarts = restarting ? this.#restarts + 1 : 0;
    while (this.#wanted || this.#live !== null) {
      if (this.#live === null) await this.#start();
      if (this.#live !== null) await this.#untilEnded(this.#live);
      if (!this.#wanted) break;
      if (this.#spec().mode === "job") return this.#become("exited");
      await this.#pause();
      if (this.#wanted) this.#restarts += 1;
    }
    this.#rest();
  }

  async #start(): Promise<void> {
    this.#become("waiting");
    const spec = this.#spec();
    this.#failure = await this.#findPort(spec);
    if (this.#failure !== null || !this.#wanted) return this.#afterFailure();
    this.#openTails();
    const started = await startProcess({
      spec,
      env: { ...this.#environment(), [markVariable]: this.#around.mark(this.id) },
      stdout: spec.outputFile ?? this.#output("out"),
      stderr: spec.outputFile ?? this.#output("err"),
    });
    if ("message" in started) {
      this.#failure = started;
      return this.#afterFailure();
    }
    this.#cgroup = this.#around.cgroups?.enclose(started.pid, this.id, spec) ?? null;
    this.#live = started;
    this.#startedAt = Date.now();
    this.#startedMonotonicMs = performance.now();
    this.#usage = null;
    this.#overMemory = 0;
    this.#become("running");
    this.#say(`started: pid ${started.pid}${this.#port === null ? "" : `, port ${this.#port}`}`);
    if (!this.#wanted) this.#terminate(); // asked to stop while it was being started
  }

  /** Keeps the port it had. One that is taken by a stranger is given up the second time, or at once before the first start. */
  async #findPort(spec: UnitSpec): Promise<StartFailure | null> {
    if (!spec.port) return null;
    if (this.#port !== null) {
      if (await portIsFree(this.#port)) {
        this.#portTaken = 0;
        return null;
      }
      this.#portTaken += 1;
      const port = this.#port;
      if (this.#startedAt !== null && this.#portTaken < portPatience) {
        return { code: "PORTS", message: `port ${port} is taken by another program` };
      }
      this.#say(`port ${port} is taken by another program; it gets another one`);
      this.#around.ports.release(port);
    }
    this.#portTaken = 0;
    this.#port = await this.#around.ports.acquire();
    return this.#port === null ? { code: "PORTS", message: "no port of the range is free" } : null;
  }

  #afterFailure(): void {
    if (this.#failure === null) return;
    this.#backoff = afterExit(this.#backoff, 0, performance.now());
    this.#say(`could not be started: ${this.#failure.message}`);
  }

  async #untilEnded(live: LiveProcess): Promise<void> {
    const ended = await live.ended;
    const lifeMs = performance.now() - this.#startedMonotonicMs;
    this.#lastExit = { ...ended, at: Date.now() };
    const forced = await this.#endRest(live);
    this.#live = null;
    this.#usage = null;
    this.pumpAll();
    this.#backoff = afterExit(this.#backoff, lifeMs, performance.now());
    this.#say(`ended: ${wordsOf(ended)}${forced ? `, by force after ${this.#spec().stopGraceMs} ms of grace` : ""}`);
  }

  /** What it forked does not outlive it: the next one would find its port taken. On a stop it has the rest of the grace. */
  async #endRest(live: LiveProcess): Promise<boolean> {
    const forced = this.#terminating === null ? false : (await this.#terminating).forced;
    if (this.#terminating === null) await killGroup(live);
    this.#terminating = null;
    if (this.#cgroup !== null) killCgroup(this.#cgroup);
    else await killMarked(this.#around.mark(this.id), live);
    return forced;
  }

  #terminate(): void {
    if (this.#live === null || this.#terminating !== null) return;
    this.#terminating = terminate(this.#live, this.#spec().stopGraceMs);
    this.#become("stopping");
  }

  async #pause(): Promise<void> {
    const { delayMs, looping } = this.#backoff;
    this.#become(looping ? "crash-looping" : "backoff");
    this.#say(`${looping ? "it ends again and again; " : ""}starts again in ${delayMs} ms`);
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, delayMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = null;
  }

  #rest(): void {
    this.#backoff = noBackoff;
    this.#failure = null;
    this.#startedAt = null;
    this.#become("stopped");
  }

  #noteUnseenEnd(): void {
    void killMarked(this.#around.mark(this.id));
    this.#lastExit = { code: null, signal: null, at: Date.now() };
    this.#openTails();
    this.pumpAll();
    this.#say("ended while no supervisor watched");
    this.#state = this.#spec().mode === "job" ? "exited" : "backoff";
  }

  /** All that it has written, when it can write no more. */
  pumpAll(): void {
    const looks = Math.ceil(outputLimits.backlogBytes / outputLimits.bytesPerLook) + 1;
    for (let i = 0; i < looks && this.pump(i === looks - 1); i++);
    this.pump(true);
  }

  #openTails(): void {
    if (this.#tails.length > 0 || this.#spec().outputFile !== undefined) return;
    try {
      for (const [stream, name] of [
        ["stdout", "out"],
        ["stderr", "err"],
      ] as const) {
        writeFileSync(this.#output(name), "", { flag: "a", mode: 0o600 });
        this.#tails.push({ stream, tail: new OutputTail(this.#output(name)) });
      }
    } catch {
      // A full disk: the start itself will say so. An adopted process has its files already.
      this.detach();
    }
  }

  #output(name: "out" | "err"): string {
    return join(this.#around.outputDirectory, `${this.id}.${name}`);
  }

  #become(state: InstanceState): void {
    this.#state = state;
    this.#around.changed();
  }

  #say(text: string): void {
    if (this.#spec().outputFile !== undefined) return;
    this.#around.write([this.#line(text)]);
  }

  #line(text: string): Line {
    return { at: Date.now(), stream: "supervisor", instance: this.id, text };
  }
}

function wordsOf(ended: Ended): string {
  if (ended.signal !== null) return `killed by ${ended.signal}`;
  return ended.code === null ? "how is not known" : `exit code ${ended.code}`;
}
