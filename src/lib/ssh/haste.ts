/** Tells those who pause between two tries at a host that is away that somebody waits for it now. */
export class Haste {
  readonly #listeners = new Set<() => void>();

  /** The next try of each is made at once, and whoever calls waits for that try, not for two seconds of it. Safe to repeat. */
  make(): void {
    for (const listener of [...this.#listeners]) listener();
  }

  /** Calls back each time, until the answer is called. */
  onMade(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
