import { unlessAborted } from "../../../lib/unless-aborted.ts";

/**
 * One question to an engine for all who ask it at the same time: whoever is woken by the same news would ask the same, all at once and
 * just when a container begins to run and needs the processor itself.
 */
export class Shared<T> {
  readonly #underWay = new Map<string, { readonly told: number; readonly work: Promise<T> }>();

  /**
   * The answer that is under way to this key, where it began after the news `told` that the caller knows of; else a new one. Null shares
   * nothing. `ask` must go on without the caller: it is not ended by the caller's signal.
   */
  get(key: string, told: number | null, signal: AbortSignal, ask: () => Promise<T>): Promise<T> {
    const there = this.#underWay.get(key);
    if (told !== null && there !== undefined && there.told >= told) return unlessAborted(there.work, signal);
    const work = ask();
    if (told === null) return unlessAborted(work, signal);
    const mine = { told, work };
    this.#underWay.set(key, mine);
    const done = (): void => {
      if (this.#underWay.get(key) === mine) this.#underWay.delete(key);
    };
    work.then(done, done);
    return unlessAborted(work, signal);
  }
}
