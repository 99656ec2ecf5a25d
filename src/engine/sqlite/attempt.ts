import { SlipwayError } from "../../core/errors/error.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Step } from "../../ports/engine.ts";
import { abortGraceMs, Stopped } from "./services.ts";

export type Attempt<T> = { readonly value: T } | { readonly error: unknown; readonly timedOut: boolean };

type Terms = {
  readonly key: string;
  readonly name: string;
  /** Aborted when the workflow is cancelled or the engine closes. */
  readonly stop: AbortSignal;
  readonly timeoutMs: number | undefined;
  readonly clock: Clock;
};

/**
 * Performs a step once. When time is up or the workflow is stopped, its signal is aborted, it gets `abortGraceMs` to end, and
 * its outcome does not count any more: code that returns early because it was told to stop must not pass for done.
 * Throws `Stopped` when it was stopped.
 */
export async function attempt<T>(
  perform: (step: Step) => Promise<T>,
  { key, name, stop, timeoutMs, clock }: Terms,
): Promise<Attempt<T>> {
  if (stop.aborted) throw new Stopped("stopped before it began");
  const control = new AbortController();
  const performed = run(perform, { key, signal: control.signal });
  // Most steps have no time limit: then there is no clock to be stopped, and stopping one costs more than the rest of this.
  const over = timeoutMs === undefined ? null : new AbortController();
  let stopped = ignore;
  const interrupted = new Promise<"stopped" | "timed out">((resolve) => {
    stopped = () => resolve("stopped");
    stop.addEventListener("abort", stopped, { once: true });
    if (timeoutMs !== undefined) clock.sleep(timeoutMs, over?.signal).then(() => resolve("timed out"), ignore);
  });
  try {
    const first = await Promise.race([performed, interrupted]);
    if (typeof first === "object") return first;
    const error = new SlipwayError("TIMED_OUT", {
      message: `${name} was not done within ${timeoutMs} ms`,
      hint: "raise its time limit if it only needs longer",
    });
    control.abort(first === "stopped" ? stop.reason : error);
    await endOf(performed, clock);
    if (first === "stopped") throw new Stopped("stopped in flight");
    return { error, timedOut: true };
  } finally {
    stop.removeEventListener("abort", stopped);
    over?.abort(done);
  }
}

/** It ends, or its time to end is over. */
async function endOf(performed: Promise<unknown>, clock: Clock): Promise<void> {
  const ended = new AbortController();
  await Promise.race([performed, clock.sleep(abortGraceMs, ended.signal).catch(ignore)]);
  ended.abort(done);
}

async function run<T>(perform: (step: Step) => Promise<T>, step: Step): Promise<Attempt<T>> {
  try {
    return { value: await perform(step) };
  } catch (error) {
    return { error, timedOut: false };
  }
}

/** Made once: a reason that is made costs a stack each time. */
const done = new Error("the attempt is over");

const ignore = (): void => {};
