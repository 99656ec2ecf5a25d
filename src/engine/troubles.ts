import { reasonOf } from "../core/errors/error.ts";

/** What goes wrong in something that is done again and again: told when it is new, and forgotten when that work has succeeded. */
export class Troubles {
  readonly #closing: AbortSignal;
  readonly #tell: (what: string, reason: string) => void;
  /** The same trouble again is not news. */
  readonly #told = new Map<string, string>();

  constructor(closing: AbortSignal, tell: (what: string, reason: string) => void) {
    this.#closing = closing;
    this.#tell = tell;
  }

  /** What the work came to; null when it failed, which stops nothing but itself. */
  async guarded<T>(what: string, work: () => Promise<T>): Promise<T | null> {
    try {
      const done = await work();
      this.over(what);
      return done;
    } catch (error) {
      this.failed(what, error);
      return null;
    }
  }

  /** It is well: the same trouble would be news again. */
  over(what: string): void {
    this.#told.delete(what);
  }

  /** What fails because everything is closing is no trouble. */
  failed(what: string, error: unknown): void {
    if (!this.#closing.aborted) this.say(what, reasonOf(error));
  }

  say(what: string, reason: string): void {
    if (this.#told.get(what) === reason) return;
    this.#told.set(what, reason);
    this.#tell(what, reason);
  }
}
