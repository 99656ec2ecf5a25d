import { setMaxListeners } from "node:events";

/** A signal that follows others for as long as a piece of work takes. */
export type LinkedSignal = {
  readonly signal: AbortSignal;
  /** Lets go of the others, and of the time limit. To be called when the work is over. May be repeated. */
  release(): void;
  /** The same, and aborts what still follows it: for work that has begun other work. May be repeated; the first reason counts. */
  end(reason: unknown): void;
};

/**
 * Aborted as soon as one of the sources is, with its reason, or after `timeoutMs` with a TimeoutError. It leaves nothing in the sources
 * after its release, which `AbortSignal.any` does: in Node 20 each call leaves about 70 bytes in every source that lives on, and a
 * control plane asks its engines some hundred thousand times a day (60 bytes a call measured with 20.20.2, 2026-11-26).
 */
export function linkedSignal(sources: readonly AbortSignal[], timeoutMs: number | null = null): LinkedSignal {
  const own = new AbortController();
  // Many pieces of work follow one source at a time, and each lets go of it.
  setMaxListeners(0, own.signal, ...sources);
  const stops = sources.map((source) => {
    const stop = (): void => own.abort(source.reason);
    source.addEventListener("abort", stop, { once: true });
    if (source.aborted) stop();
    return () => source.removeEventListener("abort", stop);
  });
  const late = (): void => own.abort(new DOMException("the operation took too long", "TimeoutError"));
  const timer = timeoutMs === null ? undefined : setTimeout(late, timeoutMs);
  timer?.unref();
  const release = (): void => {
    clearTimeout(timer);
    for (const stop of stops) stop();
  };
  return {
    signal: own.signal,
    release,
    end: (reason) => {
      own.abort(reason);
      release();
    },
  };
}
