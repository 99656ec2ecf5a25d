import { setTimeout as sleep } from "node:timers/promises";
import { reasonOf, SlipwayError } from "../../../core/errors/error.ts";
import type { Log } from "../../../ports/log.ts";
import { isAway } from "./errors.ts";
import { Host, type HostOptions } from "./host.ts";
import type { Seen } from "./status.ts";

/**
 * What to do when a host does not answer. `stop`: the call fails and names it. `wait`: until it is back, or the caller's signal.
 * `skip`: the others carry on alone; what is on it is put right when it is back.
 */
export type WhenAway = "stop" | "wait" | "skip";

const askAgainMs = 1_000;

/** All hosts of a target. */
export class Fleet {
  readonly hosts: readonly Host[];
  readonly #whenAway: WhenAway;
  readonly #log: Log | null;
  readonly #away = new Set<string>();
  readonly #onAnswer: (host: Host) => void;

  /** `onAnswer` is called whenever a host has answered. */
  constructor(
    hosts: readonly HostOptions[],
    {
      product,
      whenAway,
      log,
      onAnswer,
    }: {
      readonly product: string;
      readonly whenAway: WhenAway;
      readonly log: Log | null;
      readonly onAnswer: (host: Host) => void;
    },
  ) {
    if (hosts.length === 0) throw new TypeError("a docker target has at least one host");
    const names = new Set(hosts.map(({ name }) => name));
    if (names.size < hosts.length) throw new TypeError("hosts of a docker target have different names");
    this.hosts = hosts.map((host) => new Host(host, { product, isOnly: hosts.length === 1 }));
    this.#whenAway = whenAway;
    this.#log = log;
    this.#onAnswer = onAnswer;
  }

  others(host: Host): readonly Host[] {
    return this.hosts.filter((each) => each !== host);
  }

  /**
   * The same work at every host at once; the results of those that answer. What the others mean is said by `whenAway`. Errors: HOST_AWAY
   * with the name of the host, and what else keeps us out.
   */
  async each<T>(work: (host: Host) => Promise<T>, signal: AbortSignal): Promise<readonly T[]> {
    const all = await Promise.all(this.hosts.map((host) => this.#attempt(host, work, signal)));
    const done = all.flatMap((each) => ("value" in each ? [each.value] : []));
    const failed = all.flatMap((each) => ("error" in each ? [each] : []));
    const [first] = failed;
    if (first === undefined) return done;
    const mayCarryOn = this.#whenAway === "skip" && done.length > 0 && failed.every(({ error }) => isAway(error));
    if (mayCarryOn) return done;
    const others = failed.slice(1).map(({ host }) => ["also", host.name] as const);
    if (others.length === 0 || !(first.error instanceof SlipwayError)) throw first.error;
    const { code, message, evidence, hint } = first.error;
    throw new SlipwayError(code, { message, evidence: [...evidence, ...others], hint, cause: first.error });
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
    await Promise.all(this.hosts.map((host) => host.close()));
  }

  async #attempt<T>(
    host: Host,
    work: (host: Host) => Promise<T>,
    signal: AbortSignal,
  ): Promise<{ readonly value: T } | { readonly error: unknown; readonly host: Host }> {
    for (;;) {
      try {
        const value = await work(host);
        if (this.#away.delete(host.name)) this.#log?.info("host.back", { host: host.name });
        this.#onAnswer(host);
        return { value };
      } catch (error) {
        signal.throwIfAborted();
        // The same absence again is not news.
        if (isAway(error) && !this.#away.has(host.name)) {
          this.#away.add(host.name);
          this.#log?.warn("host.away", { host: host.name, reason: reasonOf(error), policy: this.#whenAway });
        }
        if (this.#whenAway !== "wait" || !isAway(error)) return { error, host };
        await sleep(askAgainMs, null, { signal });
      }
    }
  }
}
