import { setTimeout as sleep } from "node:timers/promises";
import { reasonOf, SlipwayError } from "../../../core/errors/error.ts";
import type { RevisionId } from "../../../core/ids.ts";
import { formatDuration } from "../../../core/product/units.ts";
import type { HostStatus } from "../../../ports/hosts.ts";
import type { Log } from "../../../ports/log.ts";
import type { HostsAway, RevisionSelector } from "../../../ports/target.ts";
import { isAway } from "./errors.ts";
import { Host, type HostOptions } from "./host.ts";
import type { Seen } from "./status.ts";

/**
 * What to do when a host does not answer. `stop`: the call fails and names it. `wait`: until it is back, for so long, or the caller's signal.
 * `skip`: the others carry on alone; what is on it is put right when it is back.
 */
export type WhenAway = "stop" | "wait" | "skip";

const askAgainMs = 1_000;
/** How often a host that is given up is asked whether it is back: nobody waits for that answer. */
const askGivenUpMs = 2_000;

/** How a host has answered. */
type Answering = { awaySinceMs: number | null; askedMs: number; givenUp: boolean; asking: boolean };

/** What one host has, or had when it was seen last. */
export type Look = { readonly host: Host; readonly seen: readonly Seen[] };

type Attempt<T> = { readonly value: T } | { readonly error: unknown; readonly host: Host };

/** All hosts of a target. */
export class Fleet {
  readonly hosts: readonly Host[];
  readonly #whenAway: WhenAway;
  readonly #waitAtMostMs: number;
  readonly #log: Log | null;
  readonly #answering = new Map<string, Answering>();
  readonly #closed = new AbortController();
  readonly #onAnswer: (host: Host) => void;

  /** `onAnswer` is called whenever a host has answered. */
  constructor(
    hosts: readonly HostOptions[],
    {
      product,
      whenAway,
      waitAtMostMs,
      log,
      onAnswer,
    }: {
      readonly product: string;
      readonly whenAway: WhenAway;
      readonly waitAtMostMs: number;
      readonly log: Log | null;
      readonly onAnswer: (host: Host) => void;
    },
  ) {
    if (hosts.length === 0) throw new TypeError("a docker target has at least one host");
    const names = new Set(hosts.map(({ name }) => name));
    if (names.size < hosts.length) throw new TypeError("hosts of a docker target have different names");
    this.hosts = hosts.map((host) => new Host(host, { product, isOnly: hosts.length === 1 }));
    this.#whenAway = whenAway;
    this.#waitAtMostMs = waitAtMostMs;
    this.#log = log;
    this.#onAnswer = onAnswer;
  }

  others(host: Host): readonly Host[] {
    return this.hosts.filter((each) => each !== host);
  }

  status(): readonly HostStatus[] {
    const now = performance.now();
    return this.hosts.map(({ name, docker }) => {
      const { awaySinceMs = null, askedMs = null, givenUp = false } = this.#answering.get(name) ?? {};
      const awayForMs = awaySinceMs === null ? null : Math.max(0, now - awaySinceMs);
      return { name, url: docker.url, awayForMs, askedMs, givenUp };
    });
  }

  /** It counts as not there until it answers. Does nothing where it does. */
  giveUp(url: string): void {
    for (const { name, docker } of this.hosts) {
      const known = this.#answering.get(name);
      if (docker.url === url && known !== undefined && known.awaySinceMs !== null) known.givenUp = true;
    }
  }

  /**
   * The same work at every host at once; the results of those that answer, of one at least. What the others mean is said by `hostsAway`, and as
   * configured by `whenAway`. Errors: HOST_AWAY with the name of the host, HOST_STAYED_AWAY where it was waited for, and what else keeps us out.
   */
  async each<T>(
    work: (host: Host) => Promise<T>,
    signal: AbortSignal,
    hostsAway: HostsAway = "as configured",
  ): Promise<readonly T[]> {
    const areLeftOut = hostsAway === "left out";
    return this.#resultsOf(await this.#attempts(work, signal, () => areLeftOut), areLeftOut);
  }

