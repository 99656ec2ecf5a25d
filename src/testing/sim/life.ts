/**
 * One boot of a control plane, that may be killed between any two of its touches of the outside world: a query, a call of a
 * driver, an answer, a wake-up. What was asked of the outside before goes on there; nothing of the process itself does, for what it
 * waits for never comes. So a death here is that of `kill -9`, and costs no process.
 */
export class Life {
  readonly number: number;
  #alive = true;
  #touches = 0;
  #fatalTouch: number | null = null;
  readonly #onDeath: (() => void)[] = [];

  /** Resolves when it dies. */
  readonly death: Promise<null>;

  constructor(number: number) {
    this.number = number;
    this.death = new Promise((resolve) => this.onDeath(() => resolve(null)));
  }

  get isAlive(): boolean {
    return this.#alive;
  }

  get touches(): number {
    return this.#touches;
  }

  /** Dies at the touch after so many more. */
  dieAfter(touches: number): void {
    this.#fatalTouch = this.#touches + touches;
  }

  onDeath(then: () => void): void {
    this.#onDeath.push(then);
  }

  end(): void {
    if (!this.#alive) return;
    this.#alive = false;
    for (const then of this.#onDeath.splice(0)) then();
  }

  /** Counts one touch; false when the process is dead, or has just died of it. */
  touch(): boolean {
    if (!this.#alive) return false;
    this.#touches += 1;
    if (this.#touches === this.#fatalTouch) this.end();
    return this.#alive;
  }

  /** Does something outside, and hears of it only when it still lives: before and after it are touches. */
  async call<T>(work: () => T | Promise<T>): Promise<T> {
    if (!this.touch()) return never();
    try {
      const result = await work();
      return this.touch() ? result : await never();
    } catch (error) {
      if (!this.touch()) return never();
      throw error;
    }
  }
}

/** A new one each time: what waits for a shared one would be kept for ever. */
export function never<T>(): Promise<T> {
  return new Promise(() => {});
}
