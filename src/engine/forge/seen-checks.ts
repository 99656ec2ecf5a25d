import { type ChecksSeen, nothingSeen } from "../../core/forge/check.ts";

/** What forges have said of commits, as far as anybody waits for it. In memory: after a restart nothing is known until they are asked. */
export class SeenChecks {
  readonly #seen = new Map<string, ChecksSeen>();
  #hinted = false;

  of(product: string, commit: string): ChecksSeen {
    return this.#seen.get(keyOf(product, commit)) ?? nothingSeen;
  }

  note(product: string, commit: string, seen: ChecksSeen): void {
    this.#seen.set(keyOf(product, commit), seen);
  }

  forget(product: string, commit: string): void {
    this.#seen.delete(keyOf(product, commit));
  }

  /** A forge has sent something that may have changed one. */
  hint(): void {
    this.#hinted = true;
  }

  /** Whether one has, since this was asked last. */
  takeHint(): boolean {
    const was = this.#hinted;
    this.#hinted = false;
    return was;
  }
}

const keyOf = (product: string, commit: string): string => `${product}/${commit}`;
