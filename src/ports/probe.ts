import type { ProbeAnswer } from "../core/judge/probe.ts";

export type HttpProbe = {
  /** `host:port` of one instance: probed from outside, past the edge, so that retries there cannot hide it. */
  readonly address: string;
  readonly path: string;
  readonly timeoutMs: number;
};

/** Measures one instance. Changes nothing there, may be repeated, and never throws for a bad answer: that is a result. */
export interface Prober {
  /** Reads at most 64 kB of the body. Rejects only when the signal is aborted. */
  http(probe: HttpProbe, signal: AbortSignal): Promise<ProbeAnswer>;
}
