/** Hands items from a callback to a generator, at most `room` of them waiting. */
export class Queue<T> {
  readonly #room: number;
  #items: T[] = [];
  #end: { readonly failure: { readonly error: unknown } | null } | null = null;
  #changed: () => void = () => undefined;
  #taken: () => void = () => undefined;

  constructor(room: number) {
    this.#room = room;
  }

  async push(item: T): Promise<void> {
    this.#items.push(item);
    this.#changed();
    while (this.#items.length >= this.#room && this.#end === null) {
      await new Promise<void>((resolve) => {
        this.#taken = resolve;
      });
    }
  }

  replace(item: T): void {
    this.#items = [item];
    this.#changed();
  }

  end(failure: { readonly error: unknown } | null): void {
    this.#end = { failure };
    this.#changed();
  }

  async *drain(): AsyncGenerator<T> {
    try {
      for (;;) {
        const item = this.#items.shift();
        this.#taken();
        if (item !== undefined) {
          yield item;
        } else if (this.#end !== null) {
          if (this.#end.failure !== null) throw this.#end.failure.error;
          return;
        } else {
          await new Promise<void>((resolve) => {
            this.#changed = resolve;
          });
        }
      }
    } finally {
      this.#items = [];
      this.#end ??= { failure: null };
      this.#taken(); // whoever waits for room would wait for ever
    }
  }
}
