import type { StampedLine } from "./log-lines.ts";

/** A reader that is slower than its programs loses lines instead of our memory. */
const maxWaiting = 100_000;

/** Lines that have come from many containers, until each has waited for older ones of the others: so they are read in order of time. */
export class FollowedLines {
  readonly #settleMs: number;
  #lines: { readonly line: StampedLine; readonly cameMs: number }[] = [];
  #failure: { readonly error: unknown } | null = null;
  #wake: () => void = () => {};

  constructor(settleMs: number) {
    this.#settleMs = settleMs;
  }

  /** One that comes when younger ones have been read is read all the same. */
  add(line: StampedLine): void {
    if (this.#lines.length >= maxWaiting) this.#lines.splice(0, 1_000);
    this.#lines.push({ line, cameMs: performance.now() });
    this.#wake();
  }

  fail(error: unknown): void {
    this.#failure = { error };
    this.#wake();
  }

  async *lines(signal: AbortSignal): AsyncGenerator<StampedLine> {
    while (!signal.aborted) {
      if (this.#failure !== null) throw this.#failure.error;
      const [oldest] = this.#lines;
      if (oldest === undefined) await this.#something(signal, null);
      else {
        const leftMs = oldest.cameMs + this.#settleMs - performance.now();
        if (leftMs > 0) await this.#something(signal, leftMs);
        else yield* this.#settled();
      }
    }
  }

  /** Those that have waited long enough, and what is older than they are. */
  #settled(): StampedLine[] {
    const now = performance.now();
    const ready = this.#lines.filter(({ cameMs }) => now - cameMs >= this.#settleMs);
    const newestStamp = ready.reduce((most, { line }) => (line.stamp > most ? line.stamp : most), "");
    const out = this.#lines.filter(({ line }) => line.stamp <= newestStamp);
    this.#lines = this.#lines.filter(({ line }) => line.stamp > newestStamp);
    out.sort((one, other) => (one.line.stamp < other.line.stamp ? -1 : 1));
    return out.map(({ line }) => line);
  }

  #something(signal: AbortSignal, limitMs: number | null): Promise<void> {
    return new Promise((resolve) => {
      const timer = limitMs === null ? null : setTimeout(done, limitMs);
      function done(): void {
        if (timer !== null) clearTimeout(timer);
        signal.removeEventListener("abort", done);
        resolve();
      }
      // While lines wait for their time, more of them need not wake anybody.
      this.#wake = limitMs === null ? done : () => {};
      signal.addEventListener("abort", done, { once: true });
      if (signal.aborted) done();
    });
  }
}
