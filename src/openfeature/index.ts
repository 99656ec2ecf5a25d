/** For services: their feature flags by OpenFeature, `import { SlipwayFlags } from "slipway/openfeature"`. */
import {
  ErrorCode,
  type EvaluationContext,
  type JsonValue,
  OpenFeatureEventEmitter,
  type Provider,
  ProviderEvents,
  type ResolutionDetails,
} from "@openfeature/server-sdk";
import type { FlagDocument } from "../core/flags/document.ts";
import { evaluateFlag } from "../core/flags/flag.ts";
import { ask } from "./ask.ts";
import { fileFor, keep, readKept } from "./disk.ts";

export type SlipwayFlagsOptions = {
  /** Default: SLIPWAY_FLAGS_URL, which Slipway gives to every process of a service. */
  readonly url?: string;
  /** Default: SLIPWAY_FLAGS_TOKEN, likewise. */
  readonly token?: string;
  /** Where the last known values are kept; false: nowhere. Default: a file of this user in the system's directory for temporary files. */
  readonly file?: string | false;
  /** How long one question waits for news, ms. Default 25,000. */
  readonly waitMs?: number;
};

/** How long `initialize` waits for the first answer, when nothing is known from before, and when something is. */
const firstMs = 5_000;
const firstWithKeptMs = 500;
const leastBetweenMs = 250;
const mostBackoffMs = 30_000;

/**
 * Flags of the environment that this process runs in, as the control plane has them at this moment: it is asked for news all the
 * time, and evaluated here, without a question. When it is away the last known values stay (reason `STALE`), also after a restart of
 * the process; when nothing was ever known, the code's own defaults hold (`PROVIDER_NOT_READY`). Never throws while it evaluates.
 */
export class SlipwayFlags implements Provider {
  readonly metadata = { name: "slipway" } as const;
  readonly runsOn = "server" as const;
  readonly events = new OpenFeatureEventEmitter();
  readonly #url: string;
  readonly #token: string;
  readonly #file: string | null;
  readonly #waitMs: number;
  readonly #stop = new AbortController();
  #document: FlagDocument | null = null;
  #tag: string | null = null;
  #isStale = true;
  #done: Promise<void> = Promise.resolve();

  /** Errors: TypeError without an address or a token. */
  constructor(options: SlipwayFlagsOptions = {}) {
    const url = options.url ?? process.env.SLIPWAY_FLAGS_URL ?? "";
    const token = options.token ?? process.env.SLIPWAY_FLAGS_TOKEN ?? "";
    if (url === "" || token === "")
      throw new TypeError("SLIPWAY_FLAGS_URL and SLIPWAY_FLAGS_TOKEN are not set: give the product a flagServer");
    this.#url = url;
    this.#token = token;
    this.#file = options.file === false ? null : (options.file ?? fileFor(url));
    this.#waitMs = options.waitMs ?? 25_000;
  }

  /** Takes what was known last, and asks. Rejects when nothing is known yet; the control plane is asked on all the same. */
  async initialize(): Promise<void> {
    this.#document = this.#file === null ? null : await readKept(this.#file);
    await new Promise<void>((resolve) => {
      const patience = setTimeout(resolve, this.#document === null ? firstMs : firstWithKeptMs);
      this.#done = this.#run(() => {
        clearTimeout(patience);
        resolve();
      });
    });
    if (this.#document === null) throw new Error(`${this.#url} does not answer, and nothing was kept from before`);
  }

  async onClose(): Promise<void> {
    this.#stop.abort();
    await this.#done;
  }

  async resolveBooleanEvaluation(
    flag: string,
    value: boolean,
    context: EvaluationContext,
  ): Promise<ResolutionDetails<boolean>> {
    return this.#resolve(flag, value, context);
  }

  async resolveStringEvaluation(
    flag: string,
    value: string,
    context: EvaluationContext,
  ): Promise<ResolutionDetails<string>> {
    return this.#resolve(flag, value, context);
  }