  /** `isOver`: nobody waits any more for a host that is away. */
  #attempts<T>(
    work: (host: Host) => Promise<T>,
    signal: AbortSignal,
    isOver: () => boolean,
  ): Promise<readonly Attempt<T>[]> {
    return Promise.all(this.hosts.map((host) => this.#attempt(host, work, signal, isOver)));
  }

  /**
   * What is there, host by host; nobody waits for one that does not answer. Of that one is told what was seen there last; nothing
   * where it is given up or may be left out. What one means that was never seen is said by `unseen`: as `each`, or nothing as long as
   * another is known. Errors: as `each`.
   */
  async look(
    selector: RevisionSelector,
    signal: AbortSignal,
    { unseen }: { readonly unseen: "as each" | "nothing" } = { unseen: "as each" },
  ): Promise<readonly Look[]> {
    const lookAt = async (host: Host): Promise<Attempt<Look>> => {
      const work = async () => ({ host, seen: await host.look(selector, signal) });
      const attempt = await this.#attempt(host, work, signal, () => true);
      const last = host.seenLast(selector);
      const isKnown = "error" in attempt && isAway(attempt.error) && !this.#mayBeLeft(host) && last !== null;
      return isKnown ? { value: { host, seen: last } } : attempt;
    };
    const all = await Promise.all(this.hosts.map(lookAt));
    const isWanted = (attempt: Attempt<Look>) => "value" in attempt || !isAway(attempt.error) || unseen === "as each";
    const wanted = all.filter(isWanted);
    return this.#resultsOf(wanted.some((attempt) => "value" in attempt) ? wanted : all);
  }

  #resultsOf<T>(all: readonly Attempt<T>[], areLeftOut = false): readonly T[] {
    const done = all.flatMap((each) => ("value" in each ? [each.value] : []));
    const failed = all.flatMap((each) => ("error" in each ? [each] : []));
    const [first] = failed;
    if (first === undefined) return done;
    if (done.length > 0 && failed.every(({ host, error }) => isAway(error) && (areLeftOut || this.#mayBeLeft(host))))
      return done;
    const others = failed.slice(1).map(({ host }) => ["also", host.name] as const);
    if (others.length === 0 || !(first.error instanceof SlipwayError)) throw first.error;
    const { code, message, evidence, hint } = first.error;
    throw new SlipwayError(code, { message, evidence: [...evidence, ...others], hint, cause: first.error });
  }

  /**
   * What the first host that has it answers; null where none has. A host that is away is no matter when another has it: whoever wants one
   * instance need not wait for where the others are. Errors: as `each`.
   */
  async first<T>(work: (host: Host) => Promise<T | null>, signal: AbortSignal): Promise<T | null> {
    let isOver = false;
    let found: (value: T) => void = () => {};
    const had = new Promise<T>((resolve) => {
      found = resolve;
    });
    const asked = async (host: Host): Promise<void> => {
      const value = await work(host);
      if (value !== null) found(value);
    };
    const all = this.#attempts(asked, signal, () => isOver).then((each) => {
      this.#resultsOf(each);
      return null;
    });
    // Questions under way are answered all the same: to break one off costs its connection.
    all.catch(() => {});
    try {
      return await Promise.race([had, all]);
    } finally {
      isOver = true;
    }
  }

  /** What a host has, or nothing when it is away: for what is only good to know. */
  async orNothing(look: Promise<readonly Seen[]>, signal: AbortSignal): Promise<readonly Seen[]> {
    try {
      return await look;
    } catch (error) {
      signal.throwIfAborted();
      if (isAway(error)) return [];
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#closed.abort();
    await Promise.all(this.hosts.map((host) => host.close()));
  }

  async #attempt<T>(
    host: Host,
    work: (host: Host) => Promise<T>,
    signal: AbortSignal,
    isOver: () => boolean,
  ): Promise<Attempt<T>> {
    const beganMs = performance.now();
    for (;;) {
      if (this.#isGivenUp(host)) {
        void this.#askGivenUp(host);
        return {
          error: new SlipwayError("HOST_AWAY", { message: `host ${host.name} is given up until it answers` }),
          host,
        };
      }
      try {
        const value = await work(host);
        this.#noteAnswer(host);
        return { value };
      } catch (error) {
        signal.throwIfAborted();
        if (!isAway(error)) return { error, host };
        this.#noteAbsence(host, error);
        if (this.#whenAway !== "wait" || isOver()) return { error, host };
        const waitedMs = performance.now() - beganMs;
        if (waitedMs >= this.#waitAtMostMs) return { error: stayedAway(host, error, waitedMs), host };
        await sleep(askAgainMs, null, { signal });
      }
    }
  }

  #mayBeLeft(host: Host): boolean {
    return this.#whenAway === "skip" || this.#isGivenUp(host);
  }

  #isGivenUp({ name }: Host): boolean {
    return this.#answering.get(name)?.givenUp === true;
  }

  #noteAnswer(host: Host): void {
    const before = this.#answering.get(host.name);
    const askedMs = performance.now();
    this.#answering.set(host.name, { awaySinceMs: null, askedMs, givenUp: false, asking: false });
    if (before !== undefined && before.awaySinceMs !== null) this.#log?.info("host.back", { host: host.name });
    this.#onAnswer(host);
  }

  #noteAbsence(host: Host, error: unknown): void {
    const before = this.#answering.get(host.name);
    const now = performance.now();
    const known = { givenUp: false, asking: false, ...before };
    this.#answering.set(host.name, { ...known, awaySinceMs: before?.awaySinceMs ?? now, askedMs: now });
    // The same absence again is not news.
    if (before?.awaySinceMs == null)
      this.#log?.warn("host.away", { host: host.name, reason: reasonOf(error), policy: this.#whenAway });
  }

  async #askGivenUp(host: Host): Promise<void> {
    const known = this.#answering.get(host.name);
    if (known === undefined || known.asking || performance.now() - known.askedMs < askGivenUpMs) return;
    known.asking = true;
    try {
      // Of no service: only whether it answers.
      await host.look({ revision: "none" as RevisionId }, this.#closed.signal);
      this.#noteAnswer(host);
    } catch (error) {
      if (this.#closed.signal.aborted) return;
      this.#noteAbsence(host, error);
    } finally {
      known.asking = false;
      const now = this.#answering.get(host.name);
      if (now !== undefined) now.asking = false;
    }
  }
}

/** Another try would only wait as long again. */
function stayedAway(host: Host, error: unknown, waitedMs: number): SlipwayError {
  const { evidence } = error as SlipwayError;
  const waited = formatDuration(Math.round(waitedMs / 1_000) * 1_000);
  return new SlipwayError("HOST_STAYED_AWAY", {
    message: `host ${host.name} did not come back within ${waited}`,
    evidence: [["the last time", reasonOf(error)], ...evidence],
    cause: error,
  });
}
