/** Wakes the waits of one workflow when a signal of their topic has been written. It carries no content: that is in the store. */
export class Mailroom {
  readonly #waiting = new Map<string, (() => void)[]>();

  /** Resolves at the next delivery of the topic that comes after this call. */
  next(topic: string): Promise<void> {
    return new Promise((resolve) => {
      const others = this.#waiting.get(topic);
      if (others === undefined) this.#waiting.set(topic, [resolve]);
      else others.push(resolve);
    });
  }

  deliver(topic: string): void {
    const waiting = this.#waiting.get(topic) ?? [];
    this.#waiting.delete(topic);
    for (const wake of waiting) wake();
  }
}