  async resolveNumberEvaluation(
    flag: string,
    value: number,
    context: EvaluationContext,
  ): Promise<ResolutionDetails<number>> {
    return this.#resolve(flag, value, context);
  }

  /** Flags are booleans, texts and numbers. */
  async resolveObjectEvaluation<T extends JsonValue>(flag: string, value: T): Promise<ResolutionDetails<T>> {
    return failed(value, ErrorCode.TYPE_MISMATCH, `${flag} is no object: flags are booleans, texts and numbers`);
  }

  #resolve<T extends boolean | string | number>(
    name: string,
    value: T,
    { targetingKey, ...attributes }: EvaluationContext,
  ): ResolutionDetails<T> {
    const flags = this.#document?.flags;
    if (flags === undefined) return failed(value, ErrorCode.PROVIDER_NOT_READY, "nothing is known yet");
    const flag = Object.hasOwn(flags, name) ? flags[name] : undefined;
    if (flag === undefined) return failed(value, ErrorCode.FLAG_NOT_FOUND, `there is no flag ${name}`);
    const answer = evaluateFlag(name, flag, { key: targetingKey ?? null, attributes });
    if (answer.is === "no-key")
      return failed(value, ErrorCode.TARGETING_KEY_MISSING, `${name} is on for a share of people: give a targetingKey`);
    if (typeof answer.value !== typeof value)
      return failed(value, ErrorCode.TYPE_MISMATCH, `${name} is a ${typeof answer.value}, not a ${typeof value}`);
    const { variant, reason } = answer;
    return { value: answer.value as T, variant, reason: this.#isStale ? "STALE" : reason };
  }

  /** Asks for ever; `heard` is called at the first answer. */
  async #run(heard: () => void): Promise<void> {
    const { signal } = this.#stop;
    let failures = 0;
    while (!signal.aborted) {
      try {
        const at = {
          url: this.#url,
          token: this.#token,
          tag: this.#tag,
          waitMs: this.#tag === null ? 0 : this.#waitMs,
        };
        const asked = await ask(at, signal);
        if (asked !== "unchanged") await this.#take(asked.document, asked.tag);
        failures = 0;
        this.#well();
        heard();
        await pause(leastBetweenMs, signal);
      } catch {
        if (signal.aborted) return;
        failures += 1;
        this.#away();
        // Many processes lose one control plane at the same time.
        const mostMs = Math.min(mostBackoffMs, 500 * 2 ** Math.min(failures, 10));
        await pause(mostMs * (0.5 + Math.random() / 2), signal);
      }
    }
  }

  async #take(document: FlagDocument, tag: string): Promise<void> {
    const before = this.#document;
    this.#document = document;
    this.#tag = tag;
    if (this.#file !== null) await keep(this.#file, document);
    const names = new Set([...Object.keys(before?.flags ?? {}), ...Object.keys(document.flags)]);
    const flagsChanged = [...names].filter(
      (name) => JSON.stringify(before?.flags[name]) !== JSON.stringify(document.flags[name]),
    );
    if (before !== null && flagsChanged.length > 0)
      this.events.emit(ProviderEvents.ConfigurationChanged, { flagsChanged });
  }

  #well(): void {
    if (!this.#isStale) return;
    this.#isStale = false;
    this.events.emit(ProviderEvents.Ready);
  }

  #away(): void {
    if (this.#isStale) return;
    this.#isStale = true;
    this.events.emit(ProviderEvents.Stale, {
      message: "the control plane does not answer; the last known values hold",
    });
  }
}

function failed<T>(value: T, errorCode: ErrorCode, errorMessage: string): ResolutionDetails<T> {
  return { value, reason: "ERROR", errorCode, errorMessage };
}

/** Keeps no process alive. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const timer = setTimeout(done, ms);
    timer.unref();
    signal.addEventListener("abort", done, { once: true });
    function done(): void {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    }
  });
}
