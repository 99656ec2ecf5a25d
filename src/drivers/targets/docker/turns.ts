/** Work under one key one after the other: each looks at what the one before it left. What another key does is not waited for. */
export class Turns {
  readonly #last = new Map<string, Promise<unknown>>();

  async take<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(key) ?? Promise.resolve();
    const mine = before.catch(() => {}).then(work);
    this.#last.set(key, mine);
    try {
      return await mine;
    } finally {
      if (this.#last.get(key) === mine) this.#last.delete(key);
    }
  }

  isTaken(key: string): boolean {
    return this.#last.has(key);
  }

  /** Resolves when all that is under way has ended, well or not. */
  async over(): Promise<void> {
    await Promise.allSettled(this.#last.values());
  }
}
